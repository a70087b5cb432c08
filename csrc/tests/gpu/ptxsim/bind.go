package ptxsim

import (
	"errors"
	"fmt"
	"math/bits"
)

// Binding turns a parsed instruction into a closure over register numbers, once, when the module is loaded. What has no
// binder, or a modifier that its binder does not know, is an error then.

var errUnsupported = errors.New("unsupported instruction")

// binders by the first word of the instruction; everything else is lane-wise arithmetic (arith.go).
var binders map[string]func(*Kernel, *inst) error

func init() {
	binders = map[string]func(*Kernel, *inst) error{
		"ld": (*Kernel).bindMem, "st": (*Kernel).bindMem, "atom": (*Kernel).bindAtom, "red": (*Kernel).bindAtom,
		"cp": (*Kernel).bindCp, "ldmatrix": (*Kernel).bindLdmatrix, "mma": (*Kernel).bindMMA,
		"mov": (*Kernel).bindMov, "bfi": (*Kernel).bindBfi, "selp": (*Kernel).bindSelp, "lop3": (*Kernel).bindLop3,
		"setp": (*Kernel).bindSetp, "cvt": (*Kernel).bindCvt, "cvta": (*Kernel).bindCvta,
		"bra": (*Kernel).bindBra, "ret": (*Kernel).bindRet, "exit": (*Kernel).bindRet, "trap": (*Kernel).bindTrap,
		"bar": (*Kernel).bindBar, "barrier": (*Kernel).bindBar, "membar": (*Kernel).bindFence, "fence": (*Kernel).bindFence,
		"shfl": (*Kernel).bindShfl, "vote": (*Kernel).bindVote, "match": (*Kernel).bindVote, "redux": (*Kernel).bindVote,
		"activemask": (*Kernel).bindActiveMask,
	}
}

func (k *Kernel) finish() error {
	for _, in := range k.insts {
		if err := k.bind(in); err != nil {
			return fmt.Errorf("%s: ptx line %d: %q: %w", k.Name, in.line, in.text, err)
		}
	}
	return nil
}

func (k *Kernel) bind(in *inst) (err error) {
	defer func() { // reg gives up this way
		if e := recover(); e == any(errUnsupported) {
			err = errUnsupported
		} else if e != nil {
			panic(e)
		}
	}()
	if b := binders[in.op[0]]; b != nil {
		if err := b(k, in); err != nil {
			return err
		}
	} else {
		bindArith(in)
	}
	if in.exec == nil {
		return errUnsupported
	}
	return nil
}

// reg is the register of operand i.
func (in *inst) reg(i int) int {
	if i >= len(in.args) || in.args[i].kind != kindRegister {
		panic(errUnsupported)
	}
	return in.args[i].reg
}

func (in *inst) typ() string { return in.op[len(in.op)-1] }

func bindArith(in *inst) {
	n, f := arith(in.op)
	if f == nil {
		return
	}
	switch operands := len(in.args) - 1; {
	case n == 1 && operands == 1:
		in.exec = alu1(in.reg(0), in.reg(1), func(x uint64) uint64 { return f(x, 0, 0) })
	case n == 2 && operands == 2:
		in.exec = alu2(in.reg(0), in.reg(1), in.reg(2), func(x, y uint64) uint64 { return f(x, y, 0) })
	case n == 3 && operands == 3:
		in.exec = alu3(in.reg(0), in.reg(1), in.reg(2), in.reg(3), f)
	case n == 2 && operands == 3 && (in.op[0] == "min" || in.op[0] == "max"): // three operands, sm_100 on
		in.exec = alu3(in.reg(0), in.reg(1), in.reg(2), in.reg(3), func(x, y, z uint64) uint64 { return f(f(x, y, 0), z, 0) })
	}
}

func has(op []string, s string) bool {
	for _, o := range op {
		if o == s {
			return true
		}
	}
	return false
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// The last digit of an integer type names its width (8, 16, 32, 64): no map look-up per lane.
func sx(v uint64, ty string) int64 {
	switch ty[len(ty)-1] {
	case '8':
		return int64(int8(v))
	case '6':
		return int64(int16(v))
	case '2':
		return int64(int32(v))
	}
	return int64(v)
}

func zx(v uint64, ty string) uint64 {
	switch ty[len(ty)-1] {
	case '8':
		return v & 0xff
	case '6':
		return v & 0xffff
	case '2':
		return v & 0xffffffff
	}
	return v
}

func (k *Kernel) symAddr(n string) (uint64, bool) {
	if s, ok := k.sharedVar[n]; ok {
		return uint64(s.off), true
	}
	if k.dynSym[n] {
		return uint64((k.staticSm + 127) &^ 127), true // bound after all shared declarations
	}
	return 0, false
}

func alu1(d, a int, f func(x uint64) uint64) func(*Warp, uint32) {
	return func(w *Warp, m uint32) {
		D, A := &w.r[d], &w.r[a]
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			D[l] = f(A[l])
		}
	}
}

func alu2(d, a, b int, f func(x, y uint64) uint64) func(*Warp, uint32) {
	return func(w *Warp, m uint32) {
		D, A, B := &w.r[d], &w.r[a], &w.r[b]
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			D[l] = f(A[l], B[l])
		}
	}
}

func alu3(d, a, b, c int, f func(x, y, z uint64) uint64) func(*Warp, uint32) {
	return func(w *Warp, m uint32) {
		D, A, B, C := &w.r[d], &w.r[a], &w.r[b], &w.r[c]
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			D[l] = f(A[l], B[l], C[l])
		}
	}
}
