// Package cost relates what the kernels move and compute to the least that the mathematics needs. No clock is involved: ptxsim
// executes the PTX of one case of every op (cost_cases.cpp). Three tables of docs/cuda.md are its work: the minimum as formulas, the
// counted ratios, and the time that GPUs need for the minimum of the published shape at their published bandwidth and peaks, which is
// a bound and not a measurement. A ratio that grows by more than two per cent is a failure, and so is one beyond the limits of
// limits.go.
package cost

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/page"
)

// The code generators whose PTX is counted. The page is written from the first; the others must agree with it.
var generators = []string{"80", "100"}

// Check counts every case on the PTX in build, a folder that holds syn_gpu_tests, NAME.80.ptx and NAME.100.ptx, and compares the
// tables of docs with the counts, or writes them. It returns a line that says how much was counted.
func Check(build, simulator, docs string, write bool) (line string, err error) {
	kernels, ops := 0, 0
	for i, generator := range generators {
		cases, err := count(build, simulator, generator)
		if err == nil {
			err = errors.Join(tables(docs, cases, write && i == 0), withinLimits(cases))
		}
		if err != nil {
			return "", fmt.Errorf("PTX of compute_%s: %w", generator, err)
		}
		kernels, ops = 0, len(cases)
		for _, c := range cases {
			kernels += len(c.kernels)
		}
	}
	return fmt.Sprintf("cost: %d kernels of %d ops move and compute what %s says", kernels, ops, docs), nil
}

// count executes the cases on the PTX of a code generator.
func count(build, simulator, generator string) ([]counted, error) {
	ptx, err := ptxOf(build, generator)
	if err != nil {
		return nil, err
	}
	said, counts, err := execute(filepath.Join(build, "syn_gpu_tests"), simulator, ptx)
	if err != nil {
		return nil, err
	}
	cases, err := casesOf(said)
	if err != nil {
		return nil, err
	}
	return cases, assign(cases, counts)
}

// ptxOf lists the PTX of the kernels in a folder.
func ptxOf(build, generator string) (files []string, err error) {
	all, err := filepath.Glob(filepath.Join(build, "*."+generator+".ptx"))
	for _, f := range all {
		if !strings.HasPrefix(filepath.Base(f), "probes.") { // of the testers' own tests
			files = append(files, f)
		}
	}
	if err == nil && files == nil {
		err = fmt.Errorf("no .%s.ptx in %q", generator, build)
	}
	return files, err
}

// tables compares the three tables of the page with what is known now, or writes them.
func tables(docs string, cases []counted, write bool) error {
	exactly := func(said, now string) error {
		if said != now {
			return fmt.Errorf("the page says\n%snow it is\n%s", said, now)
		}
		return nil
	}
	var problems []error
	for _, t := range []struct {
		name   string
		render func() (string, error)
		judge  func(said, now string) error
	}{
		{"cost minimum", func() (string, error) { return minimumTable(cases) }, exactly},
		{"cost counted", func() (string, error) { return countedTable(cases) }, compare},
		{"cost bound", boundTable, exactly},
	} {
		now, err := t.render()
		if err != nil {
			return err
		}
		if write {
			if err := page.Write(docs, t.name, now); err != nil {
				return err
			}
			continue
		}
		said, err := page.Read(docs, t.name)
		if err != nil {
			return err
		}
		if err := t.judge(said, now); err != nil {
			problems = append(problems, fmt.Errorf("%s, table %q (-write makes it so): %w", docs, t.name, err))
		}
	}
	return errors.Join(problems...)
}
