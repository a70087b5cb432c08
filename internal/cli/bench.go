package cli

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
)

// bench times the parts that a run spends its time in, on inputs made here, so that figures can be compared between machines
// and with other programs. Each task prints its results as lines or, with --json, as objects; bench_train.go,
// bench_generate.go and bench_kernels.go hold the tasks.

// benchOptions is what the tasks of bench share.
type benchOptions struct {
	context, batch, steps  int
	slots, length, repeats int
	patients               int
	shape                  string // of shapes; the four sizes below replace parts of it
	width, layers, heads   int
	vocab                  int
	lengths                string
	dropout                float64
	profile                bool
	grammar                string
	mask                   bool
}

// shapes are models by name: the published one, and the one of `synehrgy demo`.
var shapes = map[string]struct{ width, layers, heads, vocab int }{
	"reference": {384, 4, 4, 5115},
	"demo":      {128, 3, 4, 939},
}

var benchTasks = []string{"train", "generate", "attention", "gemm", "evaluate"}

func (a *app) bench() *cobra.Command {
	o := benchOptions{}
	tasks := map[string]func(context.Context, *run.Environment, *benchOptions) error{
		"train": a.benchTrain, "generate": a.benchGenerate, "attention": a.benchAttention, "gemm": a.benchGEMM, "evaluate": a.benchEvaluate,
	}
	cmd := &cobra.Command{
		Use:   "bench train|generate|attention|gemm|evaluate",
		Short: "Speed on this machine: tokens/s and achieved GFLOP/s",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || tasks[args[0]] == nil {
				return fault.Usagef("bench needs one of train, generate, attention, gemm, evaluate; the nearest is %q", fault.Nearest(fmt.Sprint(args), benchTasks))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error { return tasks[args[0]](ctx, env, &o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.shape, "shape", "reference", "reference (the published model) or demo (that of synehrgy demo)")
	f.IntVar(&o.width, "width", 0, "width of the model, 0 for that of the shape")
	f.IntVar(&o.layers, "layers", 0, "layers of the model, 0 for those of the shape")
	f.IntVar(&o.heads, "heads", 0, "attention heads of the model, 0 for those of the shape")
	f.IntVar(&o.vocab, "vocab", 0, "tokens of the vocabulary, 0 for those of the shape")
	f.IntVar(&o.context, "context", 1024, "tokens of the longest record")
	f.IntVar(&o.batch, "batch", 8, "a training batch holds this many times the context")
	f.StringVar(&o.lengths, "lengths", "full", "of the records to train on: full, or published (log-normal, median 700, cut at the context)")
	f.IntVar(&o.steps, "steps", 6, "steps of a round of training, or what their records take when they are packed")
	f.IntVar(&o.slots, "slots", 256, "records decoded together")
	f.IntVar(&o.length, "length", 256, "tokens of a generated record")
	f.IntVar(&o.repeats, "repeats", 3, "rounds that are timed; the best counts")
	f.IntVar(&o.patients, "patients", 1000, "patients of each cohort of the evaluation")
	f.Float64Var(&o.dropout, "dropout", 0.1, "dropout while training")
	f.BoolVar(&o.profile, "profile", false, "train: the time of every op against the ceilings of the machine")
	f.StringVar(&o.grammar, "grammar", "any", "of a generated record: any (any token, top-k 50), or hospital (visits of covariates, codes, rows)")
	f.BoolVar(&o.mask, "mask", true, "generate under the grammar; false: every token may be drawn, for comparison")
	trainingFlags(cmd)
	decodingFlags(cmd)
	return cmd
}

// mostBenchTokens bounds what bench makes up, so that a slip in a flag is a sentence and not a full memory.
const mostBenchTokens = 1 << 24

// complete fills in the shape and refuses what cannot be timed.
func (o *benchOptions) complete() error {
	shape, ok := shapes[o.shape]
	if !ok {
		return fault.Usagef("--shape is %q, expected %q or %q", o.shape, "reference", "demo")
	}
	for size, of := range map[*int]int{&o.width: shape.width, &o.layers: shape.layers, &o.heads: shape.heads, &o.vocab: shape.vocab} {
		if *size == 0 {
			*size = of
		}
	}
	for _, size := range []struct {
		name string
		have int
	}{
		{"width", o.width}, {"layers", o.layers}, {"heads", o.heads}, {"vocab", o.vocab}, {"context", o.context}, {"batch", o.batch},
		{"steps", o.steps}, {"slots", o.slots}, {"length", o.length}, {"repeats", o.repeats}, {"patients", o.patients},
	} {
		if size.have < 1 || size.have > mostBenchTokens {
			return fault.Usagef("--%s is %d, expected 1 to %d", size.name, size.have, mostBenchTokens)
		}
	}
	if tokens := float64(o.context) * float64(o.batch) * float64(o.steps); tokens > mostBenchTokens {
		return fault.Usagef("--context x --batch x --steps is %.0f tokens, expected at most %d", tokens, mostBenchTokens)
	}
	return nil
}

// model is the configuration of a network of the shape for so many positions.
func (o *benchOptions) model(positions int) checkpoint.Config {
	return checkpoint.Config{
		Family: checkpoint.GPT2, Vocab: o.vocab, Width: o.width, Layers: o.layers, Heads: o.heads, KVHeads: o.heads, HeadDim: o.width / o.heads,
		FFN: 4 * o.width, Context: positions, Tied: true, NormEps: 1e-5, Activation: "gelu_new",
		BOS: checkpoint.NoToken, EOS: checkpoint.NoToken,
	}
}

func (o *benchOptions) name() string {
	return fmt.Sprintf("gpt2 d%d l%d h%d v%d", o.width, o.layers, o.heads, o.vocab)
}

// flop is what the forward pass costs: 2 for each weight and token, 4 x width for each pair of a position and an earlier one
// of its record, in each layer.
func (o *benchOptions) flop(tokens, pairs float64) float64 {
	w, l := float64(o.width), float64(o.layers)
	return 2*(l*12*w*w+float64(o.vocab)*w)*tokens + 4*l*w*pairs
}

// timings is the best of several rounds.
type timings struct {
	seconds float64
	tokens  int64
	rates   []float64 // tokens/s, ascending
}

// rounds repeats a round, which returns its tokens and seconds.
func (o *benchOptions) rounds(round func() (tokens int64, seconds float64, err error)) (timings, error) {
	var t timings
	for range o.repeats {
		tokens, seconds, err := round()
		if err != nil {
			return t, err
		}
		rate := float64(tokens) / seconds
		if len(t.rates) == 0 || rate > t.rates[len(t.rates)-1] {
			t.seconds, t.tokens = seconds, tokens
		}
		i, _ := slices.BinarySearch(t.rates, rate)
		t.rates = slices.Insert(t.rates, i, rate)
	}
	return t, nil
}

// fields adds the rates to the fields of a result.
func (t *timings) fields(more map[string]any) map[string]any {
	fields := map[string]any{
		"tokens": t.tokens, "repeats": len(t.rates), "tokens_per_s": t.rates[len(t.rates)-1], "tokens_per_s_median": t.rates[len(t.rates)/2],
	}
	maps.Copy(fields, more)
	return fields
}

// figure prints one result.
func (a *app) figure(env *run.Environment, task string, seconds, flop float64, fields map[string]any) error {
	about, err := engine.Describe()
	if err != nil {
		return err
	}
	device, err := env.Device()
	if err != nil {
		return err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	if _, ok := fields["precision"]; !ok {
		fields["precision"] = engine.FP32
	}
	fields["task"], fields["seconds"], fields["gflops"] = task, seconds, math.Round(flop/seconds/1e7)/100
	fields["threads"], fields["isa"], fields["cpu"] = device.Threads(), about.CPU.ISA, about.CPU.Name
	fields["peak_rss"] = usage.Maxrss * 1024
	on := fmt.Sprintf("%d threads (%s)", device.Threads(), about.CPU.ISA)
	if b := device.Backend(); b.GPU() {
		on, fields["gpu"] = about.GPU(b), about.GPU(b)
	}
	line := fmt.Sprintf("%s: %.4g s, %.1f GFLOP/s on %s", task, seconds, flop/seconds/1e9, on)
	if rate, ok := fields["tokens_per_s"]; ok {
		line = fmt.Sprintf("%s, %.0f tokens/s", line, rate)
	}
	a.result("bench", fields, line)
	return nil
}

// benchEvaluate judges one simulated cohort against another.
func (a *app) benchEvaluate(ctx context.Context, env *run.Environment, o *benchOptions) error {
	began := time.Now()
	if err := run.BenchEvaluate(ctx, env, o.patients); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	a.result("bench", map[string]any{"task": "evaluate", "patients": o.patients, "seconds": seconds, "bootstrap": env.Config.Evaluate.Bootstrap},
		fmt.Sprintf("evaluate: %.4g s for %d patients a cohort, all systems, %d resamples", seconds, o.patients, env.Config.Evaluate.Bootstrap))
	return nil
}
