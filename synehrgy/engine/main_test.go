package engine

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if n := Live(); code == 0 && n != 0 {
		fmt.Fprintf(os.Stderr, "%d objects of the core were not closed\n", n)
		code = 1
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func open(t testing.TB, backend Backend, threads int) *Device {
	d, err := OpenDevice(backend, threads)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func tiny() checkpoint.Config {
	return checkpoint.Config{Family: checkpoint.GPT2, Vocab: 23, Width: 32, Layers: 2, Heads: 2, KVHeads: 2, HeadDim: 16, FFN: 64,
		Context: 32, Tied: true, NormEps: 1e-5, Activation: "gelu_new", BOS: checkpoint.NoToken, EOS: checkpoint.NoToken}
}

func newModel(t testing.TB, d *Device, c checkpoint.Config, fresh Fresh) *Model {
	m, err := NewModel(d, c, fresh)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func newTrainer(t testing.TB, m *Model, o TrainerOptions) *Trainer {
	tr, err := NewTrainer(m, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

func adamw(segments, tokens int) TrainerOptions {
	return TrainerOptions{MaxSegments: segments, MaxTokens: tokens, Seed: 1, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, WeightDecay: 0.1, Clip: 1}
}

// pack puts records end to end; every token but the last of a record predicts the next.
func pack(records [][]int32) *Batch {
	b := &Batch{Offsets: []int32{0}}
	for _, r := range records {
		b.Tokens = append(b.Tokens, r...)
		b.Targets = append(append(b.Targets, r[1:]...), -1)
		b.Offsets = append(b.Offsets, int32(len(b.Tokens)))
	}
	return b
}

// sentence is n tokens of a vocabulary in an order that seed decides.
func sentence(n, vocab int, seed uint32) []int32 {
	out := make([]int32, n)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = int32(seed>>8) % int32(vocab)
	}
	return out
}
