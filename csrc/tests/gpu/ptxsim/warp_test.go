package ptxsim

import (
	"math/bits"
	"testing"
)

// Votes, reductions and shuffles: what lane or thread t gets, from inputs (t*7+3) mod 16.
func TestWarpOperations(t *testing.T) {
	input := func(l int) uint32 { return uint32(l*7+3) % 16 }
	all := func(f func(a, b uint32) uint32) uint32 {
		x := input(0)
		for l := 1; l < 32; l++ {
			x = f(x, input(l))
		}
		return x
	}
	ballot := uint32(0)
	for l := 0; l < 32; l++ {
		if input(l) > 7 {
			ballot |= 1 << l
		}
	}
	for _, c := range []struct {
		name, body string
		want       func(l int) uint32
	}{
		{"redux add", "redux.sync.add.s32 %r3, %r1, %r9;", func(int) uint32 { return all(func(a, b uint32) uint32 { return a + b }) }},
		{"redux max", "redux.sync.max.u32 %r3, %r1, %r9;", func(int) uint32 { return all(func(a, b uint32) uint32 { return max(a, b) }) }},
		{"redux min", "redux.sync.min.s32 %r3, %r1, %r9;", func(int) uint32 { return all(func(a, b uint32) uint32 { return min(a, b) }) }},
		{"redux xor", "redux.sync.xor.b32 %r3, %r1, %r9;", func(int) uint32 { return all(func(a, b uint32) uint32 { return a ^ b }) }},
		{"ballot", "setp.gt.u32 %p1, %r1, 7; vote.sync.ballot.b32 %r3, %p1, %r9;", func(int) uint32 { return ballot }},
		{"ballot of the negation", "setp.gt.u32 %p1, %r1, 7; vote.sync.ballot.b32 %r3, !%p1, %r9;", func(int) uint32 { return ^ballot }},
		{"match", "match.any.sync.b32 %r3, %r1, %r9;", func(l int) uint32 {
			m := uint32(0)
			for j := 0; j < 32; j++ {
				if input(j) == input(l) {
					m |= 1 << j
				}
			}
			return m
		}},
		{"shuffle up", "shfl.sync.up.b32 %r3, %r1, 3, 0, %r9;", func(l int) uint32 {
			if l < 3 {
				return input(l)
			}
			return input(l - 3)
		}},
		{"shuffle down", "shfl.sync.down.b32 %r3|%p1, %r1, 5, 31, %r9;", func(l int) uint32 {
			if l+5 > 31 {
				return input(l)
			}
			return input(l + 5)
		}},
		{"shuffle from a lane", "shfl.sync.idx.b32 %r3, %r1, 30, 31, %r9;", func(int) uint32 { return input(30) }},
		{"count over the block", "setp.gt.u32 %p1, %r1, 7; bar.red.popc.u32 %r3, 0, %p1;", func(int) uint32 { return uint32(2 * bits.OnesCount32(ballot)) }},
	} {
		body := "mov.u32 %r9, -1; mul.lo.u32 %r1, %r0, 7; add.u32 %r1, %r1, 3; and.b32 %r1, %r1, 15;\n" + c.body +
			"\nmul.wide.u32 %rd3, %r0, 4; add.s64 %rd4, %rd2, %rd3; st.global.u32 [%rd4], %r3;"
		out, err := try(t, body, 1, 64, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for l := 0; l < 64; l++ {
			if want := c.want(l % 32); out[l] != want {
				t.Errorf("%s: thread %d has %#x, want %#x", c.name, l, out[l], want)
				break
			}
		}
	}
}

func TestAnUnsupportedOperandIsAnError(t *testing.T) {
	for _, body := range []string{"vote.sync.mystery.b32 %r1, %p1, %r2;", "bfi.b32 %r1, %r2, s, 3, 4;", "redux.sync.mul.u32 %r1, %r2, %r3;", "mov.b32 %r1, nowhere;"} {
		if _, err := Parse(head + body + "\nret;\n}\n"); err == nil {
			t.Errorf("%s is accepted", body)
		}
	}
}
