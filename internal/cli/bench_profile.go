package cli

import (
	"fmt"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
)

// profile tells where the time of the steps of a trainer went: a line for each op, the longest first, against the ceilings of
// the machine measured just now. An op is bound by arithmetic or by memory, whichever takes longer at its ceiling; "of bound" is
// that time over the time it took. Above 100 % the data came from the caches.
func (a *app) profile(device *engine.Device, trainer *engine.Trainer, steps int) error {
	ops, err := trainer.Profiled()
	if err != nil {
		return err
	}
	flops, bytes, err := device.Peak()
	if err != nil {
		return err
	}
	total := 0.0
	for _, op := range ops {
		total += op.Seconds
	}
	slices.SortFunc(ops, func(x, y engine.OpTime) int { return int(y.Seconds*1e9) - int(x.Seconds*1e9) })
	a.result("peak", map[string]any{"gflops": flops / 1e9, "gb_per_s": bytes / 1e9, "threads": device.Threads()},
		fmt.Sprintf("peak: %.0f GFLOP/s of multiply-adds, %.1f GB/s of memory, %d threads", flops/1e9, bytes/1e9, device.Threads()),
		fmt.Sprintf("%-24s %7s %9s %7s %9s %7s %9s", "op", "calls", "ms", "share", "GFLOP/s", "GB/s", "of bound"))
	for _, op := range ops {
		if op.Calls == 0 {
			continue
		}
		bound := max(op.Flop/flops, op.Bytes/bytes) / op.Seconds
		calls, ms := float64(op.Calls)/float64(steps), op.Seconds/float64(steps)*1e3
		a.result("op", map[string]any{
			"op": op.Name, "calls": calls, "seconds": ms / 1e3, "share": op.Seconds / total, "gflops": op.Flop / op.Seconds / 1e9,
			"gb_per_s": op.Bytes / op.Seconds / 1e9, "of_bound": bound,
		}, fmt.Sprintf("%-24s %7.4g %9.3f %6.1f%% %9.1f %7.1f %8.0f%%", op.Name, calls, ms, 100*op.Seconds/total, op.Flop/op.Seconds/1e9, op.Bytes/op.Seconds/1e9, 100*bound))
	}
	return nil
}
