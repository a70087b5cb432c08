package engine

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// TestThreadsDoNotChangeALoss holds for losses, gradients and weights, to the bit.
func TestThreadsDoNotChangeALoss(t *testing.T) {
	type outcome struct {
		losses  []float64
		weights [][]float32
	}
	var first *outcome
	for threads := 1; threads <= 3; threads++ {
		m := newModel(t, open(t, CPU, threads), tiny(), Fresh{Seed: 5, Dropout: 0.2})
		tr := newTrainer(t, m, adamw(3, 96))
		var o outcome
		for range 4 {
			loss, err := tr.Accumulate(t.Context(), pack([][]int32{sentence(30, 23, 1), sentence(1, 23, 2), sentence(32, 23, 3)}), 0)
			require.NoError(t, err)
			o.losses = append(o.losses, loss.Sum)
			_, err = tr.Apply(1e-2)
			require.NoError(t, err)
		}
		for i, tensor := range m.Tensors() {
			w := make([]float32, tensor.Count)
			require.NoError(t, m.ReadF32(i, w))
			o.weights = append(o.weights, w)
		}
		if first == nil {
			first = &o
		}
		require.Equal(t, first, &o, "%d threads", threads)
	}
}

// TestAdamWFollowsItsFormula works out three steps in Go from the gradients that the core had, with settings that are
// nobody's defaults.
func TestAdamWFollowsItsFormula(t *testing.T) {
	m := newModel(t, open(t, Ref, 1), tiny(), Fresh{Seed: 5})
	o := TrainerOptions{MaxSegments: 2, MaxTokens: 64, Beta1: 0.8, Beta2: 0.7, Epsilon: 1e-3, WeightDecay: 0.3, Clip: 0.25}
	tr := newTrainer(t, m, o)
	read := func(to func(int, []float64) error) (out [][]float64) {
		for i, tensor := range m.Tensors() {
			x := make([]float64, tensor.Count)
			require.NoError(t, to(i, x))
			out = append(out, x)
		}
		return out
	}
	want := read(m.ReadF64)
	first, second := read(m.ReadF64), read(m.ReadF64) // moments, of the same sizes
	for i := range first {
		clear(first[i])
		clear(second[i])
	}
	for step, lr := range []float64{0.1, 0.05, 0.2} {
		_, err := tr.Accumulate(t.Context(), pack([][]int32{sentence(30, 23, 1), sentence(12, 23, 2)}), 0)
		require.NoError(t, err)
		gradients, square := read(func(i int, x []float64) error { return tr.ReadF64(Gradient, i, x) }), 0.0
		for _, g := range gradients {
			for _, x := range g {
				square += x * x
			}
		}
		norm := math.Sqrt(square)
		update, err := tr.Apply(lr)
		require.NoError(t, err)
		require.InEpsilon(t, norm, update.GradNorm, 1e-9)
		require.Greater(t, norm, o.Clip, "nothing to clip")
		for i, tensor := range m.Tensors() {
			decay := 0.0
			if tensor.Decay {
				decay = o.WeightDecay
			}
			for j, g := range gradients[i] {
				g *= o.Clip / (norm + 1e-6)
				first[i][j] = o.Beta1*first[i][j] + (1-o.Beta1)*g
				second[i][j] = o.Beta2*second[i][j] + (1-o.Beta2)*g*g
				mean := first[i][j] / (1 - math.Pow(o.Beta1, float64(step+1)))
				root := math.Sqrt(second[i][j] / (1 - math.Pow(o.Beta2, float64(step+1))))
				want[i][j] -= lr*decay*want[i][j] + lr*mean/(root+o.Epsilon)
			}
		}
	}
	for i, got := range read(m.ReadF64) {
		require.InDeltaSlice(t, want[i], got, 1e-9, m.Tensors()[i].Name)
	}
}

func TestADeviceHasTheThreadsItWasAskedFor(t *testing.T) {
	require.Equal(t, 3, open(t, CPU, 3).Threads())
	require.Positive(t, open(t, CPU, 0).Threads())
	_, err := OpenDevice(CPU, -1)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = OpenDevice("abacus", 1)
	var usage *fault.Usage
	require.ErrorAs(t, err, &usage)
}

func TestDescriptionHoldsWhatADoctorAsks(t *testing.T) {
	d, err := Describe()
	require.NoError(t, err)
	require.NotEmpty(t, d.Version)
	require.Contains(t, d.Backends, string(CPU))
	require.Contains(t, d.Backends, string(Ref))
	require.NotEmpty(t, d.CPU.Name)
	require.NotEmpty(t, d.CPU.ISA)
	require.NotEmpty(t, d.GEMM)
	require.NotEmpty(t, d.Boost)
	require.NotEmpty(t, d.CUDA)
	require.NotEmpty(t, d.HostGPU)
	require.Equal(t, d.CUDA, d.GPU(CUDA))
	require.Empty(t, d.GPU(CPU))
	require.Positive(t, d.Threads)
}

func TestAPrecisionIsThatOfItsBackend(t *testing.T) {
	for _, c := range []struct {
		asked     Precision
		backend   Backend
		precision Precision // "": refused
	}{
		{"", CPU, FP32}, {FP32, CPU, FP32}, {BF16, CPU, BF16}, {INT8, CPU, INT8}, {"", Ref, FP32}, {BF16, Ref, BF16},
		{"", CUDA, BF16}, {BF16, CUDA, BF16}, {FP32, CUDA, ""}, {INT8, CUDA, ""}, {"", HostGPU, BF16}, {FP32, HostGPU, ""},
	} {
		got, err := c.asked.On(c.backend)
		if c.precision != "" {
			require.NoError(t, err)
		} else {
			var usage *fault.Usage
			require.ErrorAs(t, err, &usage)
			require.ErrorContains(t, err, string(c.asked))
		}
		require.Equal(t, c.precision, got, "%q on %s", c.asked, c.backend)
	}
}

// hasEmulation tells whether the plugin of the emulation lies beside the library.
func hasEmulation() bool {
	_, err := os.Stat("../../build/lib/libsynehrgy_hostgpu.so") // asked so that another plugin is another test
	return err == nil
}

// TestTheEmulationOfAGPUIsADevice opens it beside the library; docs/cuda.md says what it is.
func TestTheEmulationOfAGPUIsADevice(t *testing.T) {
	if !hasEmulation() {
		t.Skip("no plugin in this tree")
	}
	d := open(t, HostGPU, 2)
	require.Equal(t, HostGPU, d.Backend())
	require.Equal(t, 2, d.Threads())
	about, err := Describe()
	require.NoError(t, err)
	require.Contains(t, about.Backends, string(HostGPU))
	require.Contains(t, about.GPU(HostGPU), "emulation")
	_, err = d.EstimateTraining(tiny(), TrainerOptions{MaxSegments: 1, MaxTokens: 32, Precision: FP32})
	require.ErrorContains(t, err, `precision is "fp32", but the device hostgpu computes in "bf16" alone`)
	_, _, err = d.Bench(GEMM, 8, 8, 8, 0, 1)
	require.ErrorIs(t, err, ErrUnsupported)
	distance, index, err := NewNeighbours(d).Nearest(t.Context(), []float32{1, 5}, []float32{4, 0, 2}, 1, 1, false)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 1}, distance)
	require.Equal(t, []int32{1, 0}, index)
}

func TestAnEstimateComesBeforeTheMemory(t *testing.T) {
	d := open(t, CPU, 1)
	small, err := d.EstimateTraining(tiny(), adamw(4, 64))
	require.NoError(t, err)
	m := newModel(t, d, tiny(), Fresh{})
	require.GreaterOrEqual(t, small.Parameters, 4*m.Parameters())
	require.GreaterOrEqual(t, small.Moments, 8*m.Parameters())
	require.Positive(t, small.Activations)
	require.Equal(t, small.Total, small.Parameters+small.Gradients+small.Moments+small.Activations+small.Workspace+small.KVCache)
	large, err := d.EstimateTraining(tiny(), adamw(4, 640))
	require.NoError(t, err)
	require.Greater(t, large.Activations, small.Activations)
	score, err := d.EstimateTraining(tiny(), TrainerOptions{MaxSegments: 4, MaxTokens: 64, Inference: true})
	require.NoError(t, err)
	require.Zero(t, score.Moments+score.Gradients)
	draw, err := d.EstimateGeneration(tiny(), nil, GeneratorOptions{Slots: 4, MaxTokens: 100, Temperature: 1, TopP: 1})
	require.NoError(t, err)
	require.Positive(t, draw.KVCache)
}

func TestAModelThatDoesNotFitIsOutOfMemory(t *testing.T) {
	c := tiny()
	c.Vocab, c.Width, c.Layers, c.Heads, c.KVHeads, c.HeadDim, c.FFN = 1<<20, 1<<16, 1024, 512, 512, 128, 1<<18
	d := open(t, CPU, 1)
	_, err := NewModel(d, c, Fresh{})
	require.ErrorIs(t, err, ErrOutOfMemory)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Greater(t, e.Wanted, int64(1)<<40)
}

// TestWeightsOfAnotherShapeAreRefused holds for a missing tensor, another shape and half a file.
func TestWeightsOfAnotherShapeAreRefused(t *testing.T) {
	d := open(t, CPU, 1)
	path := filepath.Join(t.TempDir(), WeightsFile)
	require.NoError(t, newModel(t, d, tiny(), Fresh{Seed: 3}).WriteWeights(path, nil))
	same := newModel(t, d, tiny(), Fresh{Seed: 4})
	require.NoError(t, same.ReadWeights(path))
	wider, deeper := tiny(), tiny()
	wider.FFN, deeper.Layers = 128, 3
	for _, c := range []struct {
		name string
		m    *Model
	}{{"wider", newModel(t, d, wider, Fresh{})}, {"deeper", newModel(t, d, deeper, Fresh{})}} {
		var input *fault.Input
		require.ErrorAs(t, c.m.ReadWeights(path), &input, c.name)
		require.Equal(t, path, input.File)
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-4], 0o600))
	var input *fault.Input
	require.ErrorAs(t, same.ReadWeights(path), &input)
}

// TestNeighboursAreTheNearest compares with a search in double precision, with ties and copies among the rows.
func TestNeighboursAreTheNearest(t *testing.T) {
	const columns, k = 7, 5
	random := rand.New(rand.NewPCG(1, 2))
	rows := func(n int) []float32 {
		x := make([]float32, n*columns)
		for i := range x {
			x[i] = float32(random.IntN(4)) // few values, so that distances are exact and ties many
		}
		return x
	}
	query, base := rows(50), rows(80)
	n := NewNeighbours(open(t, CPU, 2))
	for _, self := range []bool{false, true} {
		q := query
		if self {
			q = base
		}
		distance, index, err := n.Nearest(t.Context(), q, base, columns, k, self)
		require.NoError(t, err)
		for i := range len(q) / columns {
			wantDistance, wantIndex := nearest(q[i*columns:(i+1)*columns], base, columns, k, i, self)
			require.Equal(t, wantIndex, index[i*k:(i+1)*k])
			require.Equal(t, wantDistance, distance[i*k:(i+1)*k])
		}
	}
	distance, index, err := n.Nearest(t.Context(), query[:columns], base[:2*columns], columns, 3, false)
	require.NoError(t, err)
	require.EqualValues(t, -1, index[2])
	require.True(t, math.IsInf(float64(distance[2]), 1))
	_, _, err = n.Nearest(t.Context(), query[:columns+1], base, columns, 1, false)
	require.ErrorIs(t, err, ErrInvalid)
}

func nearest(q, base []float32, columns, k, self int, exclude bool) (distance []float32, index []int32) {
	type pair struct {
		d float64
		i int
	}
	var all []pair
	for i := range len(base) / columns {
		if exclude && i == self {
			continue
		}
		d := 0.0
		for c := range columns {
			x := float64(q[c]) - float64(base[i*columns+c])
			d += x * x
		}
		all = append(all, pair{d, i})
	}
	slices.SortStableFunc(all, func(a, b pair) int {
		switch {
		case a.d < b.d:
			return -1
		case a.d > b.d:
			return 1
		}
		return 0
	})
	for _, p := range all[:k] {
		distance, index = append(distance, float32(p.d)), append(index, int32(p.i))
	}
	return distance, index
}

// TestTreesLearnARuleWithMissingValues holds that they rank by a rule, miss nothing where the value is missing, and give the
// same bits twice.
func TestTreesLearnARuleWithMissingValues(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const columns = 4
	draw := func(n int) (x, y []float32) {
		for range n {
			row := make([]float32, columns)
			for c := range row {
				row[c] = float32(random.NormFloat64())
			}
			class := float32(0)
			if row[0]+row[1] > 0 {
				class = 1
			}
			if random.IntN(10) == 0 {
				row[2] = float32(math.NaN())
			}
			x, y = append(x, row...), append(y, class)
		}
		return x, y
	}
	train, y := draw(600)
	test, truth := draw(300)
	trees := NewTrees(1)
	p, err := trees.FitPredict(t.Context(), train, columns, y, test, 7)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	right := 0
	for i := range p {
		if (p[i] > 0.5) == (truth[i] == 1) {
			right++
		}
	}
	require.Greater(t, right, 270)
	again, err := trees.FitPredict(t.Context(), train, columns, y, test, 7)
	require.NoError(t, err)
	require.Equal(t, p, again)
	_, err = trees.FitPredict(t.Context(), train[1:], columns, y, test, 7)
	require.ErrorIs(t, err, ErrInvalid)
}
