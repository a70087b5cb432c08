package ptxsim

import "math/bits"

// Shuffles, votes and reductions among the lanes of a warp. All lanes that the mask names must execute the same one together.

func (w *Warp) together(what string, maskReg int, m uint32) {
	if want := uint32(w.r[maskReg][bits.TrailingZeros32(m)]) & w.alive; m != want {
		w.fail(bits.TrailingZeros32(m), "%s names lanes %08x, lanes %08x execute it", what, want, m)
	}
}

// source of lane l in a shuffle of b and c, and whether it is in range.
func source(mode string, l, b, c int) (j int, ok bool) {
	segment, clamp := c>>8&31, c&31
	most, least := l&segment|clamp&^segment, l&segment
	switch mode {
	case "up":
		j = l - b
		ok = j >= most
	case "down":
		j = l + b
		ok = j <= most
	case "bfly":
		j = l ^ b
		ok = j <= most
	default:
		j = least | b&^segment
		ok = j <= most
	}
	if !ok {
		j = l
	}
	return j, ok
}

func (k *Kernel) bindShfl(in *inst) error {
	d, p, first, mode := in.reg(0), -1, 1, in.op[2]
	if len(in.args) == 6 {
		p, first = in.reg(1), 2
	}
	a, b, c, mask := in.reg(first), in.reg(first+1), in.reg(first+2), in.reg(first+3)
	in.mask = mask
	in.exec = func(w *Warp, m uint32) {
		w.together("shfl", mask, m)
		from := w.r[a]
		each(m, func(l int) {
			j, ok := source(mode, l, int(w.r[b][l]), int(w.r[c][l]))
			if m>>j&1 == 0 {
				w.fail(l, "shfl reads lane %d, which does not take part", j)
			}
			w.r[d][l] = from[j]
			if p >= 0 {
				w.r[p][l] = b2u(ok)
			}
		})
	}
	return nil
}

func (k *Kernel) bindActiveMask(in *inst) error {
	d := in.reg(0)
	in.exec = func(w *Warp, m uint32) { each(m, func(l int) { w.r[d][l] = uint64(m) }) }
	return nil
}

// votes and reductions: the value that every lane gets, from the lanes' values.
var votes = map[string]func(set, m uint32) uint64{
	"vote.ballot": func(set, _ uint32) uint64 { return uint64(set) },
	"vote.any":    func(set, _ uint32) uint64 { return b2u(set != 0) },
	"vote.all":    func(set, m uint32) uint64 { return b2u(set == m) },
	"vote.uni":    func(set, m uint32) uint64 { return b2u(set == m || set == 0) },
}

func (k *Kernel) bindVote(in *inst) error {
	d, a, mask, neg, ty := in.reg(0), in.reg(1), in.reg(2), in.args[1].neg, in.typ()
	in.mask = mask
	name := in.op[1]
	if name == "sync" {
		name = in.op[2]
	}
	what := in.op[0] + "." + name
	vote := votes[what]
	_, fold := arith([]string{name, ty})
	switch {
	case vote != nil, what == "match.any", in.op[0] == "redux" && fold != nil && has([]string{"add", "min", "max", "and", "or", "xor"}, name):
	default:
		return errUnsupported
	}
	in.exec = func(w *Warp, m uint32) {
		w.together(in.op[0], mask, m)
		values, set, all, first := w.r[a], uint32(0), uint64(0), true
		each(m, func(l int) {
			if (values[l] != 0) != neg {
				set |= 1 << l
			}
			switch {
			case first:
				all, first = values[l], false
			case vote == nil && fold != nil:
				all = fold(all, values[l], 0)
			}
		})
		each(m, func(l int) {
			switch {
			case vote != nil:
				w.r[d][l] = vote(set, m)
			case what == "match.any":
				same := uint64(0)
				each(m, func(j int) { same |= b2u(values[j] == values[l]) << j })
				w.r[d][l] = same
			default:
				w.r[d][l] = all
			}
		})
	}
	return nil
}
