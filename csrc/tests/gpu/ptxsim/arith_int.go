package ptxsim

import (
	"math/bits"
	"strings"
)

// intType is an integer type: its name for sx and zx, sign, width in bits.
type intType struct {
	name   string
	signed bool
	width  uint64
}

type laneOp func(x, y, z uint64) uint64

// intOps by name: the operand count and the function for a type and what else the instruction says (hi, wide, wrap …).
var intOps = map[string]struct {
	operands int
	of       func(t intType, kind string) laneOp
}{
	"add": {2, func(t intType, _ string) laneOp { return func(x, y, _ uint64) uint64 { return t.cut(x + y) } }},
	"sub": {2, func(t intType, _ string) laneOp { return func(x, y, _ uint64) uint64 { return t.cut(x - y) } }},
	"and": {2, func(t intType, _ string) laneOp { return func(x, y, _ uint64) uint64 { return t.cut(x & y) } }},
	"or":  {2, func(t intType, _ string) laneOp { return func(x, y, _ uint64) uint64 { return t.cut(x | y) } }},
	"xor": {2, func(t intType, _ string) laneOp { return func(x, y, _ uint64) uint64 { return t.cut(x ^ y) } }},
	"not": {1, func(t intType, _ string) laneOp { return func(x, _, _ uint64) uint64 { return t.cut(^x) } }},
	"neg": {1, func(t intType, _ string) laneOp { return func(x, _, _ uint64) uint64 { return t.cut(-x) } }},
	"mul": {2, intMul},
	"mad": {3, intMad},
	"abs": {1, intAbs},
	"min": {2, func(t intType, _ string) laneOp { return intChoose(t, true) }},
	"max": {2, func(t intType, _ string) laneOp { return intChoose(t, false) }},
	"div": {2, func(t intType, _ string) laneOp { return intDivide(t, true) }},
	"rem": {2, func(t intType, _ string) laneOp { return intDivide(t, false) }},
	"shl": {2, func(t intType, _ string) laneOp { return func(x, y, _ uint64) uint64 { return t.cut(x << shift(y)) } }},
	"shr": {2, intShiftRight},
	"shf": {3, intFunnel},
	"popc": {1, func(t intType, _ string) laneOp {
		return func(x, _, _ uint64) uint64 { return uint64(bits.OnesCount64(t.cut(x))) }
	}},
	"clz": {1, func(t intType, _ string) laneOp {
		return func(x, _, _ uint64) uint64 { return leading(t.cut(x)) - (64 - t.width) }
	}},
	"brev": {1, func(t intType, _ string) laneOp {
		return func(x, _, _ uint64) uint64 { return bits.Reverse64(x) >> (64 - t.width) }
	}},
	"bfind": {1, intFind},
	"bfe":   {3, intExtract},
	"prmt":  {3, func(intType, string) laneOp { return permute }},
}

func intOp(name, ty, kind string) (int, func(x, y, z uint64) uint64) {
	t := intType{ty, ty[0] == 's', uint64(tySize[ty] * 8)}
	op, known := intOps[name]
	if !known || t.width == 0 {
		return 0, nil
	}
	return op.operands, op.of(t, kind)
}

func (t intType) cut(x uint64) uint64 { return zx(x, t.name) }
func (t intType) num(x uint64) int64  { return sx(x, t.name) }

func shift(y uint64) uint64   { return min(y&0xffffffff, 64) }
func leading(x uint64) uint64 { return uint64(bits.LeadingZeros64(x)) }

// product of x and y: the upper half, the whole of it in twice the width, or the lower half.
func product(t intType, kind string, x, y uint64) uint64 {
	switch {
	case kind == "wide" && !t.signed:
		return t.cut(x) * t.cut(y)
	case kind != "hi":
		return uint64(t.num(x) * t.num(y))
	case t.width < 64 && t.signed:
		return uint64(t.num(x)*t.num(y)) >> t.width
	case t.width < 64:
		return t.cut(x) * t.cut(y) >> t.width
	}
	high, _ := bits.Mul64(x, y)
	if t.signed && int64(x) < 0 {
		high -= y
	}
	if t.signed && int64(y) < 0 {
		high -= x
	}
	return high
}

func fit(t intType, kind string, x uint64) uint64 {
	switch {
	case kind == "wide" && t.width == 16:
		return x & 0xffffffff
	case kind == "wide":
		return x
	}
	return t.cut(x)
}

func intMul(t intType, kind string) laneOp {
	return func(x, y, _ uint64) uint64 { return fit(t, kind, product(t, kind, x, y)) }
}

func intMad(t intType, kind string) laneOp {
	return func(x, y, z uint64) uint64 { return fit(t, kind, product(t, kind, x, y)+z) }
}

func intAbs(t intType, _ string) laneOp {
	return func(x, _, _ uint64) uint64 { return t.cut(uint64(max(t.num(x), -t.num(x)))) }
}

func intChoose(t intType, smaller bool) laneOp {
	return func(x, y, _ uint64) uint64 {
		less := t.cut(x) < t.cut(y)
		if t.signed {
			less = t.num(x) < t.num(y)
		}
		if less == smaller {
			return t.cut(x)
		}
		return t.cut(y)
	}
}

func intDivide(t intType, quotient bool) laneOp {
	return func(x, y, _ uint64) uint64 {
		switch {
		case t.cut(y) == 0:
			panic(trap{"integer division by zero"})
		case t.signed && quotient:
			return t.cut(uint64(t.num(x) / t.num(y)))
		case t.signed:
			return t.cut(uint64(t.num(x) % t.num(y)))
		case quotient:
			return t.cut(x) / t.cut(y)
		}
		return t.cut(x) % t.cut(y)
	}
}

func intShiftRight(t intType, _ string) laneOp {
	if t.signed {
		return func(x, y, _ uint64) uint64 { return t.cut(uint64(t.num(x) >> min(shift(y), 63))) }
	}
	return func(x, y, _ uint64) uint64 { return t.cut(x) >> shift(y) }
}

// intFunnel shifts the pair {y:x}.
func intFunnel(_ intType, kind string) laneOp {
	return func(x, y, z uint64) uint64 {
		v, c := y<<32|x&0xffffffff, z&31
		if strings.HasSuffix(kind, "clamp") {
			c = min(z&0xffffffff, 32)
		}
		if kind[0] == 'l' {
			return v << c >> 32
		}
		return v >> c & 0xffffffff
	}
}

func intFind(t intType, kind string) laneOp {
	return func(x, _, _ uint64) uint64 {
		if t.signed && t.num(x) < 0 {
			x = ^x
		}
		n := uint64(bits.Len64(t.cut(x)))
		switch {
		case n == 0:
			return 0xffffffff
		case kind == "shiftamt":
			return t.width - n
		}
		return n - 1
	}
}

func intExtract(t intType, _ string) laneOp {
	return func(x, p, n uint64) uint64 {
		p, n = p&0xff, n&0xff
		v := t.cut(x) >> min(p, 64)
		if n < t.width {
			v &= 1<<n - 1
		}
		if t.signed && n > 0 && n < t.width && x>>min(p+n-1, t.width-1)&1 == 1 {
			v |= ^uint64(0) << n
		}
		return t.cut(v)
	}
}

// permute picks four bytes of {y:x}, or their signs.
func permute(x, y, z uint64) uint64 {
	v, r := y<<32|x&0xffffffff, uint64(0)
	for i := uint64(0); i < 4; i++ {
		s := z >> (4 * i)
		b := v >> (8 * (s & 7)) & 0xff
		if s&8 != 0 {
			b = uint64(uint8(int8(b) >> 7))
		}
		r |= b << (8 * i)
	}
	return r
}
