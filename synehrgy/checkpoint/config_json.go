package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file reads and writes Config as the config.json of a Hugging Face model folder. A key of theirs that would change the
// computation into one we do not have is an error rather than ignored; the many that do not matter here are ignored.
//
// A Llama with a window is a Mistral in their words: the same network and names of tensors, and a sliding_window, which their
// Llama would ignore.

const mistral Family = "mistral"

// gpt2JSON is the part of a GPT-2 config.json that we write, in the order in which it is written.
type gpt2JSON struct {
	Activation       string   `json:"activation_function"`
	Architectures    []string `json:"architectures"`
	AttentionDropout float64  `json:"attn_pdrop"`
	BOS              *int     `json:"bos_token_id"`
	Dtype            string   `json:"dtype"`
	EmbeddingDropout float64  `json:"embd_pdrop"`
	EOS              *int     `json:"eos_token_id"`
	NormEps          float64  `json:"layer_norm_epsilon"`
	ModelType        Family   `json:"model_type"`
	Width            int      `json:"n_embd"`
	Heads            int      `json:"n_head"`
	FFN              *int     `json:"n_inner"` // null is four times the width
	Layers           int      `json:"n_layer"`
	Context          int      `json:"n_positions"`
	ResidualDropout  float64  `json:"resid_pdrop"`
	Tied             bool     `json:"tie_word_embeddings"`
	TorchDtype       string   `json:"torch_dtype"` // the name of dtype before transformers 4.56
	Vocab            int      `json:"vocab_size"`
}

// gpt2Refused holds the keys that change what GPT-2 computes.
type gpt2Refused struct {
	ScaleWeights   *bool `json:"scale_attn_weights"` // must be true or absent
	ScaleByLayer   bool  `json:"scale_attn_by_inverse_layer_idx"`
	CrossAttention bool  `json:"add_cross_attention"`
}

// llamaJSON is the part of a Llama or Mistral config.json that we write.
type llamaJSON struct {
	Architectures    []string  `json:"architectures"`
	AttentionBias    bool      `json:"attention_bias"`
	AttentionDropout float64   `json:"attention_dropout"`
	BOS              *int      `json:"bos_token_id"`
	Dtype            string    `json:"dtype"`
	EOS              *int      `json:"eos_token_id"`
	HeadDim          *int      `json:"head_dim"` // null is width / heads
	Activation       string    `json:"hidden_act"`
	Width            int       `json:"hidden_size"`
	FFN              int       `json:"intermediate_size"`
	Context          int       `json:"max_position_embeddings"`
	MLPBias          bool      `json:"mlp_bias"`
	ModelType        Family    `json:"model_type"`
	Heads            int       `json:"num_attention_heads"`
	Layers           int       `json:"num_hidden_layers"`
	KVHeads          *int      `json:"num_key_value_heads"` // null is as many as heads
	NormEps          float64   `json:"rms_norm_eps"`
	Rope             *ropeJSON `json:"rope_parameters"` // since transformers 5
	RopeTheta        *float64  `json:"rope_theta"`      // before
	Window           *int      `json:"sliding_window,omitempty"`
	Tied             bool      `json:"tie_word_embeddings"`
	TorchDtype       string    `json:"torch_dtype"`
	Vocab            int       `json:"vocab_size"`
}

type ropeJSON struct {
	Theta *float64 `json:"rope_theta"`
	Type  string   `json:"rope_type"` // "default": plain rotary positions
}

// ReadConfig reads a config.json. Whatever is wrong with it, also a model that we cannot compute, is a *fault.Input.
func ReadConfig(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &fault.Input{File: path, Found: reason(err).Error(), Expected: "the config.json of a model", Err: err}
	}
	c, err := parseConfig(text)
	if err == nil {
		err = c.Validate()
	}
	if err == nil {
		return c, nil
	}
	var wrong *fault.Usage
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return nil, &fault.Input{File: path, Found: wrong.Message, Expected: "the shape of a model we can compute", Err: err}
	case errors.As(err, &kind):
		return nil, &fault.Input{File: path, Found: fmt.Sprintf("a JSON %s under %q", kind.Value, kind.Field), Expected: "a value of type " + kind.Type.String(), Err: err}
	}
	return nil, &fault.Input{File: path, Found: fmt.Sprintf("text that is not JSON (%v)", err), Expected: "a JSON object", Err: err}
}

func parseConfig(text []byte) (*Config, error) {
	var head struct {
		ModelType    Family          `json:"model_type"`
		Quantization json.RawMessage `json:"quantization_config"`
		Window       *int            `json:"sliding_window"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	if q := string(head.Quantization); q != "" && q != "null" {
		return nil, fault.Usagef("quantized weights")
	}
	if (head.ModelType == GPT2 || head.ModelType == Llama) && head.Window != nil {
		return nil, fault.Usagef("sliding_window in a %s model, which mistral alone has", head.ModelType)
	}
	switch head.ModelType {
	case GPT2:
		return parseGPT2(text)
	case Llama:
		// What an absent key means, by the LlamaConfig of transformers.
		return parseLlama(text, llamaJSON{Activation: "silu", NormEps: 1e-6, Context: 2048})
	case mistral:
		// And by its MistralConfig; keys that are null mean there what they mean in Llama.
		window, heads := 4096, 8
		return parseLlama(text, llamaJSON{Activation: "silu", NormEps: 1e-6, Context: 4096 * 32, KVHeads: &heads, Window: &window})
	}
	return nil, fault.Usagef("model_type %s, neither gpt2, llama nor mistral", quote(string(head.ModelType)))
}

func parseGPT2(text []byte) (*Config, error) {
	// What an absent key means, by the GPT2Config of transformers.
	j := gpt2JSON{Activation: "gelu_new", NormEps: 1e-5, AttentionDropout: 0.1, EmbeddingDropout: 0.1, ResidualDropout: 0.1, Tied: true}
	var no gpt2Refused
	if err := errors.Join(json.Unmarshal(text, &j), json.Unmarshal(text, &no)); err != nil {
		return nil, err
	}
	if no.ScaleWeights != nil && !*no.ScaleWeights || no.ScaleByLayer || no.CrossAttention {
		return nil, fault.Usagef("unscaled, layer-scaled or cross attention")
	}
	c := &Config{Family: GPT2, Vocab: j.Vocab, Width: j.Width, Layers: j.Layers, Heads: j.Heads, KVHeads: j.Heads,
		FFN: or(j.FFN, 4*j.Width), Context: j.Context, Tied: j.Tied, NormEps: j.NormEps, Activation: j.Activation,
		EmbeddingDropout: j.EmbeddingDropout, AttentionDropout: j.AttentionDropout, ResidualDropout: j.ResidualDropout,
		BOS: or(j.BOS, NoToken), EOS: or(j.EOS, NoToken)}
	c.HeadDim = c.Width / max(c.Heads, 1)
	return c, nil
}

func parseLlama(text []byte, j llamaJSON) (*Config, error) {
	var no struct {
		Scaling json.RawMessage `json:"rope_scaling"`
		Partial *float64        `json:"partial_rotary_factor"`
	}
	if err := errors.Join(json.Unmarshal(text, &j), json.Unmarshal(text, &no)); err != nil {
		return nil, err
	}
	scaled := len(no.Scaling) > 0 && string(no.Scaling) != "null"
	if scaled || j.Rope != nil && j.Rope.Type != "default" && j.Rope.Type != "" || no.Partial != nil && *no.Partial != 1 {
		return nil, fault.Usagef("scaled or partial rotary positions")
	}
	if j.AttentionBias || j.MLPBias {
		return nil, fault.Usagef("biases in a llama model")
	}
	if j.Window != nil && *j.Window < 1 {
		return nil, fault.Usagef("a sliding_window of %d, expected null or at least 1", *j.Window)
	}
	theta := or(j.RopeTheta, 10000)
	if j.Rope != nil {
		theta = or(j.Rope.Theta, theta)
	}
	return &Config{Family: Llama, Vocab: j.Vocab, Width: j.Width, Layers: j.Layers, Heads: j.Heads, KVHeads: or(j.KVHeads, j.Heads),
		HeadDim: or(j.HeadDim, j.Width/max(j.Heads, 1)), FFN: j.FFN, Context: j.Context, Window: or(j.Window, 0), Tied: j.Tied, NormEps: j.NormEps,
		RopeTheta: theta, AttentionDropout: j.AttentionDropout, Activation: j.Activation, BOS: or(j.BOS, NoToken), EOS: or(j.EOS, NoToken)}, nil
}

// JSON is the config.json that transformers reads, with a line feed at the end. The weights beside it are float32.
func (c *Config) JSON() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var v any
	const dtype = "float32"
	if c.Family == GPT2 {
		v = gpt2JSON{Activation: c.Activation, Architectures: []string{"GPT2LMHeadModel"}, AttentionDropout: c.AttentionDropout, BOS: token(c.BOS),
			Dtype: dtype, EmbeddingDropout: c.EmbeddingDropout, EOS: token(c.EOS), NormEps: c.NormEps, ModelType: GPT2, Width: c.Width,
			Heads: c.Heads, FFN: &c.FFN, Layers: c.Layers, Context: c.Context, ResidualDropout: c.ResidualDropout, Tied: c.Tied,
			TorchDtype: dtype, Vocab: c.Vocab}
	} else {
		l := llamaJSON{Architectures: []string{"LlamaForCausalLM"}, AttentionDropout: c.AttentionDropout, BOS: token(c.BOS), Dtype: dtype,
			EOS: token(c.EOS), HeadDim: &c.HeadDim, Activation: c.Activation, Width: c.Width, FFN: c.FFN, Context: c.Context,
			ModelType: Llama, Heads: c.Heads, Layers: c.Layers, KVHeads: &c.KVHeads, NormEps: c.NormEps,
			Rope: &ropeJSON{&c.RopeTheta, "default"}, RopeTheta: &c.RopeTheta, Tied: c.Tied, TorchDtype: dtype, Vocab: c.Vocab}
		if c.Window > 0 {
			l.ModelType, l.Architectures, l.Window = mistral, []string{"MistralForCausalLM"}, &c.Window
		}
		v = l
	}
	out, err := json.MarshalIndent(v, "", "  ")
	return append(out, '\n'), err
}

// WriteConfig writes config.json, whole or not at all.
func WriteConfig(path string, c *Config) error {
	text, err := c.JSON()
	if err != nil {
		return err
	}
	return WriteFile(path, text)
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func token(id int) *int {
	if id == NoToken {
		return nil
	}
	return &id
}
