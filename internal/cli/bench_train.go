package cli

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
)

// benchTrain times whole steps: forward, backward, AdamW. A round is steps x batch records of random tokens, packed into
// batches of at most batch x context tokens; only tokens of records count, and there are no others.
func (a *app) benchTrain(ctx context.Context, env *run.Environment, o *benchOptions) error {
	lengths, err := o.recordLengths(env.Config.Seed)
	if err != nil {
		return err
	}
	batches := packed(lengths, o.batch*o.context, o.vocab, env.Config.Seed)
	segments := 0
	for _, b := range batches {
		segments = max(segments, len(b.Offsets)-1)
	}
	device, err := env.Device()
	if err != nil {
		return err
	}
	model, err := engine.NewModel(device, o.model(o.context), engine.Fresh{Seed: env.Config.Seed, Dropout: o.dropout})
	if err != nil {
		return err
	}
	defer model.Close()
	trainer, err := engine.NewTrainer(model, engine.TrainerOptions{
		MaxSegments: segments, MaxTokens: o.batch * o.context, Seed: env.Config.Seed, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Clip: 1,
		Precision: env.Config.Train.Precision, Recompute: env.Config.Train.Recompute,
	})
	if err != nil {
		return err
	}
	defer trainer.Close()
	if err := step(ctx, trainer, batches[0]); err != nil { // allocates, and is not timed
		return err
	}
	if err := trainer.Profile(o.profile); err != nil {
		return err
	}
	tokens, pairs := 0.0, 0.0
	for _, n := range lengths {
		tokens += float64(n)
		pairs += float64(n) * float64(n) / 2
	}
	rounds, err := o.rounds(func() (int64, float64, error) {
		began := time.Now()
		for _, b := range batches {
			if err := step(ctx, trainer, b); err != nil {
				return 0, 0, err
			}
		}
		return int64(tokens), time.Since(began).Seconds(), nil
	})
	if err != nil {
		return err
	}
	if o.profile {
		if err := a.profile(device, trainer, o.repeats*len(batches)); err != nil {
			return err
		}
	}
	return a.figure(env, "train", rounds.seconds, 3*o.flop(tokens, pairs), rounds.fields(map[string]any{
		"shape": o.name(), "context": o.context, "batch": o.batch, "lengths": o.lengths, "steps": len(batches), "dropout": o.dropout,
		"precision": env.Config.Train.Precision, "recompute": env.Config.Train.Recompute,
	}))
}

func step(ctx context.Context, trainer *engine.Trainer, b *engine.Batch) error {
	if _, err := trainer.Accumulate(ctx, b, 0); err != nil {
		return err
	}
	_, err := trainer.Apply(3e-4)
	return err
}

// The published length curve: log-normal, at least leastLength tokens (a mean of about 2,000 before the cut).
const (
	medianLength = 700
	sigmaLength  = 1.45
	leastLength  = 16
)

// recordLengths are the lengths of the records of a round, cut at the context. Of the published curve they are the quantiles
// (i + 1/2) / n in a random order, not draws: a short run then has the share of short records that a long one has.
func (o *benchOptions) recordLengths(seed uint64) ([]int, error) {
	lengths := make([]int, o.steps*o.batch)
	for i := range lengths {
		switch o.lengths {
		case "full":
			lengths[i] = o.context
		case "published":
			z := math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(len(lengths))-1)
			lengths[i] = min(o.context, max(leastLength, int(medianLength*math.Exp(sigmaLength*z))))
		default:
			return nil, fault.Usagef("--lengths is %q, expected full or published", o.lengths)
		}
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(lengths), func(i, j int) { lengths[i], lengths[j] = lengths[j], lengths[i] })
	return lengths, nil
}

// packed lays records of random tokens end to end into batches, whole and in order, as corpus.Loader does.
func packed(lengths []int, most, vocab int, seed uint64) []*engine.Batch {
	rng := rand.New(rand.NewPCG(seed, 0))
	var batches []*engine.Batch
	var b *engine.Batch
	for _, n := range lengths {
		if b == nil || len(b.Tokens)+n > most {
			b = &engine.Batch{Offsets: []int32{0}}
			batches = append(batches, b)
		}
		for i := range n {
			b.Tokens = append(b.Tokens, rng.Int32N(int32(vocab)))
			b.Targets = append(b.Targets, -1)
			if i > 0 {
				b.Targets[len(b.Targets)-2] = b.Tokens[len(b.Tokens)-1]
			}
		}
		b.Offsets = append(b.Offsets, int32(len(b.Tokens)))
	}
	return batches
}
