package cli

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// benchGrammars are the grammars of benchGenerate, and whether records are drawn with top-k 50, as the peers draw them.
var benchGrammars = map[string]struct {
	tables func(vocab int) *token.Tables
	topK   int
}{"any": {anyToken, 50}, "hospital": {hospitalRecords, 0}}

// benchGenerate decodes records up to a length, sampling included. A round is as many steps as the longest record, in which a
// slot whose record ends takes the next; under the grammar that allows every token it is one record a slot.
func (a *app) benchGenerate(ctx context.Context, env *run.Environment, o *benchOptions) error {
	device, err := env.Device()
	if err != nil {
		return err
	}
	model, err := engine.NewModel(device, o.model(max(o.context, o.length)), engine.Fresh{Seed: env.Config.Seed})
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
		Unmasked: !o.mask, Precision: env.Config.Generate.Precision, Cache: env.Config.Generate.KVCache,
	})
	if err != nil {
		return err
	}
	defer generator.Close()
	if err := generator.Submit(0, math.MaxInt32); err != nil { // more than will ever be begun
		return err
	}
	if _, err := decodeSteps(ctx, generator, int64(o.length)); err != nil { // touches every page of the cache, and is not timed
		return err
	}
	rounds, err := o.rounds(func() (int64, float64, error) {
		began := time.Now()
		tokens, err := decodeSteps(ctx, generator, int64(o.length))
		return tokens, time.Since(began).Seconds(), err
	})
	if err != nil {
		return err
	}
	return a.figure(env, "generate", rounds.seconds, o.flop(float64(rounds.tokens), float64(rounds.tokens)*float64(o.length)/2), rounds.fields(map[string]any{
		"shape": o.name(), "slots": o.slots, "length": o.length, "grammar": o.grammar, "mask": o.mask,
		"precision": env.Config.Generate.Precision, "kv_cache": cmp.Or(env.Config.Generate.KVCache, "own"),
	}))
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
