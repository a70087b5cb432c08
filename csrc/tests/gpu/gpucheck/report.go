package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// This file is the report: what came of every part, as JSON and as a page.

// outcome is what came of a part.
type outcome string

const (
	passed outcome = "passed"
	failed outcome = "failed"
	notRun outcome = "not run"
)

// part is one thing that the command promises to try.
type part struct {
	Name     string  `json:"name"`
	Outcome  outcome `json:"outcome"`
	Detail   string  `json:"detail"`             // what was counted, or the reason
	Optional bool    `json:"optional,omitempty"` // not promised: that it could not run is no fault
	Seconds  float64 `json:"seconds"`            // that it took
}

// opTime is the time of one call of an op on the device, beside its bound.
type opTime struct {
	Pass         string  `json:"pass"`
	Op           string  `json:"op"`
	Sizes        string  `json:"sizes"`
	Seconds      float64 `json:"seconds"` // the median
	Least        float64 `json:"least_seconds"`
	Bytes        float64 `json:"bytes"`      // of the minimum (csrc/tests/gpu/cost)
	Operations   float64 `json:"operations"` // the same
	Bound        float64 `json:"bound_seconds"`
	ByOperations bool    `json:"bound_by_operations"` // they set the bound, not the bytes
}

// share is the part of the time that the bound explains.
func (o opTime) share() float64 { return o.Bound / o.Seconds }

// rate is the speed of a whole program.
type rate struct {
	Name            string  `json:"name"`
	TokensPerSecond float64 `json:"tokens_per_s"`
	Command         string  `json:"command"`
}

// machine is what was tried.
type machine struct {
	Device  string `json:"device"` // as `synehrgy doctor` says it, with the driver's version of CUDA and that of cuBLASLt
	Driver  string `json:"driver"`
	Toolkit string `json:"toolkit"`
	Library string `json:"library"`
}

// report is what the command found.
type report struct {
	Emulation bool `json:"emulation"`
	machine
	Taken   string   `json:"taken"` // when it began
	Seconds float64  `json:"seconds"`
	Parts   []part   `json:"parts"`
	Limits  string   `json:"limits"` // what the bounds were computed from
	Ops     []opTime `json:"ops"`
	Rates   []rate   `json:"rates"`
}

// named lists the parts of an outcome, those alone that are promised where only is set.
func (r *report) named(o outcome, promised bool) (names []string) {
	for _, p := range r.Parts {
		if p.Outcome == o && !(promised && p.Optional) {
			names = append(names, p.Name)
		}
	}
	return names
}

func (r *report) exitCode() int {
	switch {
	case len(r.named(failed, false)) > 0:
		return exitFailed
	case len(r.named(notRun, true)) > 0:
		return exitNotRun
	}
	return exitPassed
}

// verdict is the whole in a sentence.
func (r *report) verdict() string {
	s := fmt.Sprintf("%d of %d parts passed", len(r.named(passed, false)), len(r.Parts))
	if names := r.named(failed, false); names != nil {
		s += "; failed: " + strings.Join(names, ", ")
	}
	if names := r.named(notRun, false); names != nil {
		s += "; not run: " + strings.Join(names, ", ")
	}
	return s
}

// page writes the report for a person.
func (r *report) page() string {
	var b strings.Builder
	if r.Emulation {
		b.WriteString("# This is an emulation, not a GPU: it tries the flow of `./dev gpu-check`, and its times are left out\n\n")
	} else {
		b.WriteString("# GPU check\n\n")
	}
	fmt.Fprintf(&b, "%s.\n\n| | |\n|---|---|\n", r.verdict())
	for _, row := range [][2]string{
		{"device", r.Device}, {"driver", r.Driver}, {"toolkit", r.Toolkit}, {"library", r.Library}, {"begun", r.Taken},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], cell(row[1]))
	}
	b.WriteString("\n## Parts\n\n| part | outcome | what was counted, or why not |\n|---|---|---|\n")
	for _, p := range r.Parts {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", p.Name, p.Outcome, cell(p.Detail))
	}
	r.writeOps(&b)
	r.writeRates(&b)
	return b.String()
}

func (r *report) writeOps(b *strings.Builder) {
	if len(r.Ops) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Time of each op\n\nThe median of %d calls at the published shape (docs/cuda.md), each on cold caches, between two events. The bound is "+
		"the time for the least that the mathematics needs, %s; share is bound / time.\n\n", repeats, r.Limits)
	b.WriteString("| pass | op | time | least | bound | share | sizes |\n|---|---|---|---|---|---|---|\n")
	for _, o := range r.Ops {
		bound, share := "–", "–"
		if o.Bound > 0 {
			bound, share = fmt.Sprintf("%.2f µs", 1e6*o.Bound), fmt.Sprintf("%.0f %%", 100*o.share())
		}
		if o.ByOperations {
			bound += " (operations)"
		}
		fmt.Fprintf(b, "| %s | `%s` | %.2f µs | %.2f µs | %s | %s | %s |\n", o.Pass, o.Op, 1e6*o.Seconds, 1e6*o.Least, bound, share, o.Sizes)
	}
}

func (r *report) writeRates(b *strings.Builder) {
	if len(r.Rates) == 0 {
		return
	}
	b.WriteString("\n## Tokens a second\n\n| what | tokens/s | command |\n|---|---|---|\n")
	for _, x := range r.Rates {
		fmt.Fprintf(b, "| %s | %.0f | `%s` |\n", x.Name, x.TokensPerSecond, cell(x.Command))
	}
}

// cell is text as a cell of a table holds it.
func cell(text string) string {
	if text == "" {
		return "–"
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// write puts both files into a folder, each whole: under another name first.
func (r *report) write(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("the report is no JSON: %w", err)
	}
	err = os.MkdirAll(folder, 0o755)
	for name, content := range map[string]string{"gpu-report.json": string(text) + "\n", "gpu-report.md": r.page()} {
		path := filepath.Join(folder, name)
		if err == nil {
			err = os.WriteFile(path+".part", []byte(content), 0o644)
		}
		if err == nil {
			err = os.Rename(path+".part", path)
		}
		if err != nil {
			os.Remove(path + ".part")
			return fmt.Errorf("the report cannot be written: %w", err)
		}
	}
	return nil
}
