package cli

import (
	"context"
	"math"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// benchGenerate decodes records of a fixed length under a grammar that allows every token, top-k 50, sampling included. A round
// is as many steps as a record is long, in which a slot whose record ends takes the next: one record a slot.
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
	grammar, err := engine.NewGrammar(anyToken(o.vocab))
	if err != nil {
		return err
	}
	defer grammar.Close()
	generator, err := engine.NewGenerator(model, grammar, engine.GeneratorOptions{
		Slots: o.slots, MaxTokens: o.length + 1, Seed: env.Config.Seed, Temperature: 1, TopK: 50, TopP: 1,
	})
	if err != nil {
		return err
	}
	defer generator.Close()
	if err := generator.Submit(0, math.MaxInt32); err != nil { // more than will ever be begun
		return err
	}
	if _, err := decodeSteps(ctx, generator, 1); err != nil { // allocates, and is not timed
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
		"shape": o.name(), "slots": o.slots, "length": o.length,
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

// anyToken is the grammar of records in which any token may follow any other, until the last token of the vocabulary ends
// them at the length limit.
func anyToken(vocab int) *token.Tables {
	t := &token.Tables{
		Vocab: vocab, States: 2, Classes: 2, Start: 0, Done: 1,
		Class: make([]uint16, vocab), Order: make([]int32, vocab), Rule: make([]uint8, 2), Role: []uint8{token.RoleMark, token.RoleEnd},
		Next: []int16{0, 1, -1, -1}, Forget: make([]uint8, 4), Distance: []uint16{1, 0},
		KnotStart: make([]int32, vocab+1), Decimals: make([]int8, vocab), ChunkToken: []int32{-1, -1},
		Visits: 1,
	}
	t.Class[vocab-1] = 1
	return t
}
