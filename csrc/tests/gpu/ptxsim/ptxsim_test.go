package ptxsim

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"strings"
	"testing"
)

const head = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 .ptr .align 1 in, .param .u64 out)\n{\n" +
	".reg .pred %p<9>; .reg .b32 %r<99>; .reg .b64 %rd<9>; .reg .f32 %f<9>;\n.shared .align 16 .b8 s[1024];\n" +
	"ld.param.u64 %rd1, [in]; ld.param.u64 %rd2, [out]; mov.u32 %r0, %tid.x;\n"

// try runs a body on one or two blocks of n threads: in holds 4096 bytes of words, out has 4096 bytes.
func try(t *testing.T, body string, blocks, n int, in []uint32) ([]uint32, error) {
	t.Helper()
	m, err := Parse(head + body + "\nret;\n}\n")
	if err != nil {
		return nil, err
	}
	d := NewDevice()
	p, o := d.Alloc(4096), d.Alloc(4096)
	b := make([]byte, 4096)
	for i, v := range in {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
	d.Write(p, b)
	params := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, p), o)
	if err := d.Launch(m.Kernels["k"], Dim{blocks, 1, 1}, Dim{n, 1, 1}, 0, params); err != nil {
		return nil, err
	}
	r := make([]uint32, 1024)
	for i, c := 0, d.Read(o, 4096); i < 1024; i++ {
		r[i] = binary.LittleEndian.Uint32(c[4*i:])
	}
	return r, nil
}

// The fragment maps, from the formulas of the PTX ISA's m16n8k16 section, entry by entry: every lane gets distinct
// values, so a wrong map cannot cancel out.
func TestMMAFragments(t *testing.T) {
	var A [16][16]float32
	var B [16][8]float32
	in := make([]uint32, 1024)
	rng := rand.New(rand.NewSource(1))
	small := func() float32 { return float32(rng.Intn(31) - 15) }
	for i := range A {
		for j := range A[i] {
			A[i][j] = small()
		}
		for j := range B[i] {
			B[i][j] = small()
		}
	}
	for lane := 0; lane < 32; lane++ {
		g, th := lane>>2, lane%4
		for i := 0; i < 8; i++ { // a0..a7
			row, col := g, 0
			if i&2 != 0 {
				row = g + 8
			}
			col = th*2 + (i & 1)
			if i >= 4 {
				col += 8
			}
			in[lane*6+i/2] |= uint32(tobf(A[row][col])) << (16 * (i & 1))
		}
		for i := 0; i < 4; i++ { // b0..b3
			row := th*2 + (i & 1)
			if i >= 2 {
				row += 8
			}
			in[lane*6+4+i/2] |= uint32(tobf(B[row][g])) << (16 * (i & 1))
		}
	}
	out, err := try(t, `mul.wide.u32 %rd3, %r0, 24; add.s64 %rd3, %rd1, %rd3; mul.wide.u32 %rd4, %r0, 16; add.s64 %rd4, %rd2, %rd4;
ld.global.v2.b32 {%r1,%r2}, [%rd3]; ld.global.v2.b32 {%r3,%r4}, [%rd3+8]; ld.global.v2.b32 {%r5,%r6}, [%rd3+16];
mov.b32 %r7, 0f00000000;
mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r8,%r9,%r10,%r11}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, {%r7,%r7,%r7,%r7};
st.global.v4.b32 [%rd4], {%r8,%r9,%r10,%r11};`, 1, 32, in)
	if err != nil {
		t.Fatal(err)
	}
	for lane := 0; lane < 32; lane++ {
		for i := 0; i < 4; i++ {
			row, col := lane>>2, lane%4*2+(i&1)
			if i >= 2 {
				row += 8
			}
			want := float32(0)
			for k := 0; k < 16; k++ {
				want += A[row][k] * B[k][col]
			}
			if got := f32(uint64(out[lane*4+i])); got != want {
				t.Fatalf("lane %d c%d: %v, want %v", lane, i, got, want)
			}
		}
	}
}

func TestLdmatrix(t *testing.T) {
	for _, tr := range []bool{false, true} {
		in := make([]uint32, 128) // 32 rows of 8 halves; half (r,c) = r*8+c
		for i := range in {
			in[i] = uint32(2*i) | uint32(2*i+1)<<16
		}
		mod := ""
		if tr {
			mod = ".trans"
		}
		out, err := try(t, `mul.wide.u32 %rd3, %r0, 16; add.s64 %rd4, %rd1, %rd3; ld.global.v4.b32 {%r1,%r2,%r3,%r4}, [%rd4];
mov.u32 %r5, s; shl.b32 %r6, %r0, 4; add.s32 %r7, %r5, %r6; st.shared.v4.b32 [%r7], {%r1,%r2,%r3,%r4}; bar.sync 0;
ldmatrix.sync.aligned.m8n8.x4`+mod+`.shared.b16 {%r8,%r9,%r10,%r11}, [%r7];
add.s64 %rd5, %rd2, %rd3; st.global.v4.b32 [%rd5], {%r8,%r9,%r10,%r11};`, 1, 32, in)
		if err != nil {
			t.Fatal(err)
		}
		for lane := 0; lane < 32; lane++ {
			for j := 0; j < 4; j++ {
				for h := 0; h < 2; h++ {
					r, c := lane/4, lane%4*2+h
					if tr {
						r, c = c, r
					}
					if got, want := out[lane*4+j]>>(16*h)&0xffff, uint32((j*8+r)*8+c); got != want {
						t.Fatalf("trans %v lane %d matrix %d half %d: %d, want %d", tr, lane, j, h, got, want)
					}
				}
			}
		}
	}
}

// Every rounding mode of f32 add, mul and fma against exact arithmetic.
func TestRounding(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	num := func() float32 {
		switch rng.Intn(4) {
		case 0:
			return float32(rng.NormFloat64())
		case 1: // near-cancelling, near-halfway
			return math.Float32frombits(0x3f800000 + uint32(rng.Intn(4)) + uint32(rng.Intn(3))<<23)
		case 2:
			return -math.Float32frombits(uint32(rng.Intn(60)+90)<<23 | uint32(rng.Intn(8)))
		}
		return math.Float32frombits(uint32(rng.Intn(60)+90)<<23 | rng.Uint32()&0x7fffff)
	}
	modes := map[string]big.RoundingMode{"rn": big.ToNearestEven, "rz": big.ToZero, "rm": big.ToNegativeInf, "rp": big.ToPositiveInf}
	for name, mode := range modes {
		for _, o := range []string{"add", "mul", "fma"} {
			_, f := arith([]string{o, name, "f32"})
			for i := 0; i < 50000; i++ {
				x, y, z := num(), num(), num()
				e := func(v float32) *big.Float { return new(big.Float).SetPrec(700).SetFloat64(float64(v)) }
				r := e(x)
				switch o {
				case "add":
					r.Add(r, e(y))
				case "mul":
					r.Mul(r, e(y))
				default:
					r.Mul(r, e(y)).Add(r, e(z))
				}
				want, _ := new(big.Float).SetPrec(24).SetMode(mode).Set(r).Float32()
				if got := f32(f(u32f(x), u32f(y), u32f(z))); got != want {
					t.Fatalf("%s.%s %x %x %x: %x, want %x", o, name, x, y, z, got, want)
				}
			}
		}
	}
	for i := uint64(0); i < 1<<16; i++ {
		if v := half(i); v == v && toHalf(v, "rn") != i {
			t.Fatalf("half %#x -> %v -> %#x", i, v, toHalf(v, "rn"))
		}
	}
}

// What must be reported, and what must not.
func TestChecks(t *testing.T) {
	sh := "mov.u32 %r1, s; shl.b32 %r2, %r0, 2; add.s32 %r3, %r1, %r2; xor.b32 %r4, %r2, 4; add.s32 %r5, %r1, %r4;\n"
	far := "mov.u32 %r1, s; shl.b32 %r2, %r0, 2; add.s32 %r3, %r1, %r2; xor.b32 %r4, %r2, 128; add.s32 %r5, %r1, %r4;\n"
	late := "mov.u32 %r7, -1; setp.lt.u32 %p1, %r0, 5; @%p1 bra $FAR;\n"
	// Each block writes a word and counts itself in a word of its input; the last one reads what both wrote.
	count := func(release, acquire string) string {
		return "mov.u32 %r9, %ctaid.x; mul.wide.u32 %rd3, %r9, 1024; add.s64 %rd3, %rd2, %rd3; mul.wide.u32 %rd4, %r0, 4; add.s64 %rd3, %rd3, %rd4;" +
			"st.global.u32 [%rd3], %r9; bar.sync 0; setp.ne.u32 %p1, %r0, 0; mov.u32 %r1, 0; @%p1 bra $MEET;\n" +
			release + "atom.global.inc.u32 %r1, [%rd1], 1;" + acquire + "\n$MEET: setp.eq.u32 %p2, %r1, 1; bar.red.or.pred %p3, 0, %p2; @!%p3 bra $END;\n" +
			"add.s64 %rd4, %rd2, %rd4; ld.global.u32 %r2, [%rd4]; ld.global.u32 %r2, [%rd4+1024];\n$END:"
	}
	hand := func(write string) string {
		return "setp.ne.u32 %p1, %r0, 0; @%p1 bra $END; mov.u32 %r9, %ctaid.x; mul.wide.u32 %rd3, %r9, 4; add.s64 %rd3, %rd2, %rd3;\n" + write +
			"atom.global.inc.u32 %r1, [%rd1], 1; membar.gl; setp.ne.u32 %p1, %r1, 1; @%p1 bra $END; ld.global.u32 %r2, [%rd2]; ld.global.u32 %r2, [%rd2+4];\n$END:"
	}
	for _, c := range []struct{ name, body, want string }{
		{"blocks that count with fences", count("membar.gl;", "fence.acq_rel.gpu;"), ""},
		{"blocks that count without the first fence", count("", "membar.gl;"), "race on global memory between blocks 0"},
		{"blocks that count without the second fence", count("membar.gl;", ""), "race on global memory between blocks 0"},
		{"blocks that count with fences of the block", count("membar.cta;", "membar.cta;"), "race on global memory between blocks 0"},
		{"blocks whose first thread hands over", "setp.ne.u32 %p1, %r0, 0; @%p1 bra $END; atom.global.inc.u32 %r1, [%rd1+4], 1; st.global.u32 [%rd2], %r1; membar.gl; atom.global.inc.u32 %r1, [%rd1], 1;\n$END:", "race on global memory between blocks 0"},
		{"blocks whose threads hand over", hand("st.global.u32 [%rd3], %r9; membar.gl;"), ""},
		{"blocks that write behind their fence", hand("membar.gl; st.global.u32 [%rd3], %r9;"), "race on global memory between blocks 0"},
		{"two lanes, no barrier", sh + "st.shared.u32 [%r3], %r0; ld.shared.u32 %r6, [%r5];", "race on shared"},
		{"two lanes, syncwarp", sh + "mov.u32 %r7, -1; st.shared.u32 [%r3], %r0; bar.warp.sync %r7; ld.shared.u32 %r6, [%r5];", ""},
		{"two warps, syncwarp", far + "mov.u32 %r7, -1; st.shared.u32 [%r3], %r0; bar.warp.sync %r7; ld.shared.u32 %r6, [%r5];", "uninitialised"}, // warp 0 runs first: it reads what warp 1 has yet to write,
		{"two warps, barrier", far + "st.shared.u32 [%r3], %r0; bar.sync 0; ld.shared.u32 %r6, [%r5];", ""},
		{"uninitialised", sh + "ld.shared.u32 %r6, [%r3];", "uninitialised"},
		{"clear and count without barrier", sh + "st.shared.u32 [%r3], 0; atom.shared.add.u32 %r6, [%r5], 1;", "race on shared"},
		{"clear, barrier, count", sh + "st.shared.u32 [%r3], 0; bar.sync 0; atom.shared.add.u32 %r6, [%r1], 1; bar.sync 0; ld.shared.u32 %r6, [%r1];", ""},
		{"count and read without barrier", sh + "st.shared.u32 [%r3], 0; bar.sync 0; atom.shared.add.u32 %r6, [%r1], 1; ld.shared.u32 %r6, [%r1];", "race on shared"},
		{"beyond shared", "mov.u32 %r1, s; st.shared.u32 [%r1+1024], %r0;", "shared access"},
		{"beyond global", "ld.global.u32 %r1, [%rd1+4096];", "outside every allocation"},
		{"misaligned", "ld.global.u32 %r1, [%rd1+2];", "misaligned"},
		{"uninitialised global", "ld.global.u32 %r1, [%rd2];", "uninitialised global"},
		{"blocks write one word", "st.global.u32 [%rd2], %r0;", "race on global"},
		{"blocks add to one word", "red.global.add.u32 [%rd1], 1;", ""},
		{"threads of a block through global", "mul.wide.u32 %rd3, %r0, 4; add.s64 %rd4, %rd2, %rd3; mov.u32 %r9, %ctaid.x; mul.wide.u32 %rd5, %r9, 1024; add.s64 %rd4, %rd4, %rd5; st.global.u32 [%rd4], %r0; xor.b32 %r1, %r0, 1; mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd2, %rd3; add.s64 %rd4, %rd4, %rd5; ld.global.u32 %r2, [%rd4];", "no barrier between"},
		{"divergent barrier", "setp.lt.u32 %p1, %r0, 5; @%p1 bar.sync 0;", "divergent"},
		{"divergent shuffle", "mov.u32 %r7, -1; setp.lt.u32 %p1, %r0, 5; @%p1 shfl.sync.bfly.b32 %r1, %r0, 1, 31, %r7;", "shfl names lanes"},
		{"a shuffle that some lanes reach later", late + "$MEET: shfl.sync.bfly.b32 %r1, %r0, 1, 31, %r7; bra $END; $FAR: add.u32 %r3, %r0, 1; bra $MEET; $END:", ""},
		{"a barrier of the warp that some lanes reach later", late + "$MEET: bar.warp.sync %r7; bra $END; $FAR: add.u32 %r3, %r0, 1; bra $MEET; $END:", ""},
		{"a shuffle that some lanes pass by", late + "shfl.sync.bfly.b32 %r1, %r0, 1, 31, %r7; bra $END; $FAR: shfl.sync.bfly.b32 %r1, %r0, 2, 31, %r7; $END:", "shfl names lanes"},
		{"a barrier while lanes wait for a shuffle", late + "shfl.sync.bfly.b32 %r1, %r0, 1, 31, %r7; bra $END; $FAR: bar.sync 0; $END:", "divergent"},
		{"a barrier of the block that some lanes reach later", "setp.lt.u32 %p1, %r0, 5; @%p1 bra $FAR; $MEET: bar.sync 0; bra $END; $FAR: add.u32 %r3, %r0, 1; bra $MEET; $END:", ""},
		{"a barrier of the block that some lanes pass by", "setp.lt.u32 %p1, %r0, 5; @%p1 bra $END; bar.sync 0; $END:", "divergent"},
		{"unknown modifier", "add.s32.mystery %r1, %r0, %r0;", "unsupported"},
		{"unknown rounding", "fma.rx.f32 %f1, %f1, %f1, %f1;", "unsupported"},
		{"cp.async without wait", "mov.u32 %r1, s; shl.b32 %r2, %r0, 4; add.s32 %r3, %r1, %r2; mul.wide.u32 %rd3, %r0, 16; add.s64 %rd4, %rd1, %rd3; cp.async.cg.shared.global [%r3], [%rd4], 16; cp.async.commit_group; ld.shared.u32 %r6, [%r3];", "uninitialised"},
	} {
		blocks := 1
		if strings.HasPrefix(c.name, "blocks") || strings.HasPrefix(c.name, "threads") {
			blocks = 2
		}
		_, err := try(t, c.body, blocks, 64, nil)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		op         string
		x, y, z, r uint64
	}{
		{"mul.hi.u32", 0xffffffff, 0xffffffff, 0, 0xfffffffe}, {"mul.hi.s32", 0xffffffff, 2, 0, 0xffffffff}, {"mul.hi.s64", 1 << 63, 2, 0, ^uint64(0)},
		{"mul.hi.u64", 1 << 63, 2, 0, 1}, {"mul.wide.s32", 0xffffffff, 3, 0, ^uint64(2)}, {"mad.wide.u32", 0xffffffff, 2, 5, 0x200000003},
		{"shf.l.wrap.b32", 0x80000000, 0x1, 33, 0x3}, {"shf.r.clamp.b32", 1, 0xabcd, 40, 0xabcd}, {"bfind.u32", 0x10, 0, 0, 4}, {"bfind.shiftamt.u32", 0x10, 0, 0, 27},
		{"clz.b32", 0, 0, 0, 32}, {"brev.b32", 1, 0, 0, 0x80000000}, {"prmt.b32", 0x33221100, 0x77665544, 0x7410, 0x77441100}, {"bfe.s32", 0xf0, 4, 4, 0xffffffff},
		{"shr.s32", 0x80000000, 40, 0, 0xffffffff}, {"shl.b32", 1, 32, 0, 0}, {"div.s32", 0xfffffff9, 2, 0, 0xfffffffd}, {"rem.s32", 0xfffffff9, 2, 0, 0xffffffff},
		{"xor.pred", 1, ^uint64(0), 0, 0}, {"xor.pred", 0, ^uint64(0), 0, 1}, {"or.pred", 0, ^uint64(0), 0, 1}, {"and.pred", 1, ^uint64(0), 0, 1},
	} {
		_, f := arith(strings.Split(c.op, "."))
		if f == nil {
			t.Errorf("%s unknown", c.op)
		} else if g := f(c.x, c.y, c.z); g != c.r {
			t.Errorf("%s %#x %#x %#x = %#x, want %#x", c.op, c.x, c.y, c.z, g, c.r)
		}
	}
	if g := lop3(0x96, 0xf0, 0xcc, 0xaa); g&0xff != 0x96 {
		t.Errorf("lop3 %#x", g)
	}
}

func TestPlain(t *testing.T) {
	want := "_ZN12_GLOBAL__N_11kILi64EEEvNS_1PE"
	for _, n := range []string{want, "_ZN12_GLOBAL__N_1L1kILi64EEEvNS_1PE", "_ZN45_GLOBAL__N__6e9af60e_12_flash_fwd_cu_abe6fee11kILi64EEEvNS_1PE"} {
		if Plain(n) != want {
			t.Errorf("%s -> %s", n, Plain(n))
		}
	}
}
