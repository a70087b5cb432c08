package ptxsim

import (
	"math"
	"strings"
)

func cmp(c, ty string) func(x, y uint64) bool {
	sel := func(lt, eq func(x, y uint64) bool) func(x, y uint64) bool {
		switch c {
		case "lt", "lo":
			return lt
		case "le", "ls":
			return func(x, y uint64) bool { return lt(x, y) || eq(x, y) }
		case "gt", "hi":
			return func(x, y uint64) bool { return lt(y, x) }
		case "ge", "hs":
			return func(x, y uint64) bool { return lt(y, x) || eq(x, y) }
		case "eq":
			return eq
		case "ne":
			return func(x, y uint64) bool { return !eq(x, y) }
		}
		return nil
	}
	if fl, ok := floats[ty]; ok {
		d := fl.dec
		un := func(x, y uint64) bool { a, b := d(x), d(y); return a != a || b != b }
		switch c {
		case "nan":
			return un
		case "num":
			return func(x, y uint64) bool { return !un(x, y) }
		}
		base, u := strings.CutSuffix(c, "u")
		c = base
		f := sel(func(x, y uint64) bool { return d(x) < d(y) }, func(x, y uint64) bool { return d(x) == d(y) })
		if f == nil {
			return nil
		}
		return func(x, y uint64) bool { // ordered: false on NaN; unordered: true
			if un(x, y) {
				return u
			}
			return f(x, y)
		}
	}
	if ty[0] == 's' {
		return sel(func(x, y uint64) bool { return sx(x, ty) < sx(y, ty) }, func(x, y uint64) bool { return sx(x, ty) == sx(y, ty) })
	}
	return sel(func(x, y uint64) bool { return zx(x, ty) < zx(y, ty) }, func(x, y uint64) bool { return zx(x, ty) == zx(y, ty) })
}

func cvt(op []string) func(x, y uint64) uint64 {
	to, from := op[len(op)-2], op[len(op)-1]
	mode, in, sat, ftz := "", "", false, false
	for _, m := range op[1 : len(op)-2] {
		switch m {
		case "rn", "rz", "rm", "rp":
			mode = m
		case "rni", "rzi", "rmi", "rpi":
			in = m
		case "sat":
			sat = true
		case "ftz":
			ftz = true
		default:
			return nil
		}
	}
	fi, fromF := floats[from]
	fo, toF := floats[to]
	isI := func(s string) bool { return (s[0] == 'u' || s[0] == 's') && tySize[s] > 0 }
	pre := func(x uint64) uint64 {
		if ftz && from == "f32" {
			return flush(x)
		}
		return x
	}
	switch {
	case isI(to) && isI(from) && mode == "" && in == "" && !sat && !ftz:
		if from[0] == 's' {
			return func(x, _ uint64) uint64 { return zx(uint64(sx(x, from)), to) }
		}
		return func(x, _ uint64) uint64 { return zx(zx(x, from), to) }
	case (to == "bf16x2" || to == "f16x2") && from == "f32" && mode == "rn" && !sat: // first source is the upper half
		e := tobf
		if to == "f16x2" {
			e = func(f float32) uint64 { return toHalf(float64(f), "rn") }
		}
		return func(x, y uint64) uint64 { return e(f32(x))<<16 | e(f32(y)) }
	case isI(to) && fromF && in != "":
		return func(x, _ uint64) uint64 { return clamped(to, integral(fi.dec(pre(x)), in)) }
	case toF && isI(from) && mode == "rn" && !sat:
		return fromInteger(to, from, mode, fo)
	case toF && fromF && (mode != "" || in != "" || sat || tySize[to] > tySize[from]):
		if mode == "" {
			mode = "rn"
		}
		return func(x, _ uint64) uint64 {
			r := fo.enc(rounded(fi.dec(pre(x)), in, sat), mode)
			if ftz && to == "f32" {
				r = flush(r)
			}
			return r
		}
	}
	return nil
}

// clamped is what cvt to an integer makes of a number outside its range.
func clamped(to string, v float64) uint64 {
	w := tySize[to] * 8
	lo, hi := 0.0, math.Ldexp(1, w)
	if to[0] == 's' {
		lo, hi = -math.Ldexp(1, w-1), math.Ldexp(1, w-1)
	}
	switch {
	case v != v:
		return 0
	case v < lo:
		v = lo
	case v >= hi && to[0] == 's':
		return uint64(1)<<(w-1) - 1
	case v >= hi:
		return zx(^uint64(0), to)
	}
	if to[0] == 's' {
		return zx(uint64(int64(v)), to)
	}
	return uint64(v)
}

// fromInteger rounds once, from the integer.
func fromInteger(to, from, mode string, fo float) func(x, y uint64) uint64 {
	return func(x, _ uint64) uint64 {
		switch {
		case to == "f32" && from[0] == 's':
			return u32f(float32(sx(x, from)))
		case to == "f32":
			return u32f(float32(zx(x, from)))
		case from[0] == 's':
			return fo.enc(float64(sx(x, from)), mode)
		}
		return fo.enc(float64(zx(x, from)), mode)
	}
}

// rounded takes a number to an integer, where that is asked for, and into [0, 1].
func rounded(v float64, integer string, sat bool) float64 {
	if integer != "" {
		v = integral(v, integer)
	}
	if sat {
		if !(v > 0) {
			v = 0
		}
		v = min(v, 1)
	}
	return v
}
