package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLearningRateRisesToItsPeakAndFallsToItsEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		Schedule
		step int64
		want float64
	}{
		{"first step of the warm-up", Schedule{Peak: 1, Warmup: 4, Total: 10, Decay: Cosine}, 0, 0.25},
		{"last step of the warm-up", Schedule{Peak: 1, Warmup: 4, Total: 10, Decay: Cosine}, 3, 1},
		{"peak", Schedule{Peak: 2, Warmup: 4, Total: 10, Decay: Linear}, 4, 2},
		{"no warm-up", Schedule{Peak: 3, Total: 10, Decay: Linear}, 0, 3},
		{"half of a cosine", Schedule{Peak: 1, Final: 0.1, Total: 10, Decay: Cosine}, 5, 0.55},
		{"quarter of a cosine", Schedule{Peak: 1, Total: 8, Decay: Cosine}, 2, (1 + math.Sqrt2/2) / 2},
		{"half of a line", Schedule{Peak: 1, Final: 0.5, Total: 10, Decay: Linear}, 5, 0.75},
		{"last step of a line", Schedule{Peak: 1, Total: 10, Decay: Linear}, 9, 0.1},
		{"after the end", Schedule{Peak: 2, Final: 0.25, Total: 10, Decay: Cosine}, 1000, 0.5},
		{"constant", Schedule{Peak: 2, Final: 0.25, Warmup: 1, Total: 10, Decay: Constant}, 9, 2},
		{"only warm-up", Schedule{Peak: 2, Final: 0.5, Warmup: 10, Total: 10, Decay: Linear}, 10, 1},
	} {
		t.Run(c.name, func(t *testing.T) { require.InDelta(t, c.want, c.Rate(c.step), 1e-12) })
	}
}

func TestLearningRateNeverRisesAfterTheWarmup(t *testing.T) {
	for _, decay := range []Decay{Cosine, Linear, Constant} {
		s := Schedule{Peak: 1, Final: 0.1, Warmup: 7, Total: 100, Decay: decay}
		for step := int64(0); step < 120; step++ {
			rate, next := s.Rate(step), s.Rate(step+1)
			require.Positive(t, rate)
			require.LessOrEqual(t, rate, 1.0)
			if step+1 < 7 {
				require.Greater(t, next, rate)
			} else if step >= 7 {
				require.LessOrEqual(t, next, rate)
			}
		}
	}
}
