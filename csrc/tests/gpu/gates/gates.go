package main

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/page"
	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/symbol"
)

// kernel is one instantiation on one architecture.
type kernel struct {
	source, name, arch string // name without template arguments
	instance           string // with them
	registers          int
	stack, spill       int // bytes
}

var (
	entryLine = regexp.MustCompile(`Compiling entry function '([^']+)' for 'sm_(\w+)'`)
	stackLine = regexp.MustCompile(`(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads`)
	usedLine  = regexp.MustCompile(`Used (\d+) registers`)
)

// parse reads what ptxas -v said of one source.
func parse(source, text string) ([]kernel, error) {
	var out []kernel
	for _, line := range strings.Split(text, "\n") {
		if m := entryLine.FindStringSubmatch(line); m != nil {
			name, instance, err := symbol.Kernel(m[1])
			if err != nil {
				return nil, err
			}
			out = append(out, kernel{source: source, name: name, instance: instance, arch: m[2]})
		}
		if len(out) == 0 {
			continue
		}
		last := &out[len(out)-1]
		if m := stackLine.FindStringSubmatch(line); m != nil {
			stores, loads := number(m[2]), number(m[3])
			last.stack, last.spill = number(m[1]), stores+loads
		}
		if m := usedLine.FindStringSubmatch(line); m != nil {
			last.registers = number(m[1])
		}
	}
	for _, k := range out {
		if k.registers == 0 {
			return nil, fmt.Errorf("%s: ptxas says nothing of the registers of %s on sm_%s", source, k.instance, k.arch)
		}
	}
	return out, nil
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // the expressions match digits only
	return n
}

// check holds every kernel to no spills, no stack, and a place in every architecture.
func check(kernels []kernel, architectures []string) error {
	var problems []error
	seen := map[string]map[string]bool{}
	for _, k := range kernels {
		if k.stack > 0 || k.spill > 0 {
			problems = append(problems, fmt.Errorf("%s on sm_%s: %d bytes of stack, %d spilled", k.instance, k.arch, k.stack, k.spill))
		}
		if seen[k.instance] == nil {
			seen[k.instance] = map[string]bool{}
		}
		seen[k.instance][k.arch] = true
	}
	for instance, on := range seen {
		for _, arch := range architectures {
			if !on[arch] {
				problems = append(problems, fmt.Errorf("%s was not compiled for sm_%s", instance, arch))
			}
		}
	}
	return errors.Join(problems...)
}

// What the machine code of a source must hold.
var wanted = map[string][]string{
	"attention_forward":  {"HMMA.16816.F32.BF16", "LDSM.16.M88.4", "LDSM.16.MT88.4", "LDGSTS.E.BYPASS.128", "MUFU.EX2"},
	"attention_backward": {"HMMA.16816.F32.BF16", "LDSM.16.M88.4", "LDSM.16.MT88.4", "LDGSTS.E.BYPASS.128", "MUFU.EX2"},
	"nearest":            {"LDS.128", "LDGSTS.E.BYPASS.128", "DFMA"},
}

// Sources that are meant to compute in double precision.
var doubles = map[string]bool{"grad_norm": true, "adamw": true, "muon": true, "sample": true, "nearest": true}

var (
	instruction  = regexp.MustCompile(`(?m)^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)`)
	doubleOp     = regexp.MustCompile(`^(DADD|DMUL|DFMA|DSETP)`)
	localMemory  = regexp.MustCompile(`^(LDL|STL)`)
	floatAtomics = regexp.MustCompile(`^(ATOM|ATOMG|ATOMS|RED|REDG)\b.*\.F(16|32|64)`)
)

// judge reads the machine code of a source; it returns the number of instructions.
func judge(source, arch, sass string) (int, error) {
	found := instruction.FindAllStringSubmatch(sass, -1)
	if len(found) == 0 {
		return 0, fmt.Errorf("%s: no machine code for sm_%s", source, arch)
	}
	for _, m := range found {
		switch op := m[1]; {
		case localMemory.MatchString(op):
			return 0, fmt.Errorf("%s on sm_%s uses local memory: %s", source, arch, op)
		case floatAtomics.MatchString(op):
			return 0, fmt.Errorf("%s on sm_%s adds floats atomically: %s", source, arch, op)
		case doubleOp.MatchString(op) && !doubles[source]:
			return 0, fmt.Errorf("%s on sm_%s computes in double precision: %s", source, arch, op)
		}
	}
	for _, want := range wanted[source] {
		if !strings.Contains(sass, want) {
			return 0, fmt.Errorf("%s on sm_%s lacks %s", source, arch, want)
		}
	}
	return len(found), nil
}

func names(kernels []kernel) []string {
	seen := map[string]bool{}
	var out []string
	for _, k := range kernels {
		if key := k.source + "/" + k.name; !seen[key] {
			seen[key] = true
			out = append(out, key)
		}
	}
	sort.Strings(out)
	return out
}

// render is the table of registers: a row a kernel, the fewest and the most of its instances on each shipped architecture.
func render(kernels []kernel) string {
	var b strings.Builder
	b.WriteString("| kernel | instances | sm_" + strings.Join(shipped, " | sm_") + " |\n|---|---|" + strings.Repeat("---|", len(shipped)) + "\n")
	for _, key := range names(kernels) {
		source, name, _ := strings.Cut(key, "/")
		instances := map[string]bool{}
		low, high := map[string]int{}, map[string]int{}
		for _, k := range kernels {
			if k.source != source || k.name != name {
				continue
			}
			instances[k.instance] = true
			if low[k.arch] == 0 || k.registers < low[k.arch] {
				low[k.arch] = k.registers
			}
			high[k.arch] = max(high[k.arch], k.registers)
		}
		fmt.Fprintf(&b, "| `%s` | %d |", name, len(instances))
		for _, arch := range shipped {
			if low[arch] == high[arch] {
				fmt.Fprintf(&b, " %d |", low[arch])
			} else {
				fmt.Fprintf(&b, " %d to %d |", low[arch], high[arch])
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// table compares the table of the page with the kernels, or writes it.
func table(path string, kernels []kernel, write bool) error {
	now := render(kernels)
	if write {
		return page.Write(path, "gates", now)
	}
	said, err := page.Read(path, "gates")
	if err == nil && said != now {
		err = fmt.Errorf("the table of %s is not what was compiled; -write makes it so. Now:\n%s", path, now)
	}
	return err
}
