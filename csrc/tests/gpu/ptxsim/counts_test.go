package ptxsim

import (
	"encoding/binary"
	"strings"
	"testing"
)

// One warp with hand-counted accesses and operations, launched twice.
func TestCounts(t *testing.T) {
	m, err := Parse(head + `mul.wide.u32 %rd3, %r0, 4; add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3;
ld.global.f32 %f1, [%rd4]; ld.global.f32 %f2, [%rd4]; ld.global.f32 %f3, [%rd1];
fma.rn.f32 %f4, %f1, %f2, %f3; add.f32 %f4, %f4, %f1; mul.lo.u32 %r5, %r0, 3;
setp.lt.u32 %p1, %r0, 5; @%p1 mul.f32 %f4, %f4, %f4; sqrt.rn.f32 %f5, %f4;
st.global.f32 [%rd5], %f4; ld.global.f32 %f5, [%rd5];
mul.wide.u32 %rd6, %r0, 64; add.s64 %rd6, %rd1, %rd6; ld.global.f32 %f6, [%rd6];
shl.b32 %r2, %r0, 3; mov.u32 %r1, s; add.u32 %r1, %r1, %r2; st.shared.b32 [%r1], %r0;
ret;
}
`)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDevice()
	d.Counting = true
	p, o := d.Alloc(4096), d.Alloc(4096)
	d.Write(p, make([]byte, 4096))
	params := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, p), o)
	k := m.Kernels["k"]
	for range 2 {
		if err := d.Launch(k, Dim{1, 1, 1}, Dim{32, 1, 1}, 0, params); err != nil {
			t.Fatal(err)
		}
	}
	want := Counts{Kernel: "k", Launches: 2,
		// Words 0..31, of the strided read 30 more (every 16th of 512, two of which are among them); the output is not read again.
		Read: 2 * (128 + 30*4), Written: 2 * 128,
		// Two neighbouring reads, the store and its reading back 4 sectors each, the broadcast one, the strided read 32.
		Sectors: 2 * (4*4 + 1 + 32), LeastSectors: 2 * (4*4 + 1 + 4),
		Wavefronts: 2 * 2, LeastWavefronts: 2,
		Single: 2 * (32*3 + 5)}
	if got := k.Counts(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestOperations(t *testing.T) {
	for text, want := range map[string]uint64{
		"add.f32": 1, "sub.ftz.f32": 1, "mul.rn.f32": 1, "fma.rn.f32": 2, "fma.rn.f32x2": 4, "add.s32": 0, "mul.wide.u32": 0,
		"mad.lo.s32": 0, "div.rn.f32": 0, "ex2.approx.ftz.f32": 0, "fma.rn.f64": 2,
	} {
		in := inst{op: strings.Split(text, ".")}
		n, double := in.operations()
		if n != want || double != (text == "fma.rn.f64") {
			t.Errorf("%s: %d operations, double %v", text, n, double)
		}
	}
	mma := inst{op: strings.Split("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", ".")}
	if n := mma.tensorOperations(); n != 4096 {
		t.Errorf("m16n8k16: %d operations", n)
	}
	if n, _ := mma.operations(); n != 0 {
		t.Errorf("an mma counts as %d scalar operations", n)
	}
}
