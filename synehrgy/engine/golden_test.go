package engine

// The core against PyTorch: every folder of golden numbers, on both CPU backends and on the emulation of a GPU, to the bars that
// come with the numbers.

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
)

// A bar is a row of the table in the README.md of the golden numbers: largest |x - golden| / largest |golden| of a tensor.
type bar struct{ output, gradient, stepped float64 }

var bars = map[Backend]bar{
	Ref: {1e-6, 2e-6, 2e-6},
	CPU: {2e-5, 5e-5, 5e-5},
}

var bf16Bar = bar{output: 2e-2, gradient: 5e-2} // on any backend

// golden is one folder: a model and what PyTorch says of it.
type golden struct {
	folder string
	file   *checkpoint.File
	config *checkpoint.Config
	notes  struct {
		Lengths   []int
		Decayed   []string
		Optimizer struct {
			LR          []float64
			Betas       [2]float64
			Eps         float64
			WeightDecay float64 `json:"weight_decay"`
			Clip        float64
		}
	}
	batch Batch
}

// forEachGolden runs test for every folder of golden numbers on both backends of the processor.
func forEachGolden(t *testing.T, test func(t *testing.T, g *golden, d *Device)) {
	forEachGoldenOn(t, []Backend{Ref, CPU}, test)
}

func forEachGoldenOn(t *testing.T, backends []Backend, test func(t *testing.T, g *golden, d *Device)) {
	folder, set := os.LookupEnv("SYNEHRGY_GOLDEN")
	if !set {
		folder = filepath.Join("..", "..", "..", "shared", "golden")
	}
	found, err := filepath.Glob(filepath.Join(folder, "*", "golden.json"))
	require.NoError(t, err)
	switch {
	case len(found) == 0 && set:
		t.Fatalf("no golden numbers in %s, which SYNEHRGY_GOLDEN names", folder)
	case len(found) == 0:
		t.Skipf("%s is missing", folder)
	}
	for _, path := range found {
		for _, backend := range backends {
			t.Run(filepath.Base(filepath.Dir(path))+"/"+string(backend), func(t *testing.T) {
				test(t, readGolden(t, filepath.Dir(path)), open(t, backend, 2))
			})
		}
	}
}

// forEachPrecision is forEachGolden in both precisions, each with its bar, and on the emulation of a GPU in its one.
func forEachPrecision(t *testing.T, test func(t *testing.T, g *golden, d *Device, p Precision, bar bar)) {
	for _, p := range []Precision{FP32, BF16} {
		backends := []Backend{Ref, CPU}
		if p == BF16 && hasEmulation() {
			backends = append(backends, HostGPU)
		}
		t.Run(string(p), func(t *testing.T) {
			forEachGoldenOn(t, backends, func(t *testing.T, g *golden, d *Device) {
				bar := bars[d.Backend()]
				if p == BF16 {
					bar = bf16Bar
				}
				test(t, g, d, p, bar)
			})
		})
	}
}

func readGolden(t *testing.T, folder string) *golden {
	g := &golden{folder: folder}
	text, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &g.notes))
	g.file, err = checkpoint.Open(filepath.Join(folder, "golden.safetensors"))
	require.NoError(t, err)
	t.Cleanup(func() { g.file.Close() })
	g.config, err = checkpoint.ReadConfig(filepath.Join(folder, "config.json"))
	require.NoError(t, err)

	b := &g.batch
	b.Tokens, b.Offsets = g.ints(t, "tokens"), g.ints(t, "offsets")
	require.Len(t, b.Offsets, len(g.notes.Lengths)+1)
	b.Targets = make([]int32, len(b.Tokens))
	for s, n := range g.notes.Lengths {
		last := int(b.Offsets[s]) + n - 1
		require.EqualValues(t, b.Offsets[s+1], last+1)
		copy(b.Targets[b.Offsets[s]:last], b.Tokens[b.Offsets[s]+1:last+1])
		b.Targets[last] = -1
	}
	return g
}

func (g *golden) ints(t *testing.T, name string) []int32 {
	x, err := g.file.I32(name)
	require.NoError(t, err)
	return x
}

func (g *golden) numbers(t *testing.T, name string) []float64 {
	x, err := g.file.F64(name)
	require.NoError(t, err)
	return x
}

func (g *golden) model(t *testing.T, d *Device) *Model {
	m, err := LoadModel(d, g.folder, Fresh{})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func (g *golden) trainer(t *testing.T, d *Device, precision Precision) *Trainer {
	o := g.notes.Optimizer
	return newTrainer(t, g.model(t, d), TrainerOptions{
		MaxSegments: len(g.notes.Lengths), MaxTokens: len(g.batch.Tokens), Beta1: o.Betas[0], Beta2: o.Betas[1],
		Epsilon: o.Eps, WeightDecay: o.WeightDecay, Clip: o.Clip, Precision: precision,
	})
}

// near requires that x is golden to a bar.
func near(t *testing.T, name string, x, golden []float64, bar float64) {
	t.Helper()
	require.Len(t, x, len(golden), name)
	worst, largest := 0.0, 0.0
	for i := range x {
		if math.IsNaN(x[i]) {
			t.Fatalf("%s: element %d is not a number", name, i)
		}
		worst, largest = max(worst, math.Abs(x[i]-golden[i])), max(largest, math.Abs(golden[i]))
	}
	if worst > bar*largest {
		t.Errorf("%s is off by %.3g of its largest element, the bar is %g", name, worst/largest, bar)
	}
}

func TestGoldenLogitsAndLosses(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, g *golden, d *Device, p Precision, bar bar) {
		tr := g.trainer(t, d, p)
		logits := make([]float64, len(g.batch.Tokens)*g.config.Vocab)
		require.NoError(t, tr.Logits(t.Context(), &g.batch, logits))
		near(t, "logits", logits, g.numbers(t, "logits"), bar.output)
		nll := make([]float64, len(g.batch.Tokens))
		require.NoError(t, tr.Score(t.Context(), &g.batch, nll))
		near(t, "nll", nll, g.numbers(t, "nll"), bar.output)
	})
}

func TestGoldenGradients(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, g *golden, d *Device, p Precision, bar bar) {
		requireGradients(t, g, g.trainer(t, d, p), bar, "loss", "grad.")
	})
}

func TestGoldenSoftGradients(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, g *golden, d *Device, p Precision, bar bar) {
		tr := g.trainer(t, d, p)
		wide := g.numbers(t, "soft_weight")
		weight := make([]float32, len(wide))
		for i, w := range wide {
			weight[i] = float32(w)
		}
		require.NoError(t, tr.SoftTargets(g.ints(t, "soft_index"), weight))
		g.batch.SoftRow = g.ints(t, "soft_row")
		requireGradients(t, g, tr, bar, "soft_loss", "soft_grad.")
	})
}

func requireGradients(t *testing.T, g *golden, tr *Trainer, bar bar, loss, prefix string) {
	got, err := tr.Accumulate(t.Context(), &g.batch, 0)
	require.NoError(t, err)
	near(t, loss, []float64{got.Sum / float64(got.Targets)}, g.numbers(t, loss), bar.output)
	for i, tensor := range tr.Model().Tensors() {
		gradient := make([]float64, tensor.Count)
		require.NoError(t, tr.ReadF64(Gradient, i, gradient))
		near(t, prefix+tensor.Name, gradient, g.numbers(t, prefix+tensor.Name), bar.gradient)
	}
}

func TestGoldenSteps(t *testing.T) {
	forEachGolden(t, func(t *testing.T, g *golden, d *Device) {
		tr, bar := g.trainer(t, d, FP32), bars[d.Backend()]
		slack := newSlack(t, g, tr, bar.gradient)
		var losses, norms []float64
		for i, lr := range g.notes.Optimizer.LR {
			loss, err := tr.Accumulate(t.Context(), &g.batch, 0)
			require.NoError(t, err)
			update, err := tr.Apply(lr)
			require.NoError(t, err)
			require.False(t, update.Skipped)
			require.EqualValues(t, i+1, update.Step)
			losses, norms = append(losses, loss.Sum/float64(loss.Targets)), append(norms, update.GradNorm)
			slack.add(t, tr, lr)
		}
		near(t, "step_loss", losses, g.numbers(t, "step_loss"), bar.stepped)
		near(t, "step_norm", norms, g.numbers(t, "step_norm"), bar.stepped)
		decayed := map[string]bool{}
		for _, name := range g.notes.Decayed {
			decayed[name] = true
		}
		for i, tensor := range tr.Model().Tensors() {
			require.Equal(t, decayed[tensor.Name], tensor.Decay, tensor.Name)
			weights := make([]float64, tensor.Count)
			require.NoError(t, tr.Model().ReadF64(i, weights))
			nearWithSlack(t, "step3."+tensor.Name, weights, g.numbers(t, "step3."+tensor.Name), bar.stepped, slack.of[i])
		}
	})
}

// slack is what AdamW makes of errors of the gradient. Its update of a weight,
//
//	u = m / (sqrt(v) + eps)   of bias-corrected moments m and v of the gradient g,
//
// does not depend on the size of g, only on its direction, so where a gradient is near eps an error within the bar of
// gradients turns the update around: three elements in 65,536 miss the bar of stepped weights in single precision for this
// reason alone (and, of the Llama folders, in double precision too, since transformers computes RMSNorm in single precision).
// An error d of every gradient changes u by at most 3 d / (sqrt(v) + eps): m changes by d, sqrt(v) by d, and |m| < 2 sqrt(v).
type slack struct {
	options struct{ beta2, eps float64 }
	d       []float64   // [tensors] allowed error of the clipped gradient
	of      [][]float64 // [tensors][elements] allowed error of the weight so far
	step    float64
}

func newSlack(t *testing.T, g *golden, tr *Trainer, bar float64) *slack {
	s := &slack{}
	s.options.beta2, s.options.eps = g.notes.Optimizer.Betas[1], g.notes.Optimizer.Eps
	clipped := min(1, g.notes.Optimizer.Clip/g.numbers(t, "step_norm")[0])
	for _, tensor := range tr.Model().Tensors() {
		largest := 0.0
		for _, x := range g.numbers(t, "grad."+tensor.Name) {
			largest = max(largest, math.Abs(x))
		}
		s.d = append(s.d, bar*largest*clipped)
		s.of = append(s.of, make([]float64, tensor.Count))
	}
	return s
}

// add accounts for a step that was just taken.
func (s *slack) add(t *testing.T, tr *Trainer, lr float64) {
	s.step++
	for i := range s.of {
		v := make([]float64, len(s.of[i]))
		require.NoError(t, tr.ReadF64(Moment2, i, v))
		for j := range v {
			root := math.Sqrt(v[j] / (1 - math.Pow(s.options.beta2, s.step)))
			s.of[i][j] += lr * 3 * s.d[i] / (root + s.options.eps)
		}
	}
}

// nearWithSlack requires that every element is golden to a bar and its slack, and that hardly any needs the slack.
func nearWithSlack(t *testing.T, name string, x, golden []float64, bar float64, slack []float64) {
	t.Helper()
	require.Len(t, x, len(golden), name)
	largest := 0.0
	for _, g := range golden {
		largest = max(largest, math.Abs(g))
	}
	needed := 0
	for i := range x {
		off := math.Abs(x[i] - golden[i])
		if !(off <= bar*largest+slack[i]) { // not a number is too far off as well
			t.Errorf("%s: element %d is off by %.3g of the largest, the bar is %g and its slack %.3g", name, i, off/largest, bar, slack[i]/largest)
			return
		}
		if off > bar*largest {
			needed++
		}
	}
	if needed > 1+len(x)/4096 {
		t.Errorf("%s: %d of %d elements miss the bar of %g", name, needed, len(x), bar)
	}
}

func TestGoldenGreedyContinuation(t *testing.T) {
	forEachGolden(t, func(t *testing.T, g *golden, d *Device) {
		want := g.ints(t, "next_greedy")
		records := make([][]int32, len(g.notes.Lengths))
		for s := range records {
			records[s] = append([]int32{}, g.batch.Tokens[g.batch.Offsets[s]:g.batch.Offsets[s+1]]...)
		}
		steps := len(want) / len(records)
		tr := newTrainer(t, g.model(t, d), TrainerOptions{
			MaxSegments: len(records), MaxTokens: len(g.batch.Tokens) + steps*len(records), Inference: true,
		})
		for step := range steps {
			b := pack(records)
			logits := make([]float64, len(b.Tokens)*g.config.Vocab)
			require.NoError(t, tr.Logits(t.Context(), b, logits))
			for s := range records {
				expected := want[s*steps+step]
				if len(records[s]) >= g.config.Context { // the context is full
					require.EqualValues(t, -1, expected)
					continue
				}
				last := int(b.Offsets[s+1]) - 1
				next := argmax(logits[last*g.config.Vocab : (last+1)*g.config.Vocab])
				require.EqualValues(t, expected, next, fmt.Sprintf("record %d, token %d", s, step))
				records[s] = append(records[s], int32(next))
			}
		}
	})
}

func argmax(x []float64) int {
	best := 0
	for i := range x {
		if x[i] > x[best] {
			best = i
		}
	}
	return best
}

// TestGoldenWeightsSurviveARoundTrip holds that what transformers wrote, and we read and write, are the same numbers.
func TestGoldenWeightsSurviveARoundTrip(t *testing.T) {
	forEachGolden(t, func(t *testing.T, g *golden, d *Device) {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		require.NoError(t, g.model(t, d).WriteWeights(path, map[string]string{"format": "pt"}))
		theirs, err := checkpoint.Open(filepath.Join(g.folder, "model.safetensors"))
		require.NoError(t, err)
		defer theirs.Close()
		ours, err := checkpoint.Open(path)
		require.NoError(t, err)
		defer ours.Close()
		require.ElementsMatch(t, theirs.Tensors(), ours.Tensors())
		for _, tensor := range theirs.Tensors() {
			want, err := theirs.F32(tensor.Name)
			require.NoError(t, err)
			got, err := ours.F32(tensor.Name)
			require.NoError(t, err)
			require.Equal(t, want, got, tensor.Name)
		}
	})
}
