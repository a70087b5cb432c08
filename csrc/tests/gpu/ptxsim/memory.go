package ptxsim

import (
	"encoding/binary"
	"sort"
)

// Memory with a shadow: every access is checked against bounds, alignment, initialisation, and the accesses since the last barrier.

type alloc struct {
	base    uint64
	b       []byte
	shadow  []gshadow // one per 2 bytes
	init    []bool
	touched []uint8 // a byte: whether the launch read it, wrote it; while the device counts
}
type gshadow struct { // the last access: block (-1: several read), thread, launch, epochs, fences of the thread before it, kind
	blk, thr, ep, ws, fences int32
	launch                   uint32
	kind                     uint8 // 0 read, 1 write, 2 atomic
}

// Device is the global memory: every allocation has guard space around it.
type Device struct {
	allocs   []*alloc
	next     uint64
	launch   uint32
	last     *alloc
	Strict   bool // race and init checks on
	Reverse  bool // blocks and warps run in descending order
	Counting bool // Kernel.Counts is wanted

	published map[uint64]map[int32]moment // of the launch: what atomics on a word gave out, by block
}

func NewDevice() *Device { return &Device{next: 1 << 32, Strict: true} }
func (d *Device) Alloc(n int) uint64 {
	a := &alloc{base: d.next, b: make([]byte, n), shadow: make([]gshadow, (n+1)/2), init: make([]bool, (n+1)/2)}
	for i := range a.b {
		a.b[i] = 0xff
	}
	d.next += uint64(n+0xfff)&^0xfff + 1<<20
	d.allocs = append(d.allocs, a)
	return a.base
}
func (d *Device) find(p uint64, n int) (*alloc, int) {
	if a := d.last; a != nil && p >= a.base && p+uint64(n) <= a.base+uint64(len(a.b)) {
		return a, int(p - a.base)
	}
	i := sort.Search(len(d.allocs), func(i int) bool { return d.allocs[i].base > p }) - 1
	if i < 0 {
		return nil, 0
	}
	a := d.allocs[i]
	if p+uint64(n) > a.base+uint64(len(a.b)) {
		return nil, 0
	}
	d.last = a
	return a, int(p - a.base)
}
func (d *Device) Write(p uint64, b []byte) {
	a, o := d.find(p, len(b))
	copy(a.b[o:], b)
	for i := o / 2; i < (o+len(b)+1)/2; i++ {
		a.init[i] = true
	}
}
func (d *Device) Read(p uint64, n int) []byte {
	a, o := d.find(p, n)
	return append([]byte(nil), a.b[o:o+n]...)
}

// mem returns the bytes of a checked access. space: 's' shared, 'g' global, 0 generic.
func (w *Warp) mem(space byte, p uint64, n, lane int, write, atomic bool) []byte {
	if p%uint64(n) != 0 {
		w.fail(lane, "misaligned %d-byte access at %#x", n, p)
	}
	if space == 0 && p >= sharedBase && p < sharedBase+1<<24 {
		space, p = 's', p-sharedBase
	}
	if space == 's' {
		if p+uint64(n) > uint64(len(w.b.sm)) {
			w.fail(lane, "shared access at %d..%d, block has %d bytes", p, p+uint64(n), len(w.b.sm))
		}
		for i := int(p) / 2; w.b.d.Strict && i < (int(p)+n+1)/2; i++ {
			w.checkShared(i, lane, write, atomic)
		}
		return w.b.sm[p : p+uint64(n)]
	}
	a, o := w.b.d.find(p, n)
	if a == nil {
		w.fail(lane, "global access of %d bytes at %#x is outside every allocation", n, p)
	}
	for i := o / 2; w.b.d.Strict && i < (o+n+1)/2; i++ {
		w.checkGlobal(a, i, p, lane, write, atomic)
	}
	if w.b.d.Counting {
		w.b.k.traffic.touch(a, o, n, write, atomic)
	}
	return a.b[o : o+n]
}

// checkShared judges an access to shared bytes 2i and 2i+1 and records it.
func (w *Warp) checkShared(i, lane int, write, atomic bool) {
	b, s, t := w.b, &w.b.sh[i], int16(w.id*32+lane)
	ordered := func(other int16, at int32) bool { return other == t || other >= 0 && other>>5 == t>>5 && at < w.sync }
	if s.wep == b.epoch && !ordered(s.wt, s.wws) && !(atomic && s.wat) {
		w.fail(lane, "race on shared byte %d: thread %d wrote it since the last barrier", i*2, s.wt)
	}
	if write {
		if s.rep == b.epoch && !ordered(s.rt, s.rws) {
			w.fail(lane, "race on shared byte %d: thread %d read it since the last barrier (-2: several)", i*2, s.rt)
		}
		if atomic && !s.init {
			w.fail(lane, "atomic on uninitialised shared byte %d", i*2)
		}
		s.wt, s.wep, s.wws, s.init, s.wat = t, b.epoch, w.sync, true, atomic
		return
	}
	if !s.init {
		w.fail(lane, "read of uninitialised shared byte %d", i*2)
	}
	if s.rep == b.epoch && s.rt != t && s.rt>>5 != t>>5 {
		s.rt = -2
	} else {
		s.rt = t
	}
	s.rep, s.rws = b.epoch, w.sync
}

// checkGlobal judges an access to bytes 2i and 2i+1 of an allocation and records it.
func (w *Warp) checkGlobal(a *alloc, i int, p uint64, lane int, write, atomic bool) {
	b, s, t := w.b, &a.shadow[i], int32(w.id*32+lane)
	kind := uint8(0)
	if atomic {
		kind = 2
	} else if write {
		kind = 1
	}
	now := s.launch == b.d.launch
	if now && (kind == 1 || s.kind == 1 || kind != s.kind) {
		if s.blk != b.lin {
			if !b.behind(s, t) {
				w.fail(lane, "race on global memory between blocks %d (-1: several) and %d", s.blk, b.lin)
			}
		} else if s.thr != t && s.ep == b.epoch && !(s.thr >= 0 && s.thr>>5 == t>>5 && s.ws < w.sync) {
			w.fail(lane, "race on global memory at %#x between threads %d (-2: several) and %d of block %d, no barrier between", p, s.thr, t, b.lin)
		}
	}
	switch {
	case now && kind == 0 && s.kind == 0 && s.blk != b.lin:
		s.blk = -1
	case now && kind == 0 && s.kind == 0 && s.thr != t && s.ep == b.epoch && s.thr>>5 != t>>5:
		s.thr = -2
	case now && kind == 0 && s.kind != 0: // a write stays on record
	default:
		*s = gshadow{b.lin, t, b.epoch, w.sync, b.order.fences[t], b.d.launch, kind}
	}
	if (!write || atomic) && !a.init[i] {
		w.fail(lane, "read of uninitialised global memory at %#x", p)
	}
	a.init[i] = true
}

func ldn(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}
func stn(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}
