package ptxsim

import (
	"fmt"
	"math/bits"
)

// Branches, exits and barriers.

func (k *Kernel) bindBra(in *inst) error {
	t, ok := k.labels[in.args[0].name]
	if !ok {
		return fmt.Errorf("unknown label")
	}
	in.exec = func(w *Warp, m uint32) { each(m, func(l int) { w.pc[l] = int32(t) }) }
	return nil
}

func (k *Kernel) bindRet(in *inst) error {
	in.exec = func(w *Warp, m uint32) {
		each(m, func(l int) {
			if len(w.cp[l]) > 0 {
				w.fail(l, "exits with %d cp.async outstanding", len(w.cp[l]))
			}
		})
		if w.parked != 0 && w.named&m != 0 {
			w.fail(bits.TrailingZeros32(m), "exit%s", w.awaited())
		}
		w.alive &^= m
	}
	return nil
}

func (k *Kernel) bindTrap(in *inst) error {
	in.exec = func(w *Warp, m uint32) { w.fail(bits.TrailingZeros32(m), "trap") }
	return nil
}

func (k *Kernel) bindFence(in *inst) error {
	between := false // blocks
	for _, o := range in.op[1:] {
		switch o {
		case "gl", "gpu", "sys":
			between = true
		case "cta", "acq_rel", "sc":
		default:
			return fmt.Errorf("unsupported fence .%s", o)
		}
	}
	in.exec = func(w *Warp, m uint32) {
		if between {
			each(m, func(l int) { w.b.fence(int32(w.id*32 + l)) })
		}
	}
	return nil
}

// atBarrier stops the warp until the others have come; all its threads must be here.
func (w *Warp) atBarrier(m uint32) {
	if m != w.alive || bits.OnesCount32(m) != min(32, w.b.n-w.id*32) {
		w.fail(bits.TrailingZeros32(m), "barrier in divergent code: lanes %08x of the warp%s", m, w.awaited())
	}
	w.wait, w.barPC = true, w.pc[bits.TrailingZeros32(m)]-1
	w.sync++
}

func (k *Kernel) bindBar(in *inst) error {
	op := in.op
	if op[1] == "cta" {
		op = op[1:]
	}
	switch {
	case op[1] == "warp":
		mask := in.reg(0)
		in.mask = mask
		in.exec = func(w *Warp, m uint32) {
			if want := uint32(w.r[mask][0]); m&want != want&w.alive {
				w.fail(bits.TrailingZeros32(m), "bar.warp.sync in divergent code")
			}
			w.sync++
		}
	case op[1] == "sync" && len(in.args) == 1:
		in.barrier = true
		in.exec = (*Warp).atBarrier
	case op[1] == "red" && len(in.args) == 3: // d, barrier, predicate
		in.barrier = true
		d, p, neg := in.reg(0), in.reg(2), in.args[2].neg
		in.exec = func(w *Warp, m uint32) {
			w.atBarrier(m)
			w.redDst, w.redOp, w.redMask, w.redVal = d, op[2], m, 0
			each(m, func(l int) {
				if (w.r[p][l] != 0) != neg {
					w.redVal |= 1 << l
				}
			})
		}
	}
	return nil
}
