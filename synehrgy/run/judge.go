package run

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/report"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
)

// This file judges a synthetic cohort.

// ResultsFile is what an evaluation writes.
const ResultsFile = "results.json"

// EvaluateInput names the cohorts of an evaluation. A divided cohort gives its train split as Train and its held-out split
// as Test.
type EvaluateInput struct {
	Train, Test, Synthetic string
	Model                  string // checkpoint, for the facts of the report; may be empty
	Out                    string
}

// Evaluated is what evaluate tells.
type Evaluated struct {
	facts
	Results *evaluate.Results
}

// Gate returns the *fault.Quality that the configuration asks for, when the results miss it.
func (e *Evaluated) Gate(config Config) error { return gate(e.Results, config) }

// Evaluate judges a cohort and writes results.json and report.html.
func Evaluate(ctx context.Context, env *Environment, in EvaluateInput) (*Evaluated, error) {
	if err := newOutput(in.Out); err != nil {
		return nil, err
	}
	facts := []report.Fact{{Key: "Train", Value: in.Train}, {Key: "Test", Value: in.Test}, {Key: "Synthetic", Value: in.Synthetic}}
	if in.Model != "" {
		f, err := modelFacts(in.Model)
		if err != nil {
			return nil, err
		}
		facts = append(facts, f...)
	}
	return judge(ctx, env, in, func(folder string, results *evaluate.Results) error {
		return report.Write(filepath.Join(folder, ReportFile), report.Page{
			Title: "Synthetic patients after " + results.Source, Creator: "synehrgy " + env.Version, Facts: facts, Results: results,
		})
	})
}

// judge evaluates and writes results.json, and with it what extra, where given, adds to the folder.
func judge(ctx context.Context, env *Environment, in EvaluateInput, extra func(folder string, results *evaluate.Results) error) (*Evaluated, error) {
	env.Observer.Stage("evaluate")
	input, err := readSides(ctx, env, in)
	if err != nil {
		return nil, err
	}
	results, err := env.compare(ctx, input)
	if err != nil {
		return nil, err
	}
	err = checkpoint.WriteDir(in.Out, func(folder string) error {
		if err := results.WriteJSON(filepath.Join(folder, ResultsFile)); err != nil || extra == nil {
			return err
		}
		return extra(folder, results)
	})
	if err != nil {
		return nil, err
	}
	var f facts
	for _, v := range results.Verdicts {
		f = append(f, fact{fmt.Sprintf("%-5s %s", v.State, v.ID), v.Text})
	}
	return &Evaluated{f, results}, nil
}

func (e *Environment) compare(ctx context.Context, in evaluate.Input) (*evaluate.Results, error) {
	device, err := e.Device()
	if err != nil {
		return nil, err
	}
	return evaluate.Run(ctx, in, evaluate.Options{
		Seed: e.Config.Seed, Bootstrap: e.Config.Evaluate.Bootstrap, Threads: device.Threads(),
		Trees: trees{engine.NewTrees(1)}, Neighbours: neighbours{engine.NewNeighbours(device)}, Logger: e.Logger,
		Progress: func(done, total int, what string) { e.Observer.Step(int64(done), int64(total), what) },
	})
}

func readSides(ctx context.Context, env *Environment, in EvaluateInput) (evaluate.Input, error) {
	train, err := ReadCohort(ctx, env, in.Train)
	if err != nil {
		return evaluate.Input{}, err
	}
	test := train
	if filepath.Clean(in.Test) != filepath.Clean(in.Train) {
		if test, err = ReadCohort(ctx, env, in.Test); err != nil {
			return evaluate.Input{}, err
		}
	}
	synthetic, err := ReadCohort(ctx, env, in.Synthetic)
	if err != nil {
		return evaluate.Input{}, err
	}
	out := evaluate.Input{Train: part(train, ehr.Train), HeldOut: part(test, ehr.HeldOut), Synthetic: synthetic}
	for _, side := range []struct {
		path string
		c    *ehr.Cohort
	}{{in.Train, out.Train}, {in.Test, out.HeldOut}} {
		if len(side.c.Patients) == 0 {
			return evaluate.Input{}, &fault.Input{File: side.path, Found: "no patient on its side of the comparison", Expected: "training patients and held-out patients, one or more of each"}
		}
	}
	return out, nil
}

// part is the patients of a split, or all of them where nobody is in a split.
func part(c *ehr.Cohort, s ehr.Split) *ehr.Cohort {
	for i := range c.Patients {
		if c.Patients[i].Split != ehr.NoSplit {
			return c.Only(s)
		}
	}
	return c
}

// gate holds the results against what the user demands.
func gate(results *evaluate.Results, config Config) error {
	if !config.Evaluate.Gate.NoLeak {
		return nil
	}
	seen := false
	for _, v := range results.Verdicts {
		if strings.HasPrefix(v.ID, "privacy.") && v.State == "fail" {
			return &fault.Quality{Message: "the quality gate no_leak is missed: " + v.Text}
		}
		seen = seen || v.ID == "control.planted_copies" && v.State == "pass"
	}
	if !seen {
		return &fault.Quality{Message: "the quality gate no_leak is missed: the audits did not see the planted copies, so they can vouch for nothing"}
	}
	return nil
}

// BenchEvaluate judges one simulated cohort against another, for timing.
func BenchEvaluate(ctx context.Context, env *Environment, patients int) error {
	var sides [3]*ehr.Cohort
	for i := range sides {
		c, err := simulate.Cohort(simulate.Options{Patients: patients, Seed: env.Config.Seed + uint64(i)})
		if err != nil {
			return err
		}
		sides[i] = c
	}
	_, err := env.compare(ctx, evaluate.Input{Train: sides[0], HeldOut: sides[1], Synthetic: sides[2]})
	return err
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return checkpoint.WriteFile(path, append(text, '\n'))
}
