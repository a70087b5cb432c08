package ptxsim

import (
	"fmt"
	"math/bits"
	"strings"
)

func (k *Kernel) bindLdmatrix(in *inst) error {
	n := map[string]int{"x1": 1, "x2": 2, "x4": 4}[in.op[4]]
	base, off, err := k.addr(in.args[1])
	if err != nil || n == 0 || in.op[3] != "m8n8" {
		return fmt.Errorf("unsupported ldmatrix")
	}
	tr, d := has(in.op, "trans"), in.args[0].vec
	in.exec = func(w *Warp, m uint32) {
		if m != full {
			w.fail(bits.TrailingZeros32(m), "ldmatrix in divergent code: lanes %08x", m)
		}
		for j := 0; j < n; j++ {
			var M [8][8]uint16
			var ad [8]uint64
			for i := 0; i < 8; i++ {
				p := (w.r[base][j*8+i] + uint64(off)) & 0xffffffff
				ad[i] = p
				b := w.mem('s', p, 16, j*8+i, false, false)
				for c := range M[i] {
					M[i][c] = uint16(ldn(b[2*c : 2*c+2]))
				}
			}
			in.account(true, ad[:], 16)
			for l := 0; l < 32; l++ {
				row, col := l/4, l%4*2
				lo, hi := M[row][col], M[row][col+1]
				if tr {
					lo, hi = M[col][row], M[col+1][row]
				}
				w.r[d[j].reg][l] = uint64(lo) | uint64(hi)<<16
			}
		}
	}
	return nil
}

// mma.m16n8k16, A row-major, B column-major. Register i of a lane, group g=lane/4, t=lane%4:
// A: rows g, g+8 alternate with i&1, column block 8*(i/2); B: k block 8*i; C/D: row g+8*(i/2).
func (k *Kernel) bindMMA(in *inst) error {
	name := strings.Join(in.op, ".")
	var dec func(uint64) float32
	switch name {
	case "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32":
		dec = bf
	default:
		return fmt.Errorf("unsupported mma")
	}
	d, a, b, c := in.args[0].vec, in.args[1].vec, in.args[2].vec, in.args[3].vec
	if len(d) != 4 || len(a) != 4 || len(b) != 2 || len(c) != 4 {
		return fmt.Errorf("mma operand counts")
	}
	in.exec = func(w *Warp, m uint32) {
		if m != full {
			w.fail(bits.TrailingZeros32(m), "mma in divergent code: lanes %08x", m)
		}
		var A [16][16]float32
		var B [8][16]float32
		for l := 0; l < 32; l++ {
			g, t := l/4, l%4
			for i := 0; i < 4; i++ {
				x := w.r[a[i].reg][l]
				row, col := g+8*(i&1), 2*t+8*(i/2)
				A[row][col], A[row][col+1] = dec(x&0xffff), dec(x>>16&0xffff)
			}
			for i := 0; i < 2; i++ {
				x := w.r[b[i].reg][l]
				B[g][2*t+8*i], B[g][2*t+8*i+1] = dec(x&0xffff), dec(x>>16&0xffff)
			}
		}
		for l := 0; l < 32; l++ {
			g, t := l/4, l%4
			for i := 0; i < 4; i++ {
				ra, cb := &A[g+8*(i/2)], &B[2*t+(i&1)]
				s := float32(0)
				for kk := 0; kk < 16; kk++ {
					s += ra[kk] * cb[kk]
				}
				w.r[d[i].reg][l] = u32f(f32(w.r[c[i].reg][l]) + s)
			}
		}
	}
	return nil
}
