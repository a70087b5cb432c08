package ptxsim

import (
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Free forgets an allocation: later accesses are errors, addresses are not reused.
func (d *Device) Free(p uint64) error {
	for i, a := range d.allocs {
		if a.base == p {
			d.allocs, d.last = append(d.allocs[:i], d.allocs[i+1:]...), nil
			return nil
		}
	}
	return fmt.Errorf("free of %#x, which is not the start of a live allocation", p)
}

// Check runs f if n bytes at p lie in one allocation.
func (d *Device) Check(p, n uint64, f func()) error {
	if n == 0 {
		return nil
	}
	if a, _ := d.find(p, int(n)); a == nil {
		return fmt.Errorf("copy of %d bytes at %#x is outside every device allocation", n, p)
	}
	f()
	return nil
}

var local = regexp.MustCompile(`(12_GLOBAL__N_1)L(\d)|^(_Z)L(\d)`)

// Plain removes what compilers name differently: nvcc spells the anonymous namespace with the file and a hash,
// g++ marks static functions with an L.
func Plain(n string) string {
	var b strings.Builder
	for i := 0; i < len(n); {
		j := i
		for j < len(n) && n[j] >= '0' && n[j] <= '9' {
			j++
		}
		if j > i && strings.HasPrefix(n[j:], "_GLOBAL__N_") {
			if c, _ := strconv.Atoi(n[i:j]); c > 12 && j+c <= len(n) {
				b.WriteString("12_GLOBAL__N_1")
				i = j + c
				continue
			}
		}
		b.WriteByte(n[i])
		i++
	}
	return local.ReplaceAllString(b.String(), "$1$3$2$4")
}

// Report prints what the kernel executed, and its worst memory accesses.
func (k *Kernel) Report(w io.Writer, name string) {
	var tot, mma uint64
	var rows []*inst
	extra := func(in *inst) uint64 { return in.waves - in.ideal + in.sectors - in.idealSectors }
	for _, in := range k.insts {
		tot += in.n
		if in.op[0] == "mma" {
			mma += in.n
		}
		if in.n > 0 && (in.waves > in.ideal || in.sectors > in.idealSectors) {
			rows = append(rows, in)
		}
	}
	if tot == 0 {
		return
	}
	fmt.Fprintf(w, "ptxsim: %s: %d warp instructions, %d mma\n", name, tot, mma)
	sort.Slice(rows, func(i, j int) bool { return extra(rows[i]) > extra(rows[j]) })
	for _, in := range rows[:min(3, len(rows))] {
		fmt.Fprintf(w, "  ptx %d %s: shared wavefronts %d (ideal %d), global sectors %d (ideal %d)\n",
			in.line, in.text, in.waves, in.ideal, in.sectors, in.idealSectors)
	}
}
