package ptxsim

import (
	"math"
	"strings"
)

// Operations of one lane on register values. All floating types narrower than f64 are computed in
// f64 with round-to-odd where that is inexact, then rounded once: bit-exact for add, sub, mul, fma,
// div.rn and sqrt.rn in every rounding mode. Approximate instructions (ex2, lg2, rsqrt, tanh …) give the
// correctly rounded value, which the device only approaches.

type float struct {
	dec func(uint64) float64
	enc func(v float64, mode string) uint64
}

func roundTo(v float64, mode string, mant, emin int, top float64) float64 {
	if v == 0 || v != v || math.IsInf(v, 0) {
		return v
	}
	q := math.Ldexp(1, max(math.Ilogb(v), emin)-mant)
	r := integral(v/q, mode) * q
	if math.Abs(r) > top {
		if mode == "rz" || mode == "rm" && v > 0 || mode == "rp" && v < 0 {
			return math.Copysign(top, v)
		}
		return math.Inf(int(math.Copysign(1, v)))
	}
	return math.Copysign(r, v)
}
func integral(v float64, mode string) float64 {
	switch mode[:2] {
	case "rz":
		return math.Trunc(v)
	case "rm":
		return math.Floor(v)
	case "rp":
		return math.Ceil(v)
	}
	return math.RoundToEven(v)
}
func half(x uint64) float64 {
	s, e, m := x>>15&1, int(x>>10&31), float64(x&1023)
	v := math.Ldexp(m, -24)
	switch {
	case e == 31 && m == 0:
		v = math.Inf(1)
	case e == 31:
		return math.NaN()
	case e > 0:
		v = math.Ldexp(1024+m, e-25)
	}
	if s == 1 {
		return -v
	}
	return v
}
func toHalf(v float64, mode string) uint64 {
	if v != v {
		return 0x7fff
	}
	v = roundTo(v, mode, 10, -14, 65504)
	s := uint64(0)
	if math.Signbit(v) {
		s, v = 0x8000, -v
	}
	switch {
	case math.IsInf(v, 0):
		return s | 0x7c00
	case v < 0x1p-14:
		return s | uint64(v*0x1p24)
	}
	e := math.Ilogb(v)
	return s | uint64(e+15)<<10 | uint64(math.Ldexp(v, 10-e))&1023
}
func toF32(v float64, mode string) uint64 {
	if v != v {
		return 0x7fffffff
	}
	f := float32(v)
	if g := float64(f); mode != "rn" && g != v {
		if (mode == "rm" || mode == "rz" && v > 0) && g > v {
			f = math.Nextafter32(f, float32(math.Inf(-1)))
		} else if (mode == "rp" || mode == "rz" && v < 0) && g < v {
			f = math.Nextafter32(f, float32(math.Inf(1)))
		}
	}
	return u32f(f)
}

var floats = map[string]float{
	"f32": {func(x uint64) float64 { return float64(f32(x)) }, toF32},
	"f64": {f64, func(v float64, _ string) uint64 { return math.Float64bits(v) }},
	"f16": {half, toHalf},
	"bf16": {func(x uint64) float64 { return float64(bf(x)) }, func(v float64, m string) uint64 {
		return tobf(float32(roundTo(v, m, 7, -126, 0x1.fep127)))
	}},
}

// odd rounds the exact s+e (e is the rounding error of s) to the neighbour with an odd last bit.
func odd(s, e float64) float64 {
	if b := math.Float64bits(s); e != 0 && b&1 == 0 && s != 0 && !math.IsInf(s, 0) && e == e {
		if (e > 0) == (s > 0) {
			return math.Float64frombits(b + 1)
		}
		return math.Float64frombits(b - 1)
	}
	return s
}
func addOdd(a, b float64) float64 {
	s := a + b
	t := s - a
	return odd(s, (a-(s-t))+(b-t))
}
func flush(x uint64) uint64 {
	if x&0x7f800000 == 0 {
		return x & 0x80000000
	}
	return x
}

// arith returns the operand count and the function of a lane-wise instruction; nil if it, or one of
// its modifiers, is unknown.
func arith(op []string) (n int, f func(x, y, z uint64) uint64) {
	name, ty := op[0], op[len(op)-1]
	mode, sat, ftz, nan, kind := "rn", false, false, false, ""
	for _, m := range op[1 : len(op)-1] {
		switch m {
		case "rn", "rz", "rm", "rp":
			mode = m
		case "sat":
			sat = true
		case "ftz":
			ftz = true
		case "NaN":
			nan = true
		case "approx", "full", "lo", "hi", "wide", "wrap", "clamp", "l", "r", "shiftamt":
			kind += m
		default:
			return 0, nil
		}
	}
	if b, x2 := strings.CutSuffix(ty, "x2"); x2 { // packed halves
		w := uint(16)
		if b == "f32" {
			w = 32
		}
		n, g := arith(append(append([]string{}, op[:len(op)-1]...), b))
		if g == nil {
			return 0, nil
		}
		k := uint64(1)<<w - 1
		return n, func(x, y, z uint64) uint64 { return g(x&k, y&k, z&k) | g(x>>w&k, y>>w&k, z>>w&k)<<w }
	}
	if fl, ok := floats[ty]; ok {
		n, f = floatOp(name, ty, mode, kind, nan, fl)
		if f == nil || sat && ty != "f32" {
			return 0, nil
		}
		if sat {
			f = saturated(f)
		}
		if ftz && ty == "f32" {
			g := f
			f = func(x, y, z uint64) uint64 { return flush(g(flush(x), flush(y), flush(z))) }
		}
		return n, f
	}
	if sat || ftz || nan || mode != "rn" {
		return 0, nil
	}
	if ty == "pred" {
		return predicateOp(name)
	}
	return intOp(name, ty, kind)
}

// saturated clamps an f32 result to [0, 1]; NaN becomes 0.
func saturated(f laneOp) laneOp {
	return func(x, y, z uint64) uint64 {
		if v := f32(f(x, y, z)); v > 1 {
			return u32f(1)
		} else if v > 0 {
			return u32f(v)
		}
		return 0
	}
}

// predicateOp computes on single bits; nvcc writes true as -1.
func predicateOp(name string) (int, laneOp) {
	switch name {
	case "and":
		return 2, func(x, y, _ uint64) uint64 { return x & y & 1 }
	case "or":
		return 2, func(x, y, _ uint64) uint64 { return (x | y) & 1 }
	case "xor":
		return 2, func(x, y, _ uint64) uint64 { return (x ^ y) & 1 }
	case "not":
		return 1, func(x, _, _ uint64) uint64 { return x&1 ^ 1 }
	}
	return 0, nil
}

// lop3 applies a truth table to three words.
func lop3(t uint64, x, y, z uint64) (r uint64) {
	for i, v := range [8]uint64{^x & ^y & ^z, ^x & ^y & z, ^x & y & ^z, ^x & y & z, x & ^y & ^z, x & ^y & z, x & y & ^z, x & y & z} {
		if t>>i&1 == 1 {
			r |= v
		}
	}
	return r & 0xffffffff
}
