package cli

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file times the parts that a run spends its time in, on inputs made here, so that figures can be compared between
// machines and with other programs. Each prints one result.

// benchOptions is what the tasks of bench share.
type benchOptions struct {
	context, batch, steps  int
	slots, length, repeats int
	patients               int
	width, layers, heads   int
	vocab                  int
	dropout                float64
	profile                bool
	grammar                string
	mask                   bool
}

func (a *app) bench() *cobra.Command {
	o := benchOptions{}
	tasks := map[string]func(context.Context, *run.Environment, *benchOptions) error{
		"train": a.benchTrain, "generate": a.benchGenerate, "attention": a.benchAttention, "gemm": a.benchGEMM, "evaluate": a.benchEvaluate,
	}
	names := []string{"train", "generate", "attention", "gemm", "evaluate"}
	cmd := &cobra.Command{
		Use:   "bench train|generate|attention|gemm|evaluate",
		Short: "Speed on this machine: tokens/s and achieved GFLOP/s",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || tasks[args[0]] == nil {
				return fault.Usagef("bench needs one of train, generate, attention, gemm, evaluate; the nearest is %q", fault.Nearest(fmt.Sprint(args), names))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error { return tasks[args[0]](ctx, env, &o) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.context, "context", 1024, "tokens of a record")
	f.IntVar(&o.batch, "batch", 8, "records of a training batch")
	f.IntVar(&o.steps, "steps", 6, "steps that are timed, after one that is not")
	f.IntVar(&o.slots, "slots", 256, "records decoded together")
	f.IntVar(&o.length, "length", 256, "tokens of a generated record")
	f.IntVar(&o.repeats, "repeats", 5, "repeats of a kernel; the best counts")
	f.IntVar(&o.patients, "patients", 1000, "patients of each cohort of the evaluation")
	f.IntVar(&o.vocab, "vocab", 5115, "tokens of the vocabulary; the defaults are the published shape")
	f.IntVar(&o.width, "width", 384, "width of the model")
	f.IntVar(&o.layers, "layers", 4, "layers of the model")
	f.IntVar(&o.heads, "heads", 4, "attention heads of the model")
	f.StringVar(&o.grammar, "grammar", "any", "what may follow what in a generated record: any (any token, top-k 50), or hospital (visits of covariates, codes, rows)")
	f.BoolVar(&o.mask, "mask", true, "generate under the grammar; false: every token may be drawn, for comparison")
	f.Float64Var(&o.dropout, "dropout", 0.1, "dropout while training")
	f.BoolVar(&o.profile, "profile", false, "train: the time of every op against the ceilings of the machine")
	trainingFlags(cmd)
	return cmd
}

func (o *benchOptions) shape(positions int) checkpoint.Config {
	return checkpoint.Config{
		Family: checkpoint.GPT2, Vocab: o.vocab, Width: o.width, Layers: o.layers, Heads: o.heads, KVHeads: o.heads, HeadDim: o.width / max(o.heads, 1),
		FFN: 4 * o.width, Context: positions, Tied: true, NormEps: 1e-5, Activation: "gelu_new",
		BOS: checkpoint.NoToken, EOS: checkpoint.NoToken,
	}
}

// flopPerToken is what the products of one token cost, forward: 2 for each weight, and 4 width for each earlier position.
func (o *benchOptions) flopPerToken(meanPositions float64) float64 {
	w, l := float64(o.width), float64(o.layers)
	return 2*(l*12*w*w+float64(o.vocab)*w) + 4*l*w*meanPositions
}

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
	line := fmt.Sprintf("%s: %.4g s, %.1f GFLOP/s on %d threads (%s)", task, seconds, flop/seconds/1e9, device.Threads(), about.CPU.ISA)
	if rate, ok := fields["tokens_per_s"]; ok {
		line = fmt.Sprintf("%s, %.0f tokens/s", line, rate)
	}
	a.result("bench", fields, line)
	return nil
}

func (a *app) benchTrain(ctx context.Context, env *run.Environment, o *benchOptions) error {
	device, err := env.Device()
	if err != nil {
		return err
	}
	model, err := engine.NewModel(device, o.shape(o.context), engine.Fresh{Seed: env.Config.Seed, Dropout: o.dropout})
	if err != nil {
		return err
	}
	defer model.Close()
	tokens := o.batch * o.context
	trainer, err := engine.NewTrainer(model, engine.TrainerOptions{
		MaxSegments: o.batch, MaxTokens: tokens, Seed: env.Config.Seed, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Clip: 1,
		Precision: env.Config.Train.Precision, Recompute: env.Config.Train.Recompute,
	})
	if err != nil {
		return err
	}
	defer trainer.Close()
	batch := randomBatch(o, env.Config.Seed)
	best := math.Inf(1)
	for step := range o.steps + 1 {
		if o.profile && step == 1 {
			if err := trainer.Profile(true); err != nil {
				return err
			}
		}
		began := time.Now()
		if _, err := trainer.Accumulate(ctx, batch, 0); err != nil {
			return err
		}
		if _, err := trainer.Apply(3e-4); err != nil {
			return err
		}
		if step > 0 {
			best = min(best, time.Since(began).Seconds())
		}
	}
	if o.profile {
		if err := a.profile(device, trainer, o.steps); err != nil {
			return err
		}
	}
	flop := 3 * float64(tokens) * o.flopPerToken(float64(o.context)/2)
	return a.figure(env, "train", best, flop, map[string]any{
		"shape": o.name(), "context": o.context, "batch": o.batch, "tokens_per_s": float64(tokens) / best,
		"precision": env.Config.Train.Precision, "recompute": env.Config.Train.Recompute,
	})
}

func (o *benchOptions) name() string {
	return fmt.Sprintf("gpt2 d%d l%d h%d v%d", o.width, o.layers, o.heads, o.vocab)
}

func randomBatch(o *benchOptions, seed uint64) *engine.Batch {
	rng := rand.New(rand.NewPCG(seed, 0))
	n := o.batch * o.context
	b := &engine.Batch{Tokens: make([]int32, n), Targets: make([]int32, n), Offsets: make([]int32, o.batch+1)}
	for i := range b.Tokens {
		b.Tokens[i] = rng.Int32N(int32(o.vocab))
	}
	for i := range b.Targets {
		b.Targets[i] = -1
		if (i+1)%o.context != 0 {
			b.Targets[i] = b.Tokens[i+1]
		}
	}
	for s := range b.Offsets {
		b.Offsets[s] = int32(s * o.context)
	}
	return b
}

// benchGrammars are the grammars of benchGenerate, and whether records are drawn with top-k 50, as the peers draw them.
var benchGrammars = map[string]struct {
	tables func(vocab int) *token.Tables
	topK   int
}{"any": {anyToken, 50}, "hospital": {hospitalRecords, 0}}

// benchGenerate decodes records up to a length, sampling included, in rounds of so many steps; a slot whose record ends takes
// the next. Under the grammar that allows every token all records are that long, and a round is one record a slot.
func (a *app) benchGenerate(ctx context.Context, env *run.Environment, o *benchOptions) error {
	device, err := env.Device()
	if err != nil {
		return err
	}
	model, err := engine.NewModel(device, o.shape(max(o.context, o.length)), engine.Fresh{Seed: env.Config.Seed})
	if err != nil {
		return err
	}
	defer model.Close()
	under, ok := benchGrammars[o.grammar]
	if !ok {
		return fault.Usagef("bench has the grammars any and hospital, not %q", o.grammar)
	}
	tables := under.tables(o.vocab)
	if tables == nil {
		return fault.Usagef("a vocabulary of %d has no room for the grammar %s", o.vocab, o.grammar)
	}
	grammar, err := engine.NewGrammar(tables)
	if err != nil {
		return err
	}
	defer grammar.Close()
	generator, err := engine.NewGenerator(model, grammar, engine.GeneratorOptions{
		Slots: o.slots, MaxTokens: o.length + 1, Seed: env.Config.Seed, Temperature: 1, TopK: under.topK, TopP: 1,
		Unmasked: !o.mask, Precision: env.Config.Generate.Precision,
	})
	if err != nil {
		return err
	}
	defer generator.Close()
	if err := generator.Submit(0, math.MaxInt32); err != nil { // more than will ever be begun
		return err
	}
	best, produced := math.Inf(1), 0.0
	for range 3 {
		began := time.Now()
		tokens, err := decodeSteps(ctx, generator, int64(o.length))
		if err != nil {
			return err
		}
		if seconds := time.Since(began).Seconds(); seconds/float64(tokens) < best {
			best, produced = seconds/float64(tokens), float64(tokens)
		}
	}
	return a.figure(env, "generate", best*produced, produced*o.flopPerToken(float64(o.length)/2), map[string]any{
		"shape": o.name(), "slots": o.slots, "length": o.length, "grammar": o.grammar, "mask": o.mask,
		"precision": env.Config.Generate.Precision, "tokens_per_s": 1 / best,
	})
}

// decodeSteps takes so many steps and drops the records; it returns the tokens drawn.
func decodeSteps(ctx context.Context, g *engine.Generator, steps int64) (tokens int64, err error) {
	var record engine.Record
	for steps > 0 {
		stats, err := g.Run(ctx, steps)
		if err != nil {
			return 0, err
		}
		tokens, steps = tokens+stats.Tokens, steps-stats.Steps
		for ok := true; ok; {
			if ok, err = g.Take(&record); err != nil {
				return 0, err
			}
		}
	}
	return tokens, nil
}

func (a *app) benchGEMM(_ context.Context, env *run.Environment, o *benchOptions) error {
	device, err := env.Device()
	if err != nil {
		return err
	}
	w := int64(o.width)
	for _, s := range []struct{ m, n, k int64 }{
		{8192, 3 * w, w}, {8192, w, w}, {8192, 4 * w, w}, {8192, w, 4 * w}, {8192, int64(o.vocab), w}, {256, 4 * w, w}, {64, 4 * w, w},
	} {
		seconds, flop, err := device.Bench(engine.GEMM, s.m, s.n, s.k, 0, o.repeats)
		if err != nil {
			return err
		}
		if err := a.figure(env, "gemm", seconds, flop, map[string]any{"shape": fmt.Sprintf("%dx%dx%d", s.m, s.n, s.k)}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) benchAttention(_ context.Context, env *run.Environment, o *benchOptions) error {
	device, err := env.Device()
	if err != nil {
		return err
	}
	for _, op := range []struct {
		name string
		op   engine.Operation
	}{{"attention forward", engine.AttentionForward}, {"attention backward", engine.AttentionBackward}} {
		tokens, heads, dim := int64(o.batch*o.context), int64(o.heads), o.width/max(o.heads, 1)
		seconds, flop, err := device.Bench(op.op, tokens, int64(o.context), heads, dim, o.repeats)
		if err != nil {
			return err
		}
		fields := map[string]any{"shape": fmt.Sprintf("%d heads of %d", heads, dim), "context": o.context, "tokens_per_s": float64(tokens) / seconds}
		if err := a.figure(env, op.name, seconds, flop, fields); err != nil {
			return err
		}
	}
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
