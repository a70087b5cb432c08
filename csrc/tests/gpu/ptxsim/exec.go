package ptxsim

// Execution: blocks one after the other, warps in turns from barrier to barrier, the lanes of a warp lowest program counter first.

import (
	"fmt"
	"math"
	"math/bits"
)

const (
	sharedBase = 1 << 48 // generic window of shared memory
	full       = 0xffffffff
)

type Dim struct{ X, Y, Z int }
type sshadow struct {
	wt, rt   int16 // writing / reading thread; rt -2: several
	wep, rep int32 // block-barrier epoch of the access, 0 never
	wws, rws int32 // warp-barrier count of the access
	init     bool
	wat      bool // the write was atomic
}
type Block struct {
	d      *Device
	k      *Kernel
	sm     []byte
	sh     []sshadow
	warps  []*Warp
	epoch  int32
	params []byte
	lin    int32
	n      int // threads
	order  order
}
type cpop struct {
	dst, src uint64
	n, sz    int
}
type Warp struct {
	r               [][32]uint64
	pc              [32]int32
	alive           uint32
	id              int
	b               *Block
	barPC           int32
	wait            bool
	sync            int32
	cp              [32][]cpop
	grp             [32][]int
	in              *inst
	redDst          int // bar.red: where the result goes
	redOp           string
	redMask, redVal uint32
	parked          uint32 // lanes that wait at a collective
	parkedAt        *inst  // the last one that lanes came to, and the lanes that it names
	named           uint32
}
type trap struct{ msg string }

func (w *Warp) fail(lane int, f string, a ...any) {
	panic(trap{fmt.Sprintf("ptx line %d `%s`: thread %d: %s", w.in.line, w.in.text, w.id*32+lane, fmt.Sprintf(f, a...))})
}

// Launch runs the grid block by block, ascending (or descending with Reverse).
func (d *Device) Launch(k *Kernel, grid, block Dim, dyn int, params []byte) (err error) {
	if len(params) != k.ParamSize {
		return fmt.Errorf("%s takes %d bytes of parameters, got %d", k.Name, k.ParamSize, len(params))
	}
	defer func() {
		if r := recover(); r != nil {
			t, ok := r.(trap)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("%s: %s", k.Name, t.msg)
		}
	}()
	d.launch++
	d.published = map[uint64]map[int32]moment{}
	if d.Counting {
		k.traffic.begin(d)
	}
	n := block.X * block.Y * block.Z
	b := &Block{d: d, k: k, params: params, n: n, sm: make([]byte, (k.staticSm+127)&^127+dyn)}
	b.sh = make([]sshadow, (len(b.sm)+1)/2)
	for i := 0; i < (n+31)/32; i++ {
		w := &Warp{b: b, id: i, r: make([][32]uint64, k.nregs)}
		for v, r := range k.consts {
			for l := range w.r[r] {
				w.r[r][l] = v
			}
		}
		b.warps = append(b.warps, w)
	}
	for i := range grid.X * grid.Y * grid.Z {
		if d.Reverse {
			i = grid.X*grid.Y*grid.Z - 1 - i
		}
		b.lin = int32(i)
		b.run(grid, block, i%grid.X, i/grid.X%grid.Y, i/(grid.X*grid.Y))
	}
	return nil
}
func (b *Block) run(grid, block Dim, x, y, z int) {
	for i := range b.sm {
		b.sm[i] = 0xff
	}
	clear(b.sh)
	b.epoch, b.order = 1, newOrder(b.n)
	at := coordinates{grid: grid, block: block, x: x, y: y, z: z}
	for _, w := range b.warps {
		w.alive, w.wait, w.sync, w.redOp, w.parked = 0, false, 0, "", 0
		for l := 0; l < 32; l++ {
			t := w.id*32 + l
			w.pc[l], w.cp[l], w.grp[l] = 0, w.cp[l][:0], w.grp[l][:0]
			if t < b.n {
				w.alive |= 1 << l
			}
			for n, r := range b.k.special {
				v := specials[n](at, w.id, l)
				w.r[r][l] = uint64(v)
			}
		}
	}
	for {
		live, waiting, prog := 0, 0, false
		for i := range b.warps {
			if b.d.Reverse {
				i = len(b.warps) - 1 - i
			}
			w := b.warps[i]
			if w.alive != 0 && !w.wait {
				w.run()
				prog = true
			}
			if w.alive != 0 {
				live++
				if w.wait {
					waiting++
				}
			}
		}
		if live == 0 {
			return
		}
		if waiting == live {
			if live != len(b.warps) {
				panic(trap{"barrier while a warp has exited"})
			}
			for _, w := range b.warps {
				if w.barPC != b.warps[0].barPC {
					here, there := b.k.insts[w.barPC].line, b.k.insts[b.warps[0].barPC].line
					panic(trap{fmt.Sprintf("warps wait at different barriers: ptx lines %d and %d", here, there)})
				}
				w.wait = false
			}
			b.reduce()
			b.epoch++
		} else if !prog {
			panic(trap{"deadlock"})
		}
	}
}

// reduce delivers the results of bar.red, if that is what the warps met at.
func (b *Block) reduce() {
	if b.warps[0].redOp == "" {
		return
	}
	n, all := 0, true
	for _, w := range b.warps {
		n += bits.OnesCount32(w.redVal)
		all = all && w.redVal == w.redMask
	}
	for _, w := range b.warps {
		v := uint64(n)
		switch w.redOp {
		case "or":
			v = b2u(n > 0)
		case "and":
			v = b2u(all)
		}
		each(w.redMask, func(l int) { w.r[w.redDst][l] = v })
		w.redOp = ""
	}
}

// run steps the lanes of a warp, lowest pc first (which reconverges), until barrier or exit.
func (w *Warp) run() {
	ins := w.b.k.insts
	for w.alive != 0 && !w.wait {
		lo, m := w.lowest()
		in := ins[lo]
		w.in = in
		if in.pred >= 0 {
			p := &w.r[in.pred]
			for a := m; a != 0; a &= a - 1 {
				l := bits.TrailingZeros32(a)
				if (p[l] != 0) == in.neg {
					m &^= 1 << l
				}
			}
			if m == 0 {
				continue
			}
		}
		if in.mask >= 0 && w.awaits(lo, m) || in.barrier && w.gathers(lo, m) {
			continue
		}
		in.n++
		in.lanes += uint64(bits.OnesCount32(m))
		in.exec(w, m)
	}
}

// lowest is the least program counter of the lanes that do not wait for others, and the lanes that are there, which step on.
func (w *Warp) lowest() (lo int32, m uint32) {
	free := w.alive &^ w.parked
	if free == 0 { // nobody comes any more
		free = w.alive
	}
	lo = math.MaxInt32
	for a := free; a != 0; a &= a - 1 {
		if p := w.pc[bits.TrailingZeros32(a)]; p < lo {
			lo = p
		}
	}
	for a := w.alive; a != 0; a &= a - 1 {
		l := bits.TrailingZeros32(a)
		if w.pc[l] == lo {
			m |= 1 << l
			w.pc[l]++
		}
	}
	return lo, m
}

// awaits says whether lanes m, at a collective, have to wait for lanes that it names and that are still on their way, and lets
// them. Where nobody is on the way the collective itself complains.
func (w *Warp) awaits(at int32, m uint32) bool {
	named := uint32(w.r[w.in.mask][bits.TrailingZeros32(m)]) & w.alive
	if named&^m == 0 || w.alive&^w.parked&^m == 0 {
		w.parked &^= m
		return false
	}
	w.parked |= m
	w.parkedAt, w.named = w.in, named
	each(m, func(l int) { w.pc[l] = at })
	return true
}

// gathers says whether lanes m, at a barrier of the block, have to wait for lanes of their warp that are still on their way: a compiler
// may lay out what those do behind the barrier. Where nobody is on the way the barrier itself complains.
func (w *Warp) gathers(at int32, m uint32) bool {
	if w.alive&^w.parked&^m == 0 {
		w.parked &^= m
		return false
	}
	w.parked |= m
	w.parkedAt, w.named = w.in, 0 // an exit of others is the barrier's complaint
	each(m, func(l int) { w.pc[l] = at })
	return true
}

// awaited says which lanes wait at a collective.
func (w *Warp) awaited() string {
	if w.parked == 0 {
		return ""
	}
	return fmt.Sprintf(" while %s names lanes %08x and lanes %08x wait at it", w.parkedAt.op[0], w.named, w.parked)
}

func each(m uint32, f func(l int)) {
	for ; m != 0; m &= m - 1 {
		f(bits.TrailingZeros32(m))
	}
}

// account counts shared-memory wavefronts or global sectors of one warp access.
func (in *inst) account(shared bool, addr []uint64, n int) {
	if shared { // served in phases of 128 bytes; distinct words of one bank take turns
		per := 128 / n
		for s := 0; s < len(addr); s += per {
			var word [32][8]uint64
			var cnt [32]int
			worst := 1
			for _, a := range addr[s:min(s+per, len(addr))] {
			next:
				for o := uint64(0); o < uint64(max(n, 4)); o += 4 {
					wd := (a+o)/4 + 1
					k := wd % 32
					for i := 0; i < min(cnt[k], 8); i++ {
						if word[k][i] == wd {
							continue next
						}
					}
					if cnt[k] < 8 {
						word[k][cnt[k]] = wd
					}
					cnt[k]++
					worst = max(worst, cnt[k])
				}
			}
			in.waves += uint64(worst)
			in.ideal++
		}
		return
	}
	var sec [64]uint64
	k := 0
	for _, a := range addr {
	sect:
		for _, v := range [2]uint64{a / 32, (a + uint64(n) - 1) / 32} {
			for i := 0; i < k; i++ {
				if sec[i] == v {
					continue sect
				}
			}
			sec[k] = v
			k++
		}
	}
	ideal := (len(addr)*n + 31) / 32
	in.sectors += uint64(k)
	in.idealSectors += uint64(ideal)
	in.leastSectors += uint64(min(k, ideal))
}
