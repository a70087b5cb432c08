package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublishedLengthsHaveThePublishedCurve(t *testing.T) {
	o := benchOptions{steps: 50, batch: 20, context: 1 << 20, lengths: "published"}
	lengths, err := o.recordLengths(1)
	require.NoError(t, err)
	require.Len(t, lengths, 1000)
	below, sum, cut := 0, 0, 0
	for _, n := range lengths {
		require.GreaterOrEqual(t, n, leastLength)
		sum += n
		if n < medianLength {
			below++
		}
		cut += min(n, 1024)
	}
	require.Equal(t, 500, below)
	require.InDelta(t, 2000, float64(sum)/1000, 60)        // exp(sigma^2 / 2) x 700 = 2,003
	require.InDelta(t, 0.63, float64(cut)/1000/1024, 0.02) // the rest of a padded row is padding
	o.context = 1024
	again, err := o.recordLengths(1)
	require.NoError(t, err)
	for i, n := range again {
		require.Equal(t, min(lengths[i], 1024), n)
	}
}

func TestPackedBatchesHoldEveryRecordOnce(t *testing.T) {
	lengths := []int{5, 7, 4, 8, 1, 8}
	var seen []int
	for _, b := range packed(lengths, 12, 100, 1) {
		require.LessOrEqual(t, len(b.Tokens), 12)
		require.Len(t, b.Targets, len(b.Tokens))
		for s := range len(b.Offsets) - 1 {
			first, end := b.Offsets[s], b.Offsets[s+1]
			seen = append(seen, int(end-first))
			require.Equal(t, b.Tokens[first+1:end], b.Targets[first:end-1])
			require.EqualValues(t, -1, b.Targets[end-1])
		}
	}
	require.Equal(t, lengths, seen)
}

func TestBenchRefusesWhatItCannotTime(t *testing.T) {
	good := benchOptions{shape: "demo", context: 64, batch: 1, steps: 1, slots: 1, length: 1, repeats: 1, patients: 1}
	o := good
	require.NoError(t, o.complete())
	require.Equal(t, 128, o.width)
	for message, change := range map[string]func(*benchOptions){
		"--shape":                        func(o *benchOptions) { o.shape = "large" },
		"--steps is 0":                   func(o *benchOptions) { o.steps = 0 },
		"--heads is -1":                  func(o *benchOptions) { o.heads = -1 },
		"--context x --batch x --steps ": func(o *benchOptions) { o.context, o.batch = 1<<20, 1<<20 },
	} {
		o := good
		change(&o)
		require.ErrorContains(t, o.complete(), message)
	}
	o.lengths = "long"
	_, err := o.recordLengths(1)
	require.ErrorContains(t, err, "--lengths")
}
