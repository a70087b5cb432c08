package engine

import (
	"runtime"

	"github.com/synehrgy/synehrgy-go/bindings"
)

// Operation is what Bench times.
type Operation int32

// The operations: a product of x [m,k] and w [n,k], and attention over m/n segments of n tokens with k heads.
const (
	GEMM              Operation = Operation(bindings.BenchGEMM)
	AttentionForward  Operation = Operation(bindings.BenchAttentionForward)
	AttentionBackward Operation = Operation(bindings.BenchAttentionBackward)
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
