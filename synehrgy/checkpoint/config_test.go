package checkpoint_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

func gpt2() checkpoint.Config {
	return checkpoint.Config{Family: checkpoint.GPT2, Vocab: 97, Width: 48, Layers: 2, Heads: 3, KVHeads: 3, HeadDim: 16, FFN: 192, Context: 64,
		Tied: true, NormEps: 1e-5, EmbeddingDropout: 0.1, AttentionDropout: 0.2, ResidualDropout: 0.3, Activation: "gelu_new", BOS: 0, EOS: 1}
}

func llama() checkpoint.Config {
	return checkpoint.Config{Family: checkpoint.Llama, Vocab: 101, Width: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 32, FFN: 160, Context: 96,
		NormEps: 1e-6, RopeTheta: 500000, AttentionDropout: 0.1, Activation: "silu", BOS: checkpoint.NoToken, EOS: 2}
}

func windowed() checkpoint.Config {
	c := llama()
	c.Window = 48
	return c
}

func TestConfigsSurviveARoundTrip(t *testing.T) {
	for _, c := range []checkpoint.Config{gpt2(), llama(), windowed()} {
		path := filepath.Join(t.TempDir(), "config.json")
		require.NoError(t, checkpoint.WriteConfig(path, &c))
		got, err := checkpoint.ReadConfig(path)
		require.NoError(t, err)
		require.Equal(t, &c, got)
		require.Equal(t, os.FileMode(0o600), rights(t, path))
	}
}

func TestConfigSaysWhatTransformersExpects(t *testing.T) {
	g, l, w := gpt2(), llama(), windowed()
	for _, c := range []struct {
		config *checkpoint.Config
		want   map[string]any
	}{
		{&g, map[string]any{"architectures": []any{"GPT2LMHeadModel"}, "model_type": "gpt2", "activation_function": "gelu_new", "n_embd": 48.0,
			"n_head": 3.0, "n_layer": 2.0, "n_inner": 192.0, "n_positions": 64.0, "vocab_size": 97.0, "layer_norm_epsilon": 1e-5, "embd_pdrop": 0.1,
			"attn_pdrop": 0.2, "resid_pdrop": 0.3, "tie_word_embeddings": true, "bos_token_id": 0.0, "eos_token_id": 1.0, "dtype": "float32",
			"torch_dtype": "float32"}},
		{&l, map[string]any{"architectures": []any{"LlamaForCausalLM"}, "model_type": "llama", "hidden_act": "silu", "hidden_size": 64.0,
			"num_attention_heads": 4.0, "num_key_value_heads": 2.0, "head_dim": 32.0, "num_hidden_layers": 2.0, "intermediate_size": 160.0,
			"max_position_embeddings": 96.0, "vocab_size": 101.0, "rms_norm_eps": 1e-6, "rope_theta": 500000.0,
			"rope_parameters": map[string]any{"rope_theta": 500000.0, "rope_type": "default"}, "attention_dropout": 0.1, "attention_bias": false,
			"mlp_bias": false, "tie_word_embeddings": false, "bos_token_id": nil, "eos_token_id": 2.0, "dtype": "float32", "torch_dtype": "float32"}},
		{&w, map[string]any{"architectures": []any{"MistralForCausalLM"}, "model_type": "mistral", "sliding_window": 48.0, "hidden_act": "silu",
			"hidden_size": 64.0, "num_attention_heads": 4.0, "num_key_value_heads": 2.0, "head_dim": 32.0, "num_hidden_layers": 2.0,
			"intermediate_size": 160.0, "max_position_embeddings": 96.0, "vocab_size": 101.0, "rms_norm_eps": 1e-6, "rope_theta": 500000.0,
			"rope_parameters": map[string]any{"rope_theta": 500000.0, "rope_type": "default"}, "attention_dropout": 0.1, "attention_bias": false,
			"mlp_bias": false, "tie_word_embeddings": false, "bos_token_id": nil, "eos_token_id": 2.0, "dtype": "float32", "torch_dtype": "float32"}},
	} {
		text, err := c.config.JSON()
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, c.want, got)
	}
}

func TestAbsentKeysMeanWhatTheyMeanInTransformers(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want checkpoint.Config
	}{
		"gpt2": {`{"model_type":"gpt2","vocab_size":97,"n_embd":48,"n_layer":2,"n_head":3,"n_positions":64,"n_inner":null,"n_ctx":64}`,
			checkpoint.Config{Family: checkpoint.GPT2, Vocab: 97, Width: 48, Layers: 2, Heads: 3, KVHeads: 3, HeadDim: 16, FFN: 192, Context: 64, Tied: true,
				NormEps: 1e-5, EmbeddingDropout: 0.1, AttentionDropout: 0.1, ResidualDropout: 0.1, Activation: "gelu_new", BOS: -1, EOS: -1}},
		"llama with the older rotary key": {`{"model_type":"llama","vocab_size":101,"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,
			"intermediate_size":160,"rope_theta":20000.0,"rope_scaling":null}`,
			checkpoint.Config{Family: checkpoint.Llama, Vocab: 101, Width: 64, Layers: 2, Heads: 4, KVHeads: 4, HeadDim: 16, FFN: 160, Context: 2048,
				NormEps: 1e-6, RopeTheta: 20000, Activation: "silu", BOS: -1, EOS: -1}},
		"llama with both rotary keys": {`{"model_type":"llama","vocab_size":101,"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,
			"intermediate_size":160,"rope_theta":1.5,"rope_parameters":{"rope_theta":30000,"rope_type":"default"}}`,
			checkpoint.Config{Family: checkpoint.Llama, Vocab: 101, Width: 64, Layers: 2, Heads: 4, KVHeads: 4, HeadDim: 16, FFN: 160, Context: 2048,
				NormEps: 1e-6, RopeTheta: 30000, Activation: "silu", BOS: -1, EOS: -1}},
		"mistral": {`{"model_type":"mistral","vocab_size":101,"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":16,"intermediate_size":160}`,
			checkpoint.Config{Family: checkpoint.Llama, Vocab: 101, Width: 256, Layers: 2, Heads: 16, KVHeads: 8, HeadDim: 16, FFN: 160,
				Context: 131072, Window: 4096, NormEps: 1e-6, RopeTheta: 10000, Activation: "silu", BOS: -1, EOS: -1}},
		"mistral without a window": {`{"model_type":"mistral","vocab_size":101,"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,
			"intermediate_size":160,"num_key_value_heads":null,"sliding_window":null}`,
			checkpoint.Config{Family: checkpoint.Llama, Vocab: 101, Width: 64, Layers: 2, Heads: 4, KVHeads: 4, HeadDim: 16, FFN: 160,
				Context: 131072, NormEps: 1e-6, RopeTheta: 10000, Activation: "silu", BOS: -1, EOS: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := checkpoint.ReadConfig(write(t, []byte(c.text)))
			require.NoError(t, err)
			require.Equal(t, &c.want, got)
		})
	}
}

func TestAConfigThatWeCannotComputeIsASentence(t *testing.T) {
	const g = `{"model_type":"gpt2","vocab_size":97,"n_embd":48,"n_layer":2,"n_head":3,"n_positions":64`
	const l = `{"model_type":"llama","vocab_size":101,"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":160`
	const m = `{"model_type":"mistral","vocab_size":101,"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":8,"intermediate_size":160`
	for text, words := range map[string]string{
		``:                                    "not JSON",
		`[]`:                                  "JSON array",
		g:                                     "not JSON",
		`{"model_type":"bert"}`:               `model_type "bert"`,
		`{}`:                                  `model_type ""`,
		g + `,"n_layer":"two"}`:               `a JSON string under "n_layer"`,
		g + `,"n_head":0}`:                    "number of heads of a model is 0",
		g + `,"n_head":5}`:                    "divide the width",
		g + `,"n_embd":99999999999}`:          "width of a model is 99999999999",
		g + `,"n_layer":-1}`:                  "number of layers of a model is -1",
		g + `,"activation_function":"relu"}`:  `"relu"`,
		g + `,"attn_pdrop":1}`:                "attention dropout",
		g + `,"bos_token_id":97}`:             "number 97 of a vocabulary of 97",
		g + `,"layer_norm_epsilon":0}`:        "epsilon",
		g + `,"scale_attn_weights":false}`:    "unscaled",
		g + `,"add_cross_attention":true}`:    "cross attention",
		g + `,"quantization_config":{"b":4}}`: "quantized",
		l + `,"num_key_value_heads":3}`:       "3 key/value heads",
		l + `,"head_dim":15}`:                 "even number",
		l + `,"rope_theta":0}`:                "rotary base",
		l + `,"rope_scaling":{"factor":2}}`:   "scaled",
		l + `,"rope_parameters":{"rope_type":"yarn","rope_theta":10000}}`: "scaled",
		l + `,"attention_bias":true}`:                                     "biases",
		l + `,"hidden_act":"gelu"}`:                                       `"gelu"`,
		g + `,"sliding_window":8}`:                                        "sliding_window in a gpt2 model",
		l + `,"sliding_window":8}`:                                        "sliding_window in a llama model",
		m + `,"sliding_window":0}`:                                        "a sliding_window of 0",
		m + `,"sliding_window":-3}`:                                       "a sliding_window of -3",
		m + `,"sliding_window":99999999}`:                                 "the window of a model is 99999999",
	} {
		t.Run(words, func(t *testing.T) {
			path := write(t, []byte(text))
			_, err := checkpoint.ReadConfig(path)
			requireInput(t, err, path, words)
		})
	}
	_, err := checkpoint.ReadConfig(filepath.Join(t.TempDir(), "config.json"))
	require.ErrorContains(t, err, "no such file")
}

func TestAnImpossibleConfigIsNotWritten(t *testing.T) {
	c := llama()
	c.ResidualDropout = 0.1
	path := filepath.Join(t.TempDir(), "config.json")
	err := checkpoint.WriteConfig(path, &c)
	var usage *fault.Usage
	require.ErrorAs(t, err, &usage)
	require.NoFileExists(t, path)
	require.Equal(t, "llama, width 64, 2 layers, 4 heads of 32 (2 for keys and values), feed-forward 160, vocabulary 101, context 96", c.String())
	c = windowed()
	require.Contains(t, c.String(), ", context 96, window 48")
	c.Window = -1
	require.ErrorContains(t, c.Validate(), "the window of a model is -1")
	c = gpt2()
	c.Window = 8
	require.ErrorContains(t, c.Validate(), "a gpt2 model has a window of 8")
}
