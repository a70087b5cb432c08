package checkpoint

import (
	"fmt"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Family is the kind of transformer a checkpoint holds.
type Family string

// The families.
const (
	GPT2  Family = "gpt2"  // LayerNorm, learned positions, biases, GELU (tanh form)
	Llama Family = "llama" // RMSNorm, rotary positions, grouped key/value heads, SwiGLU, no biases
)

// NoToken is the begin or end token of a model that has none.
const NoToken = -1

// Config is the shape of a model: what config.json says of it, whichever family it is. All sizes are counts.
type Config struct {
	Family  Family
	Vocab   int
	Width   int // of the residual stream
	Layers  int
	Heads   int // query heads
	KVHeads int // key/value heads, a divisor of Heads; = Heads for GPT-2
	HeadDim int // = Width/Heads for GPT-2
	FFN     int // width of the hidden layer of the feed-forward part
	Context int // most positions of one sequence
	// Window is the most positions that a position attends to, its own among them; 0, or Context and more: all up to its own.
	// Only Llama has one, as transformers knows no GPT-2 with a window.
	Window  int
	Tied    bool
	NormEps float64
	// RopeTheta is the base of the rotary angles, 0 for GPT-2.
	RopeTheta float64
	// Dropout probabilities; Llama has that of attention alone.
	EmbeddingDropout, AttentionDropout, ResidualDropout float64
	Activation                                          string // "gelu_new" (GPT-2) or "silu" (Llama)
	BOS, EOS                                            int    // NoToken when there is none
}

// maxDimension bounds every size of a config, far above any model of this kind, so that products of sizes fit in 64 bits.
const maxDimension = 1 << 24

// Validate says the first thing that makes no model, as *fault.Usage; nil when there is nothing.
func (c *Config) Validate() error {
	if err := c.validateSizes(); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		x    float64
	}{{"embedding", c.EmbeddingDropout}, {"attention", c.AttentionDropout}, {"residual", c.ResidualDropout}} {
		if !(p.x >= 0 && p.x < 1) {
			return fault.Usagef("the %s dropout of a model is %g, expected at least 0 and less than 1", p.name, p.x)
		}
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		return fault.Usagef("the norm epsilon of a model is %g, expected more than 0 and less than 1", c.NormEps)
	}
	for _, t := range []int{c.BOS, c.EOS} {
		if t < NoToken || t >= c.Vocab {
			return fault.Usagef("a begin or end token is number %d of a vocabulary of %d", t, c.Vocab)
		}
	}
	return c.validateFamily()
}

func (c *Config) validateSizes() error {
	for _, s := range []struct {
		name string
		n    int
	}{{"vocabulary", c.Vocab}, {"width", c.Width}, {"number of layers", c.Layers}, {"number of heads", c.Heads},
		{"number of key/value heads", c.KVHeads}, {"head width", c.HeadDim}, {"feed-forward width", c.FFN}, {"context", c.Context}} {
		if s.n < 1 || s.n > maxDimension {
			return fault.Usagef("the %s of a model is %d, expected 1 to %d", s.name, s.n, maxDimension)
		}
	}
	if c.Window < 0 || c.Window > maxDimension {
		return fault.Usagef("the window of a model is %d, expected 0 to %d", c.Window, maxDimension)
	}
	if c.Heads%c.KVHeads != 0 {
		return fault.Usagef("a model has %d heads and %d key/value heads, expected a divisor of the former", c.Heads, c.KVHeads)
	}
	return nil
}

func (c *Config) validateFamily() error {
	switch c.Family {
	case GPT2:
		if c.KVHeads != c.Heads || c.HeadDim*c.Heads != c.Width {
			return fault.Usagef("a gpt2 model has width %d, %d heads of %d and %d key/value heads, expected heads that divide the width and as many of both",
				c.Width, c.Heads, c.HeadDim, c.KVHeads)
		}
		if c.RopeTheta != 0 {
			return fault.Usagef("a gpt2 model has a rotary base, expected none")
		}
		if c.Window != 0 {
			return fault.Usagef("a gpt2 model has a window of %d, expected none: of the two families llama has one", c.Window)
		}
		return c.validateActivation("gelu_new")
	case Llama:
		if c.HeadDim%2 != 0 {
			return fault.Usagef("the head width of a llama model is %d, expected an even number, as rotary positions turn pairs", c.HeadDim)
		}
		if !(c.RopeTheta > 1) || math.IsInf(c.RopeTheta, 0) {
			return fault.Usagef("the rotary base of a llama model is %g, expected more than 1", c.RopeTheta)
		}
		if c.EmbeddingDropout != 0 || c.ResidualDropout != 0 {
			return fault.Usagef("a llama model has embedding or residual dropout, expected dropout in attention alone")
		}
		return c.validateActivation("silu")
	}
	return fault.Usagef("a model of family %q, expected gpt2 or llama", c.Family)
}

func (c *Config) validateActivation(want string) error {
	if c.Activation != want {
		return fault.Usagef("the activation of a %s model is %q, expected %q", c.Family, c.Activation, want)
	}
	return nil
}

// String says the shape in one line: "gpt2, width 384, 4 layers, 4 heads of 96, feed-forward 1536, vocabulary 5115, context
// 1024", and ", window 256" where there is one.
func (c *Config) String() string {
	heads := fmt.Sprintf("%d heads of %d", c.Heads, c.HeadDim)
	if c.KVHeads != c.Heads {
		heads += fmt.Sprintf(" (%d for keys and values)", c.KVHeads)
	}
	window := ""
	if c.Window > 0 {
		window = fmt.Sprintf(", window %d", c.Window)
	}
	return fmt.Sprintf("%s, width %d, %d layers, %s, feed-forward %d, vocabulary %d, context %d%s",
		c.Family, c.Width, c.Layers, heads, c.FFN, c.Vocab, c.Context, window)
}
