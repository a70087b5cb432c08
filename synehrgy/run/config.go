package run

import (
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/generate"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
	"github.com/synehrgy/synehrgy-go/synehrgy/train"
)

// Config is everything a run can be told. Every field is a key of the configuration file.
type Config struct {
	Seed     uint64         `yaml:"seed" json:"seed"`
	Device   string         `yaml:"device" json:"device"`   // "cpu", "cuda", "ref", "hostgpu" or "auto"
	Threads  int            `yaml:"threads" json:"threads"` // of the core; 0: as many as this process may use
	Prepare  PrepareConfig  `yaml:"prepare" json:"prepare"`
	Token    token.Config   `yaml:"token" json:"token"`
	Train    train.Config   `yaml:"train" json:"train"`
	Generate GenerateConfig `yaml:"generate" json:"generate"`
	Evaluate EvaluateConfig `yaml:"evaluate" json:"evaluate"`
	Monitor  MonitorConfig  `yaml:"monitor" json:"monitor"`
}

// PrepareConfig says how a cohort is divided.
type PrepareConfig struct {
	TrainShare  float64 `yaml:"train_share" json:"train_share"`   // of the patients
	TuningShare float64 `yaml:"tuning_share" json:"tuning_share"` // the rest is held out
	MemoryLimit string  `yaml:"memory_limit" json:"memory_limit"` // of the table reader
}

// GenerateConfig says what is sampled.
type GenerateConfig struct {
	Patients        int64 `yaml:"patients" json:"patients"` // 0: as many as there are training patients
	generate.Config `yaml:",inline"`
}

// EvaluateConfig says how closely is looked.
type EvaluateConfig struct {
	Bootstrap int  `yaml:"bootstrap" json:"bootstrap"` // resamples for the intervals
	Gate      Gate `yaml:"gate" json:"gate"`
}

// Gate is what the user demands of the result; a run that misses it ends with exit code 6.
type Gate struct {
	// NoLeak demands that no privacy verdict fails and that the positive control was seen.
	NoLeak bool `yaml:"no_leak" json:"no_leak"`
}

// DefaultConfig is a model that trains on a laptop and a tokenizer that loses nothing.
func DefaultConfig() Config {
	c := Config{
		Seed:     1,
		Device:   "auto",
		Prepare:  PrepareConfig{TrainShare: ehr.DefaultShares.Train, TuningShare: ehr.DefaultShares.Tuning, MemoryLimit: "2GB"},
		Token:    token.DefaultConfig(),
		Train:    train.DefaultConfig(),
		Generate: GenerateConfig{Config: generate.DefaultConfig()},
		Evaluate: EvaluateConfig{Bootstrap: 200},
		Monitor:  MonitorConfig{Interval: 1},
	}
	c.Train.Seed, c.Generate.Seed = 0, 0 // the seed of the run
	return c
}

// Validate names the first setting that makes no sense.
func (c *Config) Validate() error {
	p := c.Prepare
	switch {
	case !slices.Contains([]string{"auto", "cpu", "cuda", "ref", "hostgpu"}, c.Device):
		return fault.Usagef("device is %q, expected cpu, cuda, ref, hostgpu or auto", c.Device)
	case c.Threads < 0 || c.Threads > 256:
		return fault.Usagef("threads is %d, expected 0 to 256", c.Threads)
	case !(p.TrainShare > 0) || !(p.TuningShare >= 0) || p.TrainShare+p.TuningShare >= 1:
		return fault.Usagef("prepare.train_share %g and prepare.tuning_share %g must be positive and leave patients to hold out", p.TrainShare, p.TuningShare)
	case c.Generate.Patients < 0:
		return fault.Usagef("generate.patients is %d, expected 0 or more", c.Generate.Patients)
	case c.Evaluate.Bootstrap < 2 || c.Evaluate.Bootstrap > 100000:
		return fault.Usagef("evaluate.bootstrap is %d, expected 2 to 100000", c.Evaluate.Bootstrap)
	}
	if err := c.Token.Validate(); err != nil {
		return err
	}
	if err := c.Generate.Config.Validate(); err != nil {
		return err
	}
	if err := c.Monitor.validate(); err != nil {
		return err
	}
	return c.Train.Validate()
}
