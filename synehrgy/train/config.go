package train

import (
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Config is the shape of a model and how it is trained.
type Config struct {
	Family  checkpoint.Family `yaml:"family" json:"family"` // gpt2 or llama
	Width   int               `yaml:"width" json:"width"`
	Layers  int               `yaml:"layers" json:"layers"`
	Heads   int               `yaml:"heads" json:"heads"`
	KVHeads int               `yaml:"kv_heads" json:"kv_heads"` // 0: as many as heads
	FFN     int               `yaml:"ffn" json:"ffn"`           // 0: 4 x width for gpt2, 8/3 x width for llama, up to a multiple of 8
	Context int               `yaml:"context" json:"context"`   // tokens the model sees at once; 0, or what the corpus was cut to
	Window  int               `yaml:"window" json:"window"`     // tokens that a token attends to, its own among them; 0: all up to its own
	Tied    bool              `yaml:"tied" json:"tied"`         // the output matrix is the embedding
	InitStd float64           `yaml:"init_std" json:"init_std"` // of fresh weights

	BatchTokens int `yaml:"batch_tokens" json:"batch_tokens"` // most tokens of a packed batch
	Accumulate  int `yaml:"accumulate" json:"accumulate"`     // batches to an update
	Epochs      int `yaml:"epochs" json:"epochs"`             // passes over the training split, where steps is 0
	Steps       int `yaml:"steps" json:"steps"`               // updates; 0: epochs counts

	LearningRate float64    `yaml:"lr" json:"lr"`         // at its peak
	Warmup       int        `yaml:"warmup" json:"warmup"` // updates over which the rate rises from 0
	Schedule     Decay      `yaml:"schedule" json:"schedule"`
	FinalRate    float64    `yaml:"final_lr" json:"final_lr"` // where the rate ends, as a part of lr
	WeightDecay  float64    `yaml:"decay" json:"decay"`
	Betas        [2]float64 `yaml:"betas" json:"betas"`
	Epsilon      float64    `yaml:"epsilon" json:"epsilon"`
	Clip         float64    `yaml:"clip" json:"clip"` // largest gradient norm, 0: off
	Dropout      float64    `yaml:"dropout" json:"dropout"`
	SoftTargets  bool       `yaml:"soft_targets" json:"soft_targets"` // a bin shares its weight with its neighbours

	Optimizer engine.Optimizer `yaml:"optimizer" json:"optimizer"` // adamw; muon: the matrices of the layers by Muon, the rest by AdamW
	Precision engine.Precision `yaml:"precision" json:"precision"` // of the operands of products: fp32 or bf16; "": bf16 on a GPU, else fp32
	Recompute bool             `yaml:"recompute" json:"recompute"` // less memory for more time; changes no bit

	EvalEvery int    `yaml:"eval_every" json:"eval_every"` // updates from one validation to the next; 0: at the end of each epoch
	Patience  int    `yaml:"patience" json:"patience"`     // validations without a new best before training stops; 0: never
	SaveEvery int    `yaml:"save_every" json:"save_every"` // updates from one checkpoint to the next; 0: after each validation
	Seed      uint64 `yaml:"seed" json:"seed"`             // of fresh weights, order and dropout
}

// DefaultConfig is a small model that a laptop trains in minutes.
func DefaultConfig() Config {
	return Config{
		Family: checkpoint.GPT2, Width: 128, Layers: 3, Heads: 4, Tied: true, InitStd: 0.02,
		BatchTokens: 4096, Accumulate: 1, Epochs: 12, Optimizer: engine.AdamW,
		LearningRate: 2e-3, Warmup: 50, Schedule: Cosine, FinalRate: 0.1, WeightDecay: 0.1, Betas: [2]float64{0.9, 0.95}, Epsilon: 1e-8,
		Clip: 1, Dropout: 0.1, Patience: 4, Seed: 1,
	}
}

// Published is the model of the SynEHRgy paper (arXiv 2411.13428) and how its code trains it: GPT-2 of width 384, AdamW
// without decay or warm-up, linear decay to 0, 20 epochs of 128 records of up to 1,024 tokens, patience 5.
func Published() Config {
	return Config{
		Family: checkpoint.GPT2, Width: 384, Layers: 4, Heads: 4, FFN: 1536, Context: 1024, InitStd: 0.02,
		BatchTokens: 8 * 1024, Accumulate: 16, Epochs: 20, Optimizer: engine.AdamW,
		LearningRate: 3e-4, Schedule: Linear, Betas: [2]float64{0.9, 0.999}, Epsilon: 1e-8,
		Clip: 1, Dropout: 0.1, Patience: 5, Seed: 42,
	}
}

// Validate returns a *fault.Usage that names the first setting that makes no sense.
func (c *Config) Validate() error {
	for _, n := range []struct {
		name        string
		have, least int
	}{
		{"width", c.Width, 1}, {"layers", c.Layers, 1}, {"heads", c.Heads, 1}, {"kv_heads", c.KVHeads, 0}, {"ffn", c.FFN, 0},
		{"context", c.Context, 0}, {"window", c.Window, 0}, {"batch_tokens", c.BatchTokens, 2}, {"accumulate", c.Accumulate, 1}, {"epochs", c.Epochs, 0},
		{"steps", c.Steps, 0}, {"warmup", c.Warmup, 0}, {"eval_every", c.EvalEvery, 0}, {"patience", c.Patience, 0},
		{"save_every", c.SaveEvery, 0},
	} {
		if n.have < n.least || n.have > math.MaxInt32 {
			return fault.Usagef("train.%s is %d, expected %d to %d", n.name, n.have, n.least, math.MaxInt32)
		}
	}
	for _, x := range []struct {
		name      string
		have      float64
		low, high float64 // low is allowed, high is not
	}{
		{"init_std", c.InitStd, 0, 1e3}, {"lr", c.LearningRate, 0, 1e3}, {"final_lr", c.FinalRate, 0, 1.000001}, {"decay", c.WeightDecay, 0, 1e3},
		{"betas", c.Betas[0], 0, 1}, {"betas", c.Betas[1], 0, 1}, {"epsilon", c.Epsilon, 0, 1}, {"clip", c.Clip, 0, 1e9},
		{"dropout", c.Dropout, 0, 1},
	} {
		if !(x.have >= x.low && x.have < x.high) { // false for NaN
			return fault.Usagef("train.%s is %g, expected %g or more and less than %g", x.name, x.have, x.low, x.high)
		}
	}
	switch {
	case c.LearningRate == 0:
		return fault.Usagef("train.lr is 0, expected a positive number")
	case c.Steps == 0 && c.Epochs == 0:
		return fault.Usagef("train.epochs and train.steps are both 0, expected one of them to say how long to train")
	case c.Schedule != Cosine && c.Schedule != Linear && c.Schedule != Constant:
		return fault.Usagef("train.schedule is %q, expected %q, %q or %q", c.Schedule, Cosine, Linear, Constant)
	case c.Optimizer != engine.AdamW && c.Optimizer != engine.Muon:
		return fault.Usagef("train.optimizer is %q, expected %q or %q", c.Optimizer, engine.AdamW, engine.Muon)
	case c.Precision != "" && c.Precision != engine.FP32 && c.Precision != engine.BF16:
		return fault.Usagef("train.precision is %q, expected %q or %q", c.Precision, engine.FP32, engine.BF16)
	case c.Family != checkpoint.GPT2 && c.Family != checkpoint.Llama:
		return fault.Usagef("train.family is %q, expected %q or %q", c.Family, checkpoint.GPT2, checkpoint.Llama)
	case c.Width%c.Heads != 0:
		return fault.Usagef("train.width is %d, expected a multiple of the %d heads", c.Width, c.Heads)
	}
	return c.validateHeads()
}

func (c *Config) validateHeads() error {
	head := c.Width / c.Heads
	switch {
	case head < 16 || head > 128 || head%8 != 0:
		return fault.Usagef("train.width is %d for %d heads, which makes heads of %d; expected a multiple of 8 from 16 to 128", c.Width, c.Heads, head)
	case c.Family == checkpoint.GPT2 && c.KVHeads != 0 && c.KVHeads != c.Heads:
		return fault.Usagef("train.kv_heads is %d, expected 0 or the %d heads, as gpt2 does not share them", c.KVHeads, c.Heads)
	case c.Family == checkpoint.GPT2 && c.Window != 0:
		return fault.Usagef("train.window is %d, expected 0 for gpt2: transformers knows no gpt2 with a window, and family llama has one", c.Window)
	case c.KVHeads != 0 && c.Heads%c.KVHeads != 0:
		return fault.Usagef("train.kv_heads is %d, expected a divisor of the %d heads", c.KVHeads, c.Heads)
	}
	return nil
}

// Shape is the model that the configuration describes for a vocabulary of so many tokens whose records begin with start and
// are cut to context.
func (c *Config) Shape(vocabulary, context int, start int32) (checkpoint.Config, error) {
	s := checkpoint.Config{
		Family: c.Family, Vocab: vocabulary, Width: c.Width, Layers: c.Layers, Heads: c.Heads, KVHeads: c.KVHeads,
		HeadDim: c.Width / c.Heads, FFN: c.FFN, Context: c.Context, Window: c.Window, Tied: c.Tied, AttentionDropout: c.Dropout,
		BOS: int(start), EOS: checkpoint.NoToken,
	}
	if s.KVHeads == 0 {
		s.KVHeads = s.Heads
	}
	if s.Context == 0 {
		s.Context = context
	}
	if s.Family == checkpoint.Llama {
		s.NormEps, s.RopeTheta, s.Activation = 1e-6, 10000, "silu"
		if s.FFN == 0 {
			s.FFN = (8*c.Width/3 + 7) / 8 * 8
		}
	} else {
		s.NormEps, s.Activation = 1e-5, "gelu_new"
		s.EmbeddingDropout, s.ResidualDropout = c.Dropout, c.Dropout
		if s.FFN == 0 {
			s.FFN = 4 * c.Width
		}
	}
	return s, s.Validate()
}

// trainer is the configuration in the words of the engine; segments is the most records of a batch.
func (c *Config) trainer(segments int) engine.TrainerOptions {
	return engine.TrainerOptions{
		MaxSegments: segments, MaxTokens: c.BatchTokens, Seed: c.Seed, Beta1: c.Betas[0], Beta2: c.Betas[1], Epsilon: c.Epsilon,
		WeightDecay: c.WeightDecay, Clip: c.Clip, Precision: c.Precision, Recompute: c.Recompute, Optimizer: c.Optimizer,
	}
}
