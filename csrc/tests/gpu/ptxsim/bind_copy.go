package ptxsim

// cp.async: the destination is undefined from the issue to the wait, which is when the bytes arrive.
func (k *Kernel) bindCp(in *inst) error {
	switch {
	case has(in.op, "commit_group"):
		in.exec = func(w *Warp, m uint32) { each(m, func(l int) { w.grp[l] = append(w.grp[l], len(w.cp[l])) }) }
	case has(in.op, "wait_group"):
		keep := in.reg(0)
		in.exec = func(w *Warp, m uint32) {
			each(m, func(l int) {
				n, g := 0, w.grp[l]
				if k := int(w.r[keep][0]); len(g) > k {
					n = g[len(g)-1-k]
				}
				w.arrive(l, n)
			})
		}
	case has(in.op, "wait_all"):
		in.exec = func(w *Warp, m uint32) { each(m, func(l int) { w.arrive(l, len(w.cp[l])) }) }
	case len(in.op) >= 5 && in.op[1] == "async" && len(in.args) >= 3:
		return k.bindCopy(in)
	default:
		return errUnsupported
	}
	return nil
}

// arrive completes the first n copies of a lane.
func (w *Warp) arrive(l, n int) {
	for _, c := range w.cp[l][:n] {
		d := w.mem('s', c.dst, c.n, l, true, false)
		clear(d)
		if c.sz > 0 {
			copy(d[:c.sz], w.mem('g', c.src, c.sz, l, false, false))
		}
	}
	w.cp[l] = append(w.cp[l][:0], w.cp[l][n:]...)
	g := w.grp[l][:0]
	for _, e := range w.grp[l] {
		if e > n {
			g = append(g, e-n)
		}
	}
	w.grp[l] = g
}

func (k *Kernel) bindCopy(in *inst) error {
	to, toOffset, err := k.addr(in.args[0])
	if err != nil {
		return err
	}
	from, fromOffset, err := k.addr(in.args[1])
	if err != nil {
		return err
	}
	size, valid := in.reg(2), -1
	if len(in.args) > 3 {
		valid = in.reg(3)
	}
	in.exec = func(w *Warp, m uint32) {
		var written, read []uint64
		each(m, func(l int) {
			n := int(w.r[size][l])
			c := cpop{dst: (w.r[to][l] + uint64(toOffset)) & 0xffffffff, src: w.r[from][l] + uint64(fromOffset), n: n, sz: n}
			if valid >= 0 {
				c.sz = int(w.r[valid][l])
			}
			d := w.mem('s', c.dst, c.n, l, true, false)
			for i := range d {
				d[i] = 0xff
			}
			for i := c.dst / 2; i < (c.dst+uint64(c.n))/2; i++ {
				w.b.sh[i].init = false
			}
			w.cp[l] = append(w.cp[l], c)
			written = append(written, c.dst)
			if c.sz > 0 {
				read = append(read, c.src)
			}
		})
		in.account(true, written, 16)
		if len(read) > 0 {
			in.account(false, read, 16)
		}
	}
	return nil
}
