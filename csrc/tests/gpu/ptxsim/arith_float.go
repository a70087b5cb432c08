package ptxsim

import "math"

func floatOp(name, ty, mode, kind string, nan bool, fl float) (int, func(x, y, z uint64) uint64) {
	dec, enc := fl.dec, fl.enc
	un := func(g func(float64) float64) (int, func(x, y, z uint64) uint64) {
		return 1, func(x, _, _ uint64) uint64 { return enc(g(dec(x)), mode) }
	}
	sign := uint64(1) << (tySize[ty]*8 - 1)
	switch name {
	case "add", "sub":
		return 2, floatAdd(ty, mode, name == "sub", fl)
	case "mul":
		return 2, func(x, y, _ uint64) uint64 { return enc(dec(x)*dec(y), mode) }
	case "fma", "mad":
		return 3, func(x, y, z uint64) uint64 {
			if ty == "f64" {
				return enc(math.FMA(dec(x), dec(y), dec(z)), mode)
			}
			return enc(addOdd(dec(x)*dec(y), dec(z)), mode)
		}
	case "div":
		return 2, func(x, y, _ uint64) uint64 { return enc(dec(x)/dec(y), mode) }
	case "min", "max":
		return 2, floatChoose(mode, name == "max", nan, fl)
	case "neg":
		return 1, func(x, _, _ uint64) uint64 { return x ^ sign }
	case "abs":
		return 1, func(x, _, _ uint64) uint64 { return x &^ sign }
	case "copysign": // the sign of the first, the magnitude of the second
		return 2, func(x, y, _ uint64) uint64 { return x&sign | y&^sign }
	case "sqrt":
		return un(math.Sqrt)
	case "rcp":
		return un(func(v float64) float64 { return 1 / v })
	}
	if kind != "approx" {
		return 0, nil
	}
	switch name {
	case "rsqrt":
		return un(func(v float64) float64 { return 1 / math.Sqrt(v) })
	case "ex2":
		return un(math.Exp2)
	case "lg2":
		return un(math.Log2)
	case "tanh":
		return un(math.Tanh)
	case "sin":
		return un(math.Sin)
	case "cos":
		return un(math.Cos)
	}
	return 0, nil
}

func floatAdd(ty, mode string, negate bool, fl float) laneOp {
	if ty == "f32" && mode == "rn" { // the common case, quickly
		return func(x, y, _ uint64) uint64 {
			b := f32(y)
			if negate {
				b = -b
			}
			if s := f32(x) + b; s == s {
				return u32f(s)
			}
			return 0x7fffffff
		}
	}
	return func(x, y, _ uint64) uint64 {
		b := fl.dec(y)
		if negate {
			b = -b
		}
		if ty == "f64" {
			return fl.enc(fl.dec(x)+b, mode)
		}
		return fl.enc(addOdd(fl.dec(x), b), mode)
	}
}

func floatChoose(mode string, larger, nan bool, fl float) laneOp {
	return func(x, y, _ uint64) uint64 {
		a, b := fl.dec(x), fl.dec(y)
		switch {
		case a != a && b != b || nan && (a != a || b != b):
			return fl.enc(math.NaN(), mode)
		case a != a:
			return y
		case b != b:
			return x
		case larger == (a > b) && a != b || a == b && larger != math.Signbit(a):
			return x
		}
		return y
	}
}
