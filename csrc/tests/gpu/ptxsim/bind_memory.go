package ptxsim

import "fmt"

func (k *Kernel) addr(a arg) (reg int, off int64, err error) {
	if a.reg >= 0 {
		return a.reg, a.off, nil
	}
	v, ok := k.symAddr(a.name)
	if !ok {
		return 0, 0, fmt.Errorf("unknown symbol %s", a.name)
	}
	return k.konst(v), a.off, nil
}
func space(op []string) byte {
	switch {
	case has(op, "shared"):
		return 's'
	case has(op, "global"):
		return 'g'
	}
	return 0
}
func (k *Kernel) bindMem(in *inst) error {
	op, ty := in.op, in.op[len(in.op)-1]
	for _, o := range op[1:] {
		switch o {
		case "global", "shared", "param", "nc", "v2", "v4", "v8", ty:
		case "volatile", "relaxed", "weak", "gpu", "cta": // order among threads: all of them here
		case "ca", "cg", "cs", "lu", "cv", "wb", "wt", "L1::no_allocate", "L2::128B", "L2::256B": // hints for the caches
		default:
			return fmt.Errorf("unsupported modifier .%s", o)
		}
	}
	ld := op[0] == "ld"
	dat, mem := in.args[0], in.args[1]
	if !ld {
		dat, mem = in.args[1], in.args[0]
	}
	vec := []arg{dat}
	if dat.kind == kindVector {
		vec = dat.vec
	}
	sz := tySize[ty]
	if has(op, "param") {
		if !ld {
			return errUnsupported
		}
		return k.bindParameter(in, mem, vec, sz)
	}
	base, off, err := k.addr(mem)
	if err != nil {
		return err
	}
	sp := space(op)
	sg := ty[0] == 's' && sz < 8
	in.exec = func(w *Warp, m uint32) {
		var ad [32]uint64
		n := 0
		each(m, func(l int) {
			p := w.r[base][l] + uint64(off)
			if sp == 's' {
				p &= 0xffffffff
			}
			ad[n] = p
			n++
			b := w.mem(sp, p, sz*len(vec), l, !ld, false)
			for i, v := range vec {
				if ld {
					x := ldn(b[i*sz : i*sz+sz])
					if sg {
						x = zx(uint64(sx(x, ty)), "u32")
					}
					w.r[v.reg][l] = x
				} else {
					stn(b[i*sz:i*sz+sz], w.r[v.reg][l])
				}
			}
		})
		in.account(sp == 's' || sp == 0 && ad[0] >= sharedBase, ad[:n], sz*len(vec))
	}
	return nil
}

// bindParameter reads the parameters of the launch.
func (k *Kernel) bindParameter(in *inst, mem arg, vec []arg, size int) error {
	p, ok := k.params[mem.name]
	if !ok && mem.reg < 0 {
		return fmt.Errorf("unknown parameter")
	}
	in.exec = func(w *Warp, m uint32) {
		each(m, func(l int) {
			o := p.off + int(mem.off)
			if mem.reg >= 0 {
				o = int(w.r[mem.reg][l]) + int(mem.off)
			}
			if o < 0 || o+size*len(vec) > len(w.b.params) {
				w.fail(l, "parameter access at %d", o)
			}
			for i, v := range vec {
				w.r[v.reg][l] = ldn(w.b.params[o+i*size : o+i*size+size])
			}
		})
	}
	return nil
}

// atomic is what an atomic of a type makes of the old value and its operands.
func atomic(what, ty string) laneOp {
	switch what {
	case "exch":
		return func(_, y, _ uint64) uint64 { return y }
	case "cas":
		return func(x, y, z uint64) uint64 {
			if zx(x, ty) == zx(y, ty) {
				return z
			}
			return x
		}
	case "inc":
		return func(x, y, _ uint64) uint64 {
			if zx(x, ty) >= zx(y, ty) {
				return 0
			}
			return x + 1
		}
	case "dec":
		return func(x, y, _ uint64) uint64 {
			if x = zx(x, ty); x == 0 || x > zx(y, ty) {
				return y
			}
			return x - 1
		}
	}
	_, f := arith([]string{what, ty})
	return f
}

func (k *Kernel) bindAtom(in *inst) error {
	ty, what := in.op[len(in.op)-1], ""
	for _, o := range in.op[1 : len(in.op)-1] {
		switch o {
		case "global", "shared", "relaxed", "gpu", "cta", "sys":
		case "add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec":
			what = o
		default:
			return fmt.Errorf("unsupported atomic modifier .%s", o)
		}
	}
	g := atomic(what, ty)
	args, d := in.args, -1
	if in.op[0] == "atom" {
		d, args = in.args[0].reg, in.args[1:]
	}
	if g == nil || len(args) < 2 {
		return fmt.Errorf("unsupported atomic")
	}
	mem, v, v2 := args[0], args[1], args[len(args)-1]
	base, off, err := k.addr(mem)
	sp := space(in.op)
	in.exec = func(w *Warp, m uint32) {
		each(m, func(l int) {
			p := w.r[base][l] + uint64(off)
			if sp == 's' {
				p &= 0xffffffff
			}
			b := w.mem(sp, p, tySize[ty], l, true, true)
			x := ldn(b)
			stn(b, g(x, w.r[v.reg][l], w.r[v2.reg][l]))
			if sp == 'g' || sp == 0 && (p < sharedBase || p >= sharedBase+1<<24) {
				w.b.atomic(p, int32(w.id*32+l))
			}
			if d >= 0 {
				w.r[d][l] = x
			}
		})
	}
	return err
}
