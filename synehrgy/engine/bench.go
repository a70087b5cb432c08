package engine

import (
	"runtime"

	"github.com/synehrgy/synehrgy-go/bindings"
)

// Operation is what Bench times.
type Operation int32

// The operations: a product of x [m,k] and w [n,k], attention over m/n segments of n tokens with k heads; and the ceilings of
// the machine, m rounds of multiply-adds on registers and a = b + 3 c over m elements, whose flop are bytes.
const (
	GEMM              Operation = Operation(bindings.BenchGEMM)
	AttentionForward  Operation = Operation(bindings.BenchAttentionForward)
	AttentionBackward Operation = Operation(bindings.BenchAttentionBackward)
	FMA               Operation = Operation(bindings.BenchFMA)
	Triad             Operation = Operation(bindings.BenchTriad)
)

// Bench is the best time of repeats of one operation, in seconds, and the floating-point operations it stands for.
func (d *Device) Bench(op Operation, m, n, k int64, headDim, repeats int) (seconds, flop float64, err error) {
	raw, err := d.lock("device")
	if err != nil {
		return 0, 0, err
	}
	defer runtime.KeepAlive(d)
	defer d.mu.Unlock()
	return bindings.Bench(raw, int32(op), m, n, k, clamp32(headDim), clamp32(repeats))
}

// Peak measures what the device can do at most: floating-point operations a second on registers, and bytes a second to and from
// memory.
func (d *Device) Peak() (flops, bytes float64, err error) {
	const rounds, elements, repeats = 1 << 16, 1 << 24, 40 // some milliseconds each; 192 MB, beyond any cache
	for _, c := range []struct {
		op   Operation
		size int64
		to   *float64
	}{{FMA, rounds, &flops}, {Triad, elements, &bytes}} {
		seconds, work, err := d.Bench(c.op, c.size, 0, 0, 0, repeats)
		if err != nil {
			return 0, 0, err
		}
		*c.to = work / seconds
	}
	return flops, bytes, nil
}

// OpTime is what one op of a trainer took: calls, seconds, the floating-point operations of its products, and the bytes of its
// operands and results.
type OpTime = bindings.OpTime

// Profile begins, from zero, or ends the timing of every op of the trainer.
func (t *Trainer) Profile(on bool) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerProfile(raw, on)
}

// Profiled is what every op took since Profile(true).
func (t *Trainer) Profiled() ([]OpTime, error) {
	raw, err := t.lock("trainer")
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerProfileOps(raw)
}
