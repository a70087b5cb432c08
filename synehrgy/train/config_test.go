package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

func TestSettingsThatMakeNoSenseAreNamed(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"train.width":        func(c *Config) { c.Width = 0 },
		"train.heads":        func(c *Config) { c.Heads = -1 },
		"heads of 8":         func(c *Config) { c.Width, c.Heads = 32, 4 },
		"multiple of the 3":  func(c *Config) { c.Width, c.Heads = 64, 3 },
		"train.kv_heads":     func(c *Config) { c.KVHeads = 2 },
		"divisor of the 4":   func(c *Config) { c.Family, c.KVHeads = checkpoint.Llama, 3 },
		"train.window is -1": func(c *Config) { c.Window = -1 },
		"0 for gpt2":         func(c *Config) { c.Window = 8 },
		"train.family":       func(c *Config) { c.Family = "bert" },
		"train.schedule":     func(c *Config) { c.Schedule = "step" },
		"train.optimizer":    func(c *Config) { c.Optimizer = "sgd" },
		"train.precision":    func(c *Config) { c.Precision = "fp16" },
		"train.lr":           func(c *Config) { c.LearningRate = math.NaN() },
		"train.lr is 0":      func(c *Config) { c.LearningRate = 0 },
		"train.betas":        func(c *Config) { c.Betas[1] = 1 },
		"train.dropout":      func(c *Config) { c.Dropout = 1 },
		"train.clip":         func(c *Config) { c.Clip = math.Inf(1) },
		"train.batch_tokens": func(c *Config) { c.BatchTokens = 1 },
		"train.accumulate":   func(c *Config) { c.Accumulate = 0 },
		"train.epochs":       func(c *Config) { c.Epochs, c.Steps = 0, 0 },
		"train.steps":        func(c *Config) { c.Steps = -1 },
		"train.patience":     func(c *Config) { c.Patience = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			change(&c)
			err := c.Validate()
			var usage *fault.Usage
			require.ErrorAs(t, err, &usage)
			require.ErrorContains(t, err, name)
		})
	}
}

func TestBothConfigurationsAreModels(t *testing.T) {
	for name, c := range map[string]Config{"default": DefaultConfig(), "published": Published()} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.Validate())
			shape, err := c.Shape(5115, 1024, 0)
			require.NoError(t, err)
			require.Equal(t, 1024, shape.Context)
			text, err := yaml.Marshal(c)
			require.NoError(t, err)
			var back Config
			require.NoError(t, yaml.Unmarshal(text, &back))
			require.Equal(t, c, back)
		})
	}
	shape, err := func() (checkpoint.Config, error) { c := Published(); return c.Shape(5115, 1024, 0) }()
	require.NoError(t, err)
	require.Equal(t, [...]int{384, 4, 4, 96, 1536}, [...]int{shape.Width, shape.Layers, shape.Heads, shape.HeadDim, shape.FFN})
}

func TestLlamaShapeHasItsOwnDefaults(t *testing.T) {
	c := DefaultConfig()
	c.Family, c.KVHeads, c.Window = checkpoint.Llama, 2, 100
	require.NoError(t, c.Validate())
	shape, err := c.Shape(100, 64, 0)
	require.NoError(t, err)
	require.Equal(t, 2, shape.KVHeads)
	require.Equal(t, 100, shape.Window, "one of more than the context is none, and no mistake")
	require.Equal(t, 344, shape.FFN, "8/3 of 128, up to a multiple of 8")
	require.Zero(t, shape.EmbeddingDropout)
}
