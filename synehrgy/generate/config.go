package generate

import (
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Config is how patients are drawn. Slots alone has no part in what they are.
type Config struct {
	Seed        uint64  `yaml:"seed" json:"seed"`
	Slots       int     `yaml:"slots" json:"slots"`             // records decoded together
	MaxTokens   int     `yaml:"max_tokens" json:"max_tokens"`   // of one record; there it is closed on the shortest legal way
	Temperature float64 `yaml:"temperature" json:"temperature"` // 1: as trained
	TopK        int     `yaml:"top_k" json:"top_k"`             // 0: off
	TopP        float64 `yaml:"top_p" json:"top_p"`             // 1: off
	MinP        float64 `yaml:"min_p" json:"min_p"`             // 0: off
	// ReportMaskMass measures what the grammar removes on every draw, not on one in 16. It takes the logits of every token, a
	// draw only those of the legal ones; the patients are the same.
	ReportMaskMass bool `yaml:"report_mask_mass" json:"report_mask_mass"`
	// Precision of the linear layers, fp32 or int8: faster, other patients, at a cost in bits per token that is measured first. "" is
	// fp32, on a GPU bf16, which is all it has.
	Precision engine.Precision `yaml:"precision" json:"precision"`
	// KVCache fp16 keeps keys and values between steps in 16 bits: half the memory, and faster where reading it takes the time; other
	// patients, at a cost that is measured first. "" is fp32, on a GPU bf16, which is all it has.
	KVCache  engine.Precision `yaml:"kv_cache" json:"kv_cache"`
	Unmasked bool             `yaml:"unmasked" json:"unmasked"` // without the grammar, to measure what it removes; what does not parse is left out
}

// DefaultConfig draws from the distribution of the model itself: every filter of likely tokens takes rare codes away first.
func DefaultConfig() Config {
	return Config{Seed: 1, Slots: 64, MaxTokens: 32768, Temperature: 1, TopP: 1}
}

// Validate returns a *fault.Usage that names the first setting that makes no sense.
func (c *Config) Validate() error {
	switch {
	case c.Slots < 1 || c.Slots > 1<<16:
		return fault.Usagef("generate.slots is %d, expected 1 to %d", c.Slots, 1<<16)
	case c.MaxTokens < 2 || c.MaxTokens > 1<<24:
		return fault.Usagef("generate.max_tokens is %d, expected 2 to %d", c.MaxTokens, 1<<24)
	case !(c.Temperature > 0) || math.IsInf(c.Temperature, 0):
		return fault.Usagef("generate.temperature is %g, expected a positive number", c.Temperature)
	case c.TopK < 0 || c.TopK > math.MaxInt32:
		return fault.Usagef("generate.top_k is %d, expected 0 (off) or more", c.TopK)
	case !(c.TopP > 0 && c.TopP <= 1):
		return fault.Usagef("generate.top_p is %g, expected more than 0 and at most 1 (off)", c.TopP)
	case !(c.MinP >= 0 && c.MinP < 1):
		return fault.Usagef("generate.min_p is %g, expected 0 (off) to less than 1", c.MinP)
	}
	if c.KVCache != "" && c.KVCache != engine.FP16 {
		return fault.Usagef("generate.kv_cache is %q, expected %q, or nothing for the numbers of the device", c.KVCache, engine.FP16)
	}
	if c.Precision == engine.BF16 { // of a GPU, which Run knows
		return nil
	}
	return checkPrecision(c.Precision)
}

func (c *Config) engine() engine.GeneratorOptions {
	return engine.GeneratorOptions{
		Slots: c.Slots, MaxTokens: c.MaxTokens, Seed: c.Seed, Temperature: c.Temperature, TopK: c.TopK, TopP: c.TopP, MinP: c.MinP,
		Unmasked: c.Unmasked, ReportMass: c.ReportMaskMass, Precision: c.Precision, Cache: c.KVCache,
	}
}

// window is how many patients may be under way, finished ones that wait for an earlier one among them. Lengths differ by a
// factor of about twenty, so with fewer the slots would starve behind a long record.
func (c *Config) window() int64 { return 32 * int64(c.Slots) }

// mostPatients is what the counters of the core can name.
const mostPatients = int64(1) << 48

func checkRange(first, patients int64) error {
	if first < 0 || patients < 0 || first > mostPatients || patients > mostPatients-first {
		return fault.Usagef("patients %d and the %d after, expected indices from 0 to %d", first, patients, mostPatients-1)
	}
	return nil
}
