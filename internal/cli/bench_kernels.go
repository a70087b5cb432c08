package cli

import (
	"context"
	"fmt"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
)

// This file times single operations of the core.

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
