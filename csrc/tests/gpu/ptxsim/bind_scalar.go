package ptxsim

import "fmt"

// Moves, selections, comparisons and conversions: lane by lane, but with operands of their own kinds.

func (k *Kernel) bindMov(in *inst) error {
	if len(in.args) != 2 {
		return errUnsupported
	}
	a, b, ty := in.args[0], in.args[1], in.typ()
	switch {
	case b.kind == kindSymbol:
		v, ok := k.symAddr(b.name)
		if p, is := k.params[b.name]; is { // address in the parameter space (clang)
			v, ok = uint64(p.off), true
		}
		if !ok {
			return fmt.Errorf("unknown symbol %s", b.name)
		}
		in.exec = alu1(a.reg, a.reg, func(uint64) uint64 { return v })
	case a.kind == kindRegister && b.kind == kindRegister:
		in.exec = alu1(a.reg, b.reg, func(x uint64) uint64 { return zx(x, ty) })
	case a.kind == kindVector && b.kind == kindRegister: // unpack
		n := tySize[ty] * 8 / len(a.vec)
		in.exec = func(w *Warp, m uint32) {
			each(m, func(l int) {
				x := w.r[b.reg][l]
				for i, v := range a.vec {
					w.r[v.reg][l] = x >> (i * n) & (1<<n - 1)
				}
			})
		}
	case a.kind == kindRegister && b.kind == kindVector: // pack
		n := tySize[ty] * 8 / len(b.vec)
		in.exec = func(w *Warp, m uint32) {
			each(m, func(l int) {
				x := uint64(0)
				for i, v := range b.vec {
					x |= w.r[v.reg][l] & (1<<n - 1) << (i * n)
				}
				w.r[a.reg][l] = x
			})
		}
	}
	return nil
}

func (k *Kernel) bindBfi(in *inst) error { // d, a, b, position, length
	d, a, b, p, n, ty := in.reg(0), in.reg(1), in.reg(2), in.reg(3), in.reg(4), in.typ()
	in.exec = func(w *Warp, m uint32) {
		each(m, func(l int) {
			at, length := w.r[p][l]&0xff, w.r[n][l]&0xff
			mask := zx((uint64(1)<<length-1)<<at, ty)
			w.r[d][l] = zx(w.r[b][l]&^mask|w.r[a][l]<<at&mask, ty)
		})
	}
	return nil
}

func (k *Kernel) bindSelp(in *inst) error {
	ty := in.typ()
	in.exec = alu3(in.reg(0), in.reg(1), in.reg(2), in.reg(3), func(x, y, p uint64) uint64 {
		if p != 0 {
			return zx(x, ty)
		}
		return zx(y, ty)
	})
	return nil
}

func (k *Kernel) bindLop3(in *inst) error {
	d, x, y, z, table := in.reg(0), in.reg(1), in.reg(2), in.reg(3), in.reg(4)
	in.exec = func(w *Warp, m uint32) {
		each(m, func(l int) { w.r[d][l] = lop3(w.r[table][l], w.r[x][l], w.r[y][l], w.r[z][l]) })
	}
	return nil
}

// setp p[|q], a, b [, c]: c is combined by and, or, xor.
func (k *Kernel) bindSetp(in *inst) error {
	op, ty, first, q := in.op, in.typ(), 1, -1
	if in.two {
		q, first = in.reg(1), 2
	}
	combine := ""
	for _, x := range op[2 : len(op)-1] {
		switch x {
		case "and", "or", "xor":
			combine = x
		case "ftz":
		default:
			return errUnsupported
		}
	}
	want, c, negate := first+2, -1, uint64(0)
	if combine != "" {
		want++
	}
	f := cmp(op[1], ty)
	if f == nil || len(in.args) != want {
		return errUnsupported
	}
	if combine != "" {
		c, negate = in.reg(first+2), b2u(in.args[first+2].neg)
	}
	d, x, y, ftz := in.reg(0), in.reg(first), in.reg(first+1), has(op, "ftz")
	in.exec = func(w *Warp, m uint32) {
		each(m, func(l int) {
			a, b := w.r[x][l], w.r[y][l]
			if ftz {
				a, b = flush(a), flush(b)
			}
			yes := b2u(f(a, b))
			no := yes ^ 1
			if c >= 0 {
				yes, no = combined(combine, yes, w.r[c][l]^negate), combined(combine, no, w.r[c][l]^negate)
			}
			w.r[d][l] = yes
			if q >= 0 {
				w.r[q][l] = no
			}
		})
	}
	return nil
}

func combined(how string, x, y uint64) uint64 {
	switch how {
	case "and":
		return x & y
	case "or":
		return x | y
	}
	return x ^ y
}

func (k *Kernel) bindCvt(in *inst) error {
	f := cvt(in.op)
	switch {
	case f == nil:
	case len(in.args) == 3:
		in.exec = alu2(in.reg(0), in.reg(1), in.reg(2), f)
	default:
		in.exec = alu1(in.reg(0), in.reg(1), func(x uint64) uint64 { return f(x, 0) })
	}
	return nil
}

func (k *Kernel) bindCvta(in *inst) error {
	shared, to := has(in.op, "shared"), has(in.op, "to")
	in.exec = alu1(in.reg(0), in.reg(1), func(x uint64) uint64 {
		switch {
		case shared && to:
			return x - sharedBase
		case shared:
			return x + sharedBase
		}
		return x
	})
	return nil
}
