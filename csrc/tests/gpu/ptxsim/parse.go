// Package ptxsim interprets the PTX that nvcc makes of our own kernels: the code that ptxas
// would be given, inline PTX included, with a memory, init and race check on every access.
// An instruction it does not know is an error at load time, never skipped.
package ptxsim

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

type Module struct {
	Kernels map[string]*Kernel
	shared  map[string]sym // module-scope shared variables; size -1: dynamic
}
type sym struct{ align, size, off int }
type param struct{ off, size int }
type Kernel struct {
	Name      string
	insts     []*inst
	labels    map[string]int
	nregs     int
	consts    map[uint64]int
	special   map[string]int
	params    map[string]param
	ParamSize int
	sharedVar map[string]sym
	staticSm  int
	dynSym    map[string]bool
	traffic   traffic
}
type inst struct {
	text    string
	op      []string
	args    []arg
	pred    int // register, or -1
	neg     bool
	mask    int  // register with the lanes that meet at this instruction, or -1
	barrier bool // of the block
	line    int
	two     bool // written d|q
	exec    func(w *Warp, m uint32)
	// statistics
	n, lanes, waves, ideal, sectors, idealSectors, leastSectors uint64
}

const (
	kindRegister = iota
	kindSymbol   // or label
	kindMemory   // [register or symbol + offset]
	kindVector
)

type arg struct {
	kind int
	reg  int
	name string
	off  int64
	vec  []arg
	neg  bool // !predicate
}

var headLine = regexp.MustCompile(`^\.(version|target|address_size)\b`)
var regDecl = regexp.MustCompile(`^(%?[A-Za-z_$][\w$]*)<(\d+)>$`)

func Parse(src string) (*Module, error) {
	m := &Module{Kernels: map[string]*Kernel{}, shared: map[string]sym{}}
	src = regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(src, "")
	src = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(src, "")
	var k *Kernel
	var scopes []map[string]int
	depth, cur := 0, ""
	line, startLine := 1, 1
	bad := func(e error) error { return fmt.Errorf("ptx line %d: %q: %w", startLine, strings.TrimSpace(cur), e) }
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '\n' {
			line++
		}
		t := strings.TrimSpace(cur)
		if t == "" {
			startLine = line
		}
		switch {
		case depth == 0 && c == '{' && (strings.Contains(t, ".entry") || strings.Contains(t, ".func")):
			if strings.Contains(t, ".func") {
				return nil, bad(fmt.Errorf("functions are not supported: let nvcc inline them"))
			}
			var err error
			if k, err = m.header(t); err != nil {
				return nil, bad(err)
			}
			m.Kernels[k.Name], depth, cur, scopes = k, 1, "", []map[string]int{{}}
		case depth > 0 && t == "" && c == '{':
			depth, scopes, cur = depth+1, append(scopes, map[string]int{}), ""
		case depth > 0 && t == "" && c == '}':
			depth, scopes, cur = depth-1, scopes[:len(scopes)-1], ""
			if depth == 0 {
				if err := k.finish(); err != nil {
					return nil, err
				}
			}
		case depth > 0 && c == ':' && regexp.MustCompile(`^[$\w]+$`).MatchString(t) && (i+1 >= len(src) || src[i+1] != ':'):
			k.labels[t], cur = len(k.insts), ""
		case c == ';':
			if err := m.statement(k, scopes, t, startLine); err != nil {
				return nil, bad(err)
			}
			cur = ""
		case depth == 0 && c == '\n' && headLine.MatchString(t):
			cur = ""
		case depth > 0 && c == '\n' && (strings.HasPrefix(t, ".loc") || strings.HasPrefix(t, ".file")):
			cur = ""
		default:
			cur += string(c)
		}
	}
	return m, nil
}

var tySize = map[string]int{
	"b8": 1, "u8": 1, "s8": 1, "pred": 1,
	"b16": 2, "u16": 2, "s16": 2, "f16": 2, "bf16": 2,
	"b32": 4, "u32": 4, "s32": 4, "f32": 4, "f16x2": 4, "bf16x2": 4,
	"b64": 8, "u64": 8, "s64": 8, "f64": 8,
}

func (m *Module) header(t string) (*Kernel, error) {
	k := &Kernel{
		labels: map[string]int{}, consts: map[uint64]int{}, special: map[string]int{},
		params: map[string]param{}, sharedVar: map[string]sym{}, dynSym: map[string]bool{},
	}
	a := strings.Index(t, "(")
	head := t
	if a >= 0 {
		head = t[:a]
		body := t[a+1 : strings.LastIndex(t, ")")]
		for _, p := range strings.Split(body, ",") {
			f := strings.Fields(p)
			if len(f) == 0 {
				continue
			}
			al, sz, n := 0, 0, 1
			for i := 1; i < len(f)-1; i++ {
				if f[i] == ".ptr" { // newer nvcc: what follows describes the pointee
					break
				}
				if f[i] == ".align" {
					al, _ = strconv.Atoi(f[i+1])
				}
				if s, ok := tySize[strings.TrimPrefix(f[i], ".")]; ok {
					sz = s
				}
			}
			name := f[len(f)-1]
			if j := strings.Index(name, "["); j >= 0 {
				n, _ = strconv.Atoi(strings.TrimSuffix(name[j+1:], "]"))
				name = name[:j]
			}
			if al == 0 {
				al = sz
			}
			k.ParamSize = (k.ParamSize + al - 1) / al * al
			k.params[name] = param{k.ParamSize, sz * n}
			k.ParamSize += sz * n
		}
	}
	f := strings.Fields(head)
	k.Name = f[len(f)-1]
	for n, s := range m.shared {
		if s.size < 0 {
			k.dynSym[n] = true
		} else {
			k.addShared(n, s)
		}
	}
	return k, nil
}
func (k *Kernel) addShared(n string, s sym) {
	k.staticSm = (k.staticSm + s.align - 1) / s.align * s.align
	s.off = k.staticSm
	k.staticSm += s.size
	k.sharedVar[n] = s
}
func (k *Kernel) newReg() int { k.nregs++; return k.nregs - 1 }
func (k *Kernel) konst(v uint64) int {
	r, ok := k.consts[v]
	if !ok {
		r = k.newReg()
		k.consts[v] = r
	}
	return r
}

// statement takes what stands before a semicolon: a declaration or an instruction.
func (m *Module) statement(k *Kernel, scopes []map[string]int, t string, line int) error {
	t = strings.Join(strings.Fields(t), " ")
	switch {
	case t == "", strings.HasPrefix(t, ".pragma"):
		return nil
	case strings.HasPrefix(t, ".") && strings.Contains(t, ".shared"):
		name, s := sharedVariable(t)
		if k == nil || len(scopes) == 0 {
			m.shared[name] = s
		} else {
			k.addShared(name, s)
		}
		return nil
	case k == nil || len(scopes) == 0:
		return fmt.Errorf("unsupported module-scope statement")
	case strings.HasPrefix(t, ".reg "):
		k.registers(scopes[len(scopes)-1], strings.SplitN(t, " ", 3)[2])
		return nil
	case strings.HasPrefix(t, "."):
		return fmt.Errorf("unsupported directive")
	}
	return k.instruction(scopes, t, line)
}

// sharedVariable reads a declaration like .shared .align 16 .b8 name[1024]; without a size it is dynamic.
func sharedVariable(t string) (string, sym) {
	f := strings.Fields(t)
	s, size := sym{align: 1, size: -1}, 1
	for i := range f {
		if f[i] == ".align" {
			s.align, _ = strconv.Atoi(f[i+1])
		}
		if z, ok := tySize[strings.TrimPrefix(f[i], ".")]; ok {
			size = z
		}
	}
	name, dimension, array := strings.Cut(f[len(f)-1], "[")
	switch dimension = strings.TrimSuffix(dimension, "]"); {
	case !array:
		s.size = size
	case dimension != "":
		n, _ := strconv.Atoi(dimension)
		s.size = n * size
	}
	return name, s
}

// registers declares names, or families like %r<99>.
func (k *Kernel) registers(scope map[string]int, names string) {
	for _, n := range strings.Split(names, ",") {
		n = strings.TrimSpace(n)
		g := regDecl.FindStringSubmatch(n)
		if g == nil {
			scope[n] = k.newReg()
			continue
		}
		count, _ := strconv.Atoi(g[2])
		for i := 0; i < count; i++ {
			scope[g[1]+strconv.Itoa(i)] = k.newReg()
		}
	}
}

func (k *Kernel) instruction(scopes []map[string]int, t string, line int) error {
	in := &inst{text: t, pred: -1, mask: -1, line: line}
	if t[0] == '@' {
		j := strings.Index(t, " ")
		p := t[1:j]
		if p[0] == '!' {
			in.neg, p = true, p[1:]
		}
		a, err := k.operand(scopes, p)
		if err != nil {
			return err
		}
		in.pred, t = a.reg, strings.TrimSpace(t[j:])
	}
	op, rest, _ := strings.Cut(t, " ")
	in.op = strings.Split(op, ".")
	in.two = strings.Contains(rest, "|")
	for _, s := range splitTop(rest) {
		a, err := k.operand(scopes, s)
		if err != nil {
			return err
		}
		in.args = append(in.args, a)
	}
	k.insts = append(k.insts, in)
	return nil
}

func splitTop(s string) (out []string) {
	d, st := 0, 0
	for i, c := range s {
		switch c {
		case '{', '[', '(':
			d++
		case '}', ']', ')':
			d--
		case ',':
			if d == 0 {
				out = append(out, strings.TrimSpace(s[st:i]))
				st = i + 1
			}
		case '|': // shfl / setp second destination
			if d == 0 {
				out = append(out, strings.TrimSpace(s[st:i]))
				st = i + 1
			}
		}
	}
	if t := strings.TrimSpace(s[st:]); t != "" {
		out = append(out, t)
	}
	return
}

func (k *Kernel) operand(scopes []map[string]int, s string) (arg, error) {
	if s == "" {
		return arg{}, fmt.Errorf("empty operand")
	}
	if s[0] == '{' {
		a := arg{kind: kindVector}
		for _, e := range splitTop(s[1 : len(s)-1]) {
			x, err := k.operand(scopes, e)
			if err != nil {
				return a, err
			}
			a.vec = append(a.vec, x)
		}
		return a, nil
	}
	if s[0] == '[' {
		return k.memory(scopes, strings.ReplaceAll(s[1:len(s)-1], " ", ""))
	}
	for i := len(scopes) - 1; i >= 0; i-- {
		if r, ok := scopes[i][s]; ok {
			return arg{reg: r}, nil
		}
	}
	if specials[s] != nil {
		r, ok := k.special[s]
		if !ok {
			r = k.newReg()
			k.special[s] = r
		}
		return arg{reg: r}, nil
	}
	if v, ok, err := constant(s); ok {
		return arg{reg: k.konst(v)}, err
	}
	if s[0] == '!' {
		a, err := k.operand(scopes, s[1:])
		a.neg = true
		return a, err
	}
	if s == "_" { // a result nobody wants
		return arg{reg: k.newReg()}, nil
	}
	return arg{kind: kindSymbol, name: s}, nil
}

// memory reads what stands in brackets: a register or symbol, and an offset.
func (k *Kernel) memory(scopes []map[string]int, in string) (arg, error) {
	a := arg{kind: kindMemory, reg: -1}
	base, offset, signed := strings.Cut(in, "+")
	if signed {
		var err error
		if a.off, err = strconv.ParseInt(offset, 0, 64); err != nil {
			return a, err
		}
	}
	b, err := k.operand(scopes, base)
	if b.kind == kindRegister {
		a.reg = b.reg
	} else {
		a.name = b.name
	}
	return a, err
}

// constant reads a number: 0f and 0d are the bits of a float and a double.
func constant(s string) (v uint64, is bool, err error) {
	switch c := s[0]; {
	case strings.HasPrefix(s, "0f"), strings.HasPrefix(s, "0F"):
		v, err = strconv.ParseUint(s[2:], 16, 32)
	case strings.HasPrefix(s, "0d"), strings.HasPrefix(s, "0D"):
		v, err = strconv.ParseUint(s[2:], 16, 64)
	case c == '-' || c >= '0' && c <= '9':
		s = strings.TrimSuffix(s, "U")
		n, e := strconv.ParseInt(s, 0, 64)
		if v = uint64(n); e != nil {
			v, err = strconv.ParseUint(s, 0, 64)
		}
	default:
		return 0, false, nil
	}
	return v, true, err
}

func f32(x uint64) float32  { return math.Float32frombits(uint32(x)) }
func u32f(f float32) uint64 { return uint64(math.Float32bits(f)) }
func f64(x uint64) float64  { return math.Float64frombits(x) }
func bf(x uint64) float32   { return math.Float32frombits(uint32(x) << 16) }
func tobf(f float32) uint64 {
	u := math.Float32bits(f)
	if f != f {
		return 0x7fff
	}
	return uint64((u + 0x7fff + (u >> 16 & 1)) >> 16)
}
