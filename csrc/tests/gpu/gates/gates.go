package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
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
			name, instance, err := demangle(m[1])
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

// demangle finds the function in a mangled nested name, with its integer template arguments.
func demangle(mangled string) (name, instance string, err error) {
	rest := strings.TrimPrefix(mangled, "_ZN")
	for len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 || end+number(rest[:end]) > len(rest) {
			break
		}
		size := number(rest[:end])
		name, rest = rest[end:end+size], rest[end+size:]
	}
	if name == "" {
		return "", "", fmt.Errorf("cannot read the name %s", mangled)
	}
	var arguments []string
	if strings.HasPrefix(rest, "I") {
		for _, m := range regexp.MustCompile(`^I((?:Li\d+E)+)E`).FindAllStringSubmatch(rest, 1) {
			arguments = strings.Split(strings.TrimSuffix(strings.ReplaceAll(m[1], "Li", ""), "E"), "E")
		}
	}
	if len(arguments) == 0 {
		return name, name, nil
	}
	return name, name + "<" + strings.Join(arguments, ", ") + ">", nil
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
}

// Sources that are meant to compute in double precision.
var doubles = map[string]bool{"grad_norm": true, "adamw": true, "sample": true}

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

const begin, end = "<!-- gates: begin -->\n", "<!-- gates: end -->\n"

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
func table(page string, kernels []kernel, write bool) error {
	raw, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text := string(raw)
	from, to := strings.Index(text, begin), strings.Index(text, end)
	if from < 0 || to < from {
		return fmt.Errorf("%s has no place for the table", page)
	}
	from += len(begin)
	now := render(kernels)
	if write {
		return os.WriteFile(page, []byte(text[:from]+now+text[to:]), 0o644)
	}
	if text[from:to] != now {
		return fmt.Errorf("the table of %s is not what was compiled; -write makes it so. Now:\n%s", page, now)
	}
	return nil
}
