package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// TestTheCoreAndGoDrawTheSameNumbers: the numbers that the generator draws inside the bins are those that token.Draw draws
// for the same tokens, seed and patient, and every record is one that the machine in Go accepts.
func TestTheCoreAndGoDrawTheSameNumbers(t *testing.T) {
	cohort, err := simulate.Cohort(simulate.Options{Patients: 80, Seed: 5})
	require.NoError(t, err)
	cohort.AssignSplits(1, ehr.DefaultShares)
	vocabulary, err := token.Fit(cohort, token.DefaultConfig())
	require.NoError(t, err)

	device, err := engine.OpenDevice(engine.CPU, 2)
	require.NoError(t, err)
	defer device.Close()
	shape := checkpoint.Config{
		Family: checkpoint.GPT2, Vocab: vocabulary.Size(), Width: 32, Layers: 1, Heads: 2, KVHeads: 2, HeadDim: 16, FFN: 128, Context: 256,
		Tied: true, NormEps: 1e-5, Activation: "gelu_new", BOS: checkpoint.NoToken, EOS: checkpoint.NoToken,
	}
	model, err := engine.NewModel(device, shape, engine.Fresh{Seed: 1})
	require.NoError(t, err)
	defer model.Close()
	grammar, err := engine.NewGrammar(vocabulary.Generation())
	require.NoError(t, err)
	defer grammar.Close()
	const seed, patients = 11, 30
	generator, err := engine.NewGenerator(model, grammar, engine.GeneratorOptions{Slots: 8, MaxTokens: 700, Seed: seed, Temperature: 1, TopP: 1})
	require.NoError(t, err)
	defer generator.Close()
	require.NoError(t, generator.Submit(0, patients))

	machine := vocabulary.Generation().NewMachine()
	numbers, taken, chunked := 0, 0, 0
	for taken < patients {
		_, err := generator.Run(t.Context(), 1000)
		require.NoError(t, err)
		var record engine.Record
		for {
			ok, err := generator.Take(&record)
			require.NoError(t, err)
			if !ok {
				break
			}
			taken++
			if record.Chunks > 1 {
				chunked++
			}
			require.Equal(t, vocabulary.Draw(record.Tokens, seed, uint64(record.Patient)), record.Numbers)
			machine.Reset()
			for _, x := range record.Tokens[1:] {
				require.True(t, machine.Step(x))
			}
			require.True(t, machine.Done())
			for _, n := range record.Numbers {
				if n != token.NoNumber {
					numbers++
				}
			}
		}
	}
	require.Greater(t, numbers, 1000)
	require.Positive(t, chunked, "no record was longer than the context")
}
