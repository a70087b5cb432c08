package ptxsim

import (
	"fmt"
	"strings"
)

// Counting what kernels move and compute, for the cost model (csrc/tests/gpu/cost).

// Counts is what one kernel did, over all of its launches.
type Counts struct {
	Kernel   string // mangled, as Plain leaves it
	Launches int
	// Distinct bytes of global memory that a launch read and wrote: its traffic if no byte ever left the caches. What it wrote
	// itself before counts as written alone.
	Read, Written uint64
	// Sectors of 32 bytes of global memory, over the accesses of the warps: the traffic if there were no caches. LeastSectors is
	// what the same accesses would take if the bytes of each lay side by side.
	Sectors, LeastSectors uint64
	// Turns of the banks of shared memory, and how many there would be without conflicts. Atomics are in neither.
	Wavefronts, LeastWavefronts uint64
	// Operations, additions and products: of tensor cores, in fp32 and narrower, and in fp64. Divisions, roots, comparisons and
	// exponentials are not counted.
	Tensor, Single, Double uint64
}

// traffic is what launches of a kernel touched.
type traffic struct {
	launches      int
	read, written uint64 // bytes
}

const (
	wasRead = 1 << iota
	wasWritten
)

// begin forgets what earlier launches touched.
func (t *traffic) begin(d *Device) {
	t.launches++
	for _, a := range d.allocs {
		if a.touched == nil {
			a.touched = make([]uint8, len(a.b))
		}
		clear(a.touched)
	}
}

// touch records an access to n bytes of an allocation.
func (t *traffic) touch(a *alloc, from, n int, write, atomic bool) {
	for i := from; i < from+n; i++ {
		was := a.touched[i]
		if (!write || atomic) && was == 0 {
			t.read++
			was |= wasRead
		}
		if write && was&wasWritten == 0 {
			t.written++
			was |= wasWritten
		}
		a.touched[i] = was
	}
}

// Counts is what the kernel did since it was loaded, on a device that was Counting.
func (k *Kernel) Counts() Counts {
	c := Counts{Kernel: Plain(k.Name), Launches: k.traffic.launches, Read: k.traffic.read, Written: k.traffic.written}
	for _, in := range k.insts {
		c.Sectors += in.sectors
		c.LeastSectors += in.leastSectors
		c.Wavefronts += in.waves
		c.LeastWavefronts += in.ideal
		if in.op[0] == "mma" {
			c.Tensor += in.n * in.tensorOperations()
		}
		each, double := in.operations()
		if double {
			c.Double += in.lanes * each
		} else {
			c.Single += in.lanes * each
		}
	}
	return c
}

// tensorOperations is what the shape of an mma, like m16n8k16, makes of one warp's.
func (in *inst) tensorOperations() uint64 {
	var m, n, k uint64
	for _, word := range in.op {
		if found, _ := fmt.Sscanf(word, "m%dn%dk%d", &m, &n, &k); found == 3 {
			return 2 * m * n * k
		}
	}
	return 0
}

// operations is the number of additions and products of a floating-point instruction, a lane.
func (in *inst) operations() (n uint64, double bool) {
	switch in.op[0] {
	case "add", "sub", "mul":
		n = 1
	case "fma", "mad":
		n = 2
	}
	of, packed := strings.CutSuffix(in.typ(), "x2")
	if _, float := floats[of]; !float {
		return 0, false
	}
	if packed {
		n *= 2
	}
	return n, of == "f64"
}
