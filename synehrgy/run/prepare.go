package run

import (
	"context"
	"os"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/csv"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/meds"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// Prepared is what prepare tells.
type Prepared struct {
	Patients, Visits, Events int
	Report                   *table.Report
}

// Prepare reads the tables of a format, divides the patients and writes the cohort.
func Prepare(ctx context.Context, env *Environment, format, input, out string) (*Prepared, error) {
	if err := newOutput(out); err != nil {
		return nil, err
	}
	env.Observer.Stage("prepare")
	cohort, report, err := source.Read(ctx, format, input, env.tableOptions())
	if err != nil {
		return nil, err
	}
	if len(cohort.Patients) == 0 {
		return nil, &fault.Input{File: input, Found: "no patient", Expected: "one or more"}
	}
	report.Log(env.Logger)
	env.divide(cohort)
	if err := writeCohort(ctx, env, cohort, out, dropsFile, report); err != nil {
		return nil, err
	}
	return &Prepared{len(cohort.Patients), cohort.Visits(), cohort.Events(), report}, nil
}

// divide assigns the splits, unless the source came with splits of its own.
func (e *Environment) divide(c *ehr.Cohort) {
	for i := range c.Patients {
		if c.Patients[i].Split != ehr.NoSplit {
			return
		}
	}
	c.AssignSplits(e.Config.Seed, ehr.Shares{Train: e.Config.Prepare.TrainShare, Tuning: e.Config.Prepare.TuningShare})
}

// writeCohort writes a cohort and, where name is not empty, beside its metadata what the stage has to say of it.
func writeCohort(ctx context.Context, env *Environment, c *ehr.Cohort, out, name string, about any) error {
	o := meds.WriteOptions{Table: env.tableOptions()}
	if name != "" {
		o.Extra = func(folder string) error { return writeJSON(filepath.Join(folder, "metadata", name), about) }
	}
	return meds.Write(ctx, out, c, o)
}

// ReadCohort reads a cohort that prepare, simulate or generate wrote, or any other MEDS data set.
func ReadCohort(ctx context.Context, env *Environment, path string) (*ehr.Cohort, error) {
	cohort, report, err := meds.Read(ctx, path, env.tableOptions())
	if err != nil {
		return nil, err
	}
	report.Log(env.Logger)
	if len(cohort.Patients) == 0 {
		return nil, &fault.Input{File: path, Found: "no patient", Expected: "one or more"}
	}
	return cohort, nil
}

// Simulate draws a cohort from the built-in generative model, divides it and writes it.
func Simulate(ctx context.Context, env *Environment, patients int, out string) (*ehr.Cohort, error) {
	if err := newOutput(out); err != nil {
		return nil, err
	}
	env.Observer.Stage("simulate")
	cohort, err := simulate.Cohort(simulate.Options{Patients: patients, Seed: env.Config.Seed})
	if err != nil {
		return nil, err
	}
	env.divide(cohort)
	return cohort, writeCohort(ctx, env, cohort, out, "", nil)
}

// Export writes a cohort in another format.
func Export(ctx context.Context, env *Environment, path, to, out string) (*ehr.Cohort, error) {
	if to != "meds" && to != "csv" {
		return nil, oneOf("export format", to, []string{"meds", "csv"})
	}
	if err := newOutput(out); err != nil {
		return nil, err
	}
	env.Observer.Stage("export")
	cohort, err := ReadCohort(ctx, env, path)
	if err != nil {
		return nil, err
	}
	if to == "csv" {
		return cohort, csv.Write(ctx, out, cohort)
	}
	return cohort, writeCohort(ctx, env, cohort, out, "", nil)
}

// isCohort tells whether a path holds a MEDS data set.
func isCohort(path string) bool {
	_, err := os.Stat(filepath.Join(path, "metadata", "dataset.json"))
	return err == nil
}
