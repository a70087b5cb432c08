package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/generate"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file shows the artefacts of the stages to a person.

// Seen is what inspect found at a path.
type Seen struct {
	facts
	Kind string // "run", "cohort", "corpus", "checkpoint", "evaluation"
}

// Inspect tells what lies at a path. patient, where given, is the id of one patient of a cohort to show whole; a person asked
// for it, and it goes to nobody else.
func Inspect(ctx context.Context, env *Environment, path, patient string) (*Seen, error) {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(path, name))
		return err == nil
	}
	if patient != "" && !isCohort(path) {
		return nil, fault.Usagef("--patient shows a patient of a cohort; %s is none", path)
	}
	switch {
	case has(ManifestFile):
		return inspectRun(path)
	case isCohort(path):
		return inspectCohort(ctx, env, path, patient)
	case has(corpus.IndexName):
		return inspectCorpus(path)
	case has(ResultsFile):
		return inspectResults(filepath.Join(path, ResultsFile))
	}
	folder, err := checkpointFolder(path)
	if err != nil {
		return nil, &fault.Input{File: path, Found: "nothing of ours", Expected: "a run, a cohort, a corpus, a checkpoint or an evaluation"}
	}
	return inspectCheckpoint(folder)
}

func inspectRun(path string) (*Seen, error) {
	m, err := ReadManifest(filepath.Join(path, ManifestFile))
	if err != nil {
		return nil, err
	}
	f := facts{
		{"source", m.Source + ", " + m.Input},
		{"input files", len(m.Inputs)},
		{"seed", m.Config.Seed},
		{"training precision", m.Config.Train.Precision},
		{"program", fmt.Sprintf("%s, library %.12s", m.Version, m.Library)},
		{"device", m.Device},
	}
	for _, s := range m.Stages {
		f = append(f, fact{s.Name, fmt.Sprintf("done in %.1f s, %d files", s.Seconds, len(s.Outputs))})
	}
	for _, part := range []struct {
		stage string
		look  func(string) (*Seen, error)
		dir   string
	}{
		{"tokenize", inspectCorpus, CorpusDir}, {"train", func(p string) (*Seen, error) { return inspectCheckpointUnder(p) }, ModelDir},
		{"generate", inspectGeneration, SyntheticDir}, {"evaluate", func(p string) (*Seen, error) { return inspectResults(filepath.Join(p, ResultsFile)) }, EvaluationDir},
	} {
		if m.Stage(part.stage) == nil {
			continue
		}
		seen, err := part.look(filepath.Join(path, part.dir))
		if err != nil {
			return nil, err
		}
		f = append(f, seen.facts...)
	}
	return &Seen{f, "run"}, nil
}

func inspectCohort(ctx context.Context, env *Environment, path, patient string) (*Seen, error) {
	c, err := ReadCohort(ctx, env, path)
	if err != nil {
		return nil, err
	}
	if patient != "" {
		return inspectPatient(c, path, patient)
	}
	f := facts{
		{"source", c.Schema.Source}, {"patients", len(c.Patients)}, {"visits", c.Visits()}, {"events", c.Events()},
		{"covariates", len(c.Schema.Covariates)}, {"labels", len(c.Schema.Labels)}, {"code systems", len(c.Schema.Systems)},
		{"variables", len(c.Schema.Variables)},
	}
	for _, s := range []ehr.Split{ehr.Train, ehr.Tuning, ehr.HeldOut} {
		part := c.Only(s)
		f = append(f, fact{s.String(), fmt.Sprintf("%d patients, %d visits, %d events", len(part.Patients), part.Visits(), part.Events())})
	}
	var dropped table.Report
	if err := readJSON(filepath.Join(path, "metadata", dropsFile), &dropped); err == nil {
		for _, k := range dropped.Kept {
			f = append(f, fact{k.Table, fmt.Sprintf("%d of %d %s kept", k.Kept, k.Read, k.Unit)})
		}
		for _, d := range dropped.Dropped {
			f = append(f, fact{d.Table + " dropped", fmt.Sprintf("%d: %s", d.Count, d.Reason)})
		}
	}
	if generated, err := inspectGeneration(path); err == nil {
		f = append(f, generated.facts...)
	}
	return &Seen{f, "cohort"}, nil
}

func inspectGeneration(path string) (*Seen, error) {
	var stats generate.Stats
	if err := readJSON(filepath.Join(path, "metadata", statsFile), &stats); err != nil {
		return nil, err
	}
	return &Seen{generationFacts(stats), "cohort"}, nil
}

func inspectCorpus(path string) (*Seen, error) {
	x, err := corpus.ReadIndex(path)
	if err != nil {
		return nil, err
	}
	v, err := token.Load(filepath.Join(path, token.FileName))
	if err != nil {
		return nil, err
	}
	return &Seen{corpusFacts(x, v), "corpus"}, nil
}

func inspectCheckpointUnder(path string) (*Seen, error) {
	folder, err := checkpointFolder(path)
	if err != nil {
		return nil, err
	}
	return inspectCheckpoint(folder)
}

func inspectCheckpoint(folder string) (*Seen, error) {
	model, err := modelFacts(folder)
	if err != nil {
		return nil, err
	}
	var f facts
	for _, m := range model {
		f = append(f, fact{strings.ToLower(m.Key), m.Value})
	}
	weights, err := checkpoint.Open(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	count := int64(0)
	for _, t := range weights.Tensors() {
		n := int64(1)
		for _, d := range t.Shape {
			n *= d
		}
		count += n
	}
	return &Seen{append(f, fact{"parameters", count}, fact{"checkpoint", folder}), "checkpoint"}, nil
}

func inspectResults(path string) (*Seen, error) {
	r, err := evaluate.ReadResults(path)
	if err != nil {
		return nil, err
	}
	var f facts
	for _, c := range r.Cohorts {
		f = append(f, fact{c.Role, fmt.Sprintf("%d patients, %d visits, %d events", c.Patients, c.Visits, c.Events)})
	}
	for _, s := range r.Sections {
		for _, m := range s.Metrics {
			f = append(f, fact{m.ID, scoresLine(&m)})
		}
	}
	for _, v := range r.Verdicts {
		f = append(f, fact{v.State, v.Text})
	}
	return &Seen{f, "evaluation"}, nil
}

func scoresLine(m *evaluate.Metric) string {
	parts := make([]string, len(m.Scores))
	for i, s := range m.Scores {
		switch {
		case s.Value == nil:
			parts[i] = s.System + " undefined"
		case s.Low != nil && s.High != nil:
			parts[i] = fmt.Sprintf("%s %.4g [%.4g, %.4g]", s.System, *s.Value, *s.Low, *s.High)
		default:
			parts[i] = fmt.Sprintf("%s %.4g", s.System, *s.Value)
		}
	}
	return strings.Join(parts, " · ")
}

// inspectPatient shows one patient whole.
func inspectPatient(c *ehr.Cohort, path, id string) (*Seen, error) {
	for i := range c.Patients {
		if p := &c.Patients[i]; p.ID == id {
			f := facts{{"patient", p.ID}, {"split", p.Split}}
			for j := range p.Visits {
				f = append(f, visitFacts(&c.Schema, j+1, &p.Visits[j])...)
			}
			return &Seen{f, "patient"}, nil
		}
	}
	return nil, &fault.Input{File: path, Found: "no patient of that id", Expected: "the id of a patient of the cohort"}
}

func visitFacts(s *ehr.Schema, number int, v *ehr.Visit) facts {
	f := facts{{fmt.Sprintf("visit %d", number), fmt.Sprintf("since discharge %s, stay %s", minutes(v.SinceDischarge), minutes(v.Stay))}}
	for _, x := range v.Covariates {
		f = append(f, fact{"  " + s.Covariates[x.Var].Name, shown(&s.Covariates[x.Var], x.X)})
	}
	for _, l := range v.Labels {
		f = append(f, fact{"  " + s.Labels[l.Label].Name, l.On})
	}
	for _, k := range v.Codes {
		f = append(f, fact{"  " + s.Systems[k.System].Name, k.Code})
	}
	for _, r := range v.Rows {
		parts := make([]string, len(r.Values))
		for i, x := range r.Values {
			parts[i] = s.Variables[x.Var].Name + " " + shown(&s.Variables[x.Var], x.X)
		}
		f = append(f, fact{"  at " + minutes(r.At), strings.Join(parts, ", ")})
	}
	return f
}

func shown(v *ehr.Variable, x float64) string {
	if v.Kind == ehr.Category {
		return v.Categories[int(x)]
	}
	return strings.TrimSpace(fmt.Sprintf("%.*f %s", v.Decimals, x, v.Unit))
}

func minutes(m int64) string {
	if m == ehr.Unknown {
		return "unknown"
	}
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s%dd %02d:%02d", sign, m/1440, m/60%24, m%60)
}
