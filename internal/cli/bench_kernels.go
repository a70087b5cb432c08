package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
)

// This file times single operations of the core.

// benchGEMM times the products of a layer and of the head: 8,192 rows forward and towards the input, 256 and 64 rows as in
// decoding, which are repeated as many times more.
func (a *app) benchGEMM(_ context.Context, env *run.Environment, o *benchOptions) error {
	device, err := env.Device()
	if err != nil {
		return err
	}
	w, v := int64(o.width), int64(o.vocab)
	layer := [][2]int64{{3 * w, w}, {w, w}, {4 * w, w}, {w, 4 * w}, {v, w}} // outputs and inputs
	const most = 8192
	for _, rows := range []int64{most, 256, 64} {
		shapes := layer
		if rows == most {
			shapes = append(slices.Clone(layer), [2]int64{w, 3 * w}, [2]int64{w, v}) // the others are among the forward ones
		}
		for _, s := range shapes {
			seconds, flop, err := device.Bench(engine.GEMM, rows, s[0], s[1], 0, o.repeats*int(most/rows))
			if err != nil {
				return err
			}
			if err := a.figure(env, "gemm", seconds, flop, map[string]any{"shape": fmt.Sprintf("%dx%dx%d", rows, s[0], s[1])}); err != nil {
				return err
			}
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
		tokens, heads, dim := int64(o.batch*o.context), int64(o.heads), o.width/o.heads
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
