package cost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/ptxsim"
	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/symbol"
)

// This file has ptxsim execute the cases and counts what their kernels move and compute.

// kernel is what one kernel of an op did.
type kernel struct {
	name string
	ptxsim.Counts
}

// counted is a call with the kernels that served it.
type counted struct {
	call
	kernels []kernel
}

// execute runs the cases of the test program on ptxsim; it returns what the program says and what ptxsim counted.
func execute(tests, simulator string, ptx []string) (said string, counts []ptxsim.Counts, err error) {
	folder, err := os.MkdirTemp("", "cost")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "counts.json")
	command := exec.Command(tests, "--cost")
	command.Env = append(os.Environ(), "HOSTGPU_ORDER=fifo", "HOSTGPU_PTX="+strings.Join(ptx, ","), "HOSTGPU_PTXSIM="+simulator,
		"PTXSIM_COUNTS="+file)
	var out, trouble bytes.Buffer
	command.Stdout, command.Stderr = &out, &trouble // ptxsim holds the second until it has written the counts
	if err := command.Run(); err != nil {
		return "", nil, fmt.Errorf("%s: %w\n%s%s", command, err, out.String(), trouble.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", nil, fmt.Errorf("ptxsim left no counts: %w\n%s", err, trouble.String())
	}
	return out.String(), counts, json.Unmarshal(text, &counts)
}

// casesOf reads the lines "cost OP name=value ..." of the test program.
func casesOf(said string) (cases []counted, err error) {
	for _, line := range strings.Split(said, "\n") {
		rest, is := strings.CutPrefix(line, "cost ")
		if !is {
			continue
		}
		c, err := parseCall(rest)
		if err != nil {
			return nil, err
		}
		cases = append(cases, counted{call: c})
	}
	return cases, nil
}

// assign gives the kernels to the cases: those of an op begin with its name. Every formula must have one case, every kernel must
// have been launched by it, once, in one of its instances.
func assign(cases []counted, counts []ptxsim.Counts) error {
	var problems []error
	launched := map[string]bool{}
	for _, c := range counts {
		name, instance, err := symbol.Kernel(c.Kernel)
		if err != nil {
			return err
		}
		launched[name] = launched[name] || c.Launches > 0
		if c.Launches == 0 {
			continue
		}
		if c.Launches > 1 {
			problems = append(problems, fmt.Errorf("%s was launched %d times, the cases must launch it once", instance, c.Launches))
		}
		i := ownerOf(cases, name)
		if i < 0 {
			problems = append(problems, fmt.Errorf("the kernel %s belongs to no case", name))
			continue
		}
		cases[i].kernels = append(cases[i].kernels, kernel{name, c})
	}
	for _, name := range slices.Sorted(maps.Keys(launched)) {
		if !launched[name] {
			problems = append(problems, fmt.Errorf("the kernel %s is launched by no case of cost_cases.cpp", name))
		}
	}
	for _, f := range formulas {
		n := 0
		for _, c := range cases {
			if c.op == f.op && len(c.kernels) > 0 {
				n++
			}
		}
		if n != 1 {
			problems = append(problems, fmt.Errorf("%s has a formula and %d cases, one is wanted", f.op, n))
		}
	}
	return errors.Join(problems...)
}

// ownerOf is the case whose op's name begins the kernel's; -1: none.
func ownerOf(cases []counted, kernel string) int {
	for i, c := range cases {
		if strings.HasPrefix(kernel, c.op+"_") {
			return i
		}
	}
	return -1
}
