package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/generate"
	"github.com/synehrgy/synehrgy-go/synehrgy/report"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// This file composes the report of a whole run from what its stages left in the run directory.

func (p *pipeline) report(ctx context.Context) (facts, error) {
	p.env.Observer.Stage("report")
	results, err := evaluate.ReadResults(p.directory.Path(EvaluationDir, ResultsFile))
	if err != nil {
		return nil, err
	}
	training, err := readCurves(p.directory.Path(MetricsFile))
	if err != nil {
		return nil, err
	}
	var stats generate.Stats
	if err := readJSON(p.directory.Path(SyntheticDir, "metadata", statsFile), &stats); err != nil {
		return nil, err
	}
	drops, err := readDrops(p.directory.Path(CohortDir))
	if err != nil {
		return nil, err
	}
	examples, err := p.examples(ctx)
	if err != nil {
		return nil, err
	}
	model, err := modelFacts(p.directory.Path(ModelDir))
	if err != nil {
		return nil, err
	}
	page := report.Page{
		Title: "Synthetic patients after " + results.Source, Creator: "synehrgy " + p.env.Version,
		Facts: append(p.runFacts(), model...), Drops: drops, Training: training, Examples: examples, Results: results,
		Generation: &report.Generation{
			Patients: stats.Patients, Tokens: stats.Tokens, Valid: stats.Patients - stats.ParseFailures,
			TokensPerSecond: stats.TokensPerSecond, MaskedMass: stats.MaskedMass, Draws: stats.Draws, Measured: stats.Measured,
		},
	}
	if err := report.WritePatients(p.directory.Path(PictureFile), *examples); err != nil {
		return nil, err
	}
	return nil, report.Write(p.directory.Path(ReportFile), page)
}

func (p *pipeline) runFacts() []report.Fact {
	m := p.manifest
	out := []report.Fact{
		{Key: "Source", Value: m.Source + ", " + filepath.Base(m.Input)},
		{Key: "Seed", Value: fmt.Sprint(m.Config.Seed)},
		{Key: "Device", Value: m.Device.String()},
	}
	for _, s := range m.Stages {
		out = append(out, report.Fact{Key: "Time to " + s.Name, Value: time.Duration(s.Seconds * float64(time.Second)).Round(100 * time.Millisecond).String()})
	}
	return out
}

// modelFacts describes the checkpoint under a path.
func modelFacts(path string) ([]report.Fact, error) {
	folder, err := checkpointFolder(path)
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.ReadConfig(filepath.Join(folder, "config.json"))
	if err != nil {
		return nil, err
	}
	return []report.Fact{
		{Key: "Model", Value: fmt.Sprintf("%s, width %d, %d layers, %d heads, context %d", c.Family, c.Width, c.Layers, c.Heads, c.Context)},
		{Key: "Vocabulary", Value: fmt.Sprintf("%d tokens", c.Vocab)},
	}, nil
}

// examples are the first synthetic patient of a usual length and, where the cohort is simulated and nobody's data, a
// simulated one beside it.
func (p *pipeline) examples(ctx context.Context) (*report.Examples, error) {
	synthetic, err := ReadCohort(ctx, p.env, p.directory.Path(SyntheticDir))
	if err != nil {
		return nil, err
	}
	out := &report.Examples{Schema: synthetic.Schema}
	if p.options.Format == Simulated {
		real, err := ReadCohort(ctx, p.env, p.directory.Path(CohortDir))
		if err != nil {
			return nil, err
		}
		out.Patients = append(out.Patients, report.Example{Title: "A simulated patient", Patient: usual(real)})
	}
	out.Patients = append(out.Patients, report.Example{Title: "A synthetic patient", Patient: usual(synthetic)})
	return out, nil
}

// usual is the patient whose number of events is nearest to the mean, the first of those that tie.
func usual(c *ehr.Cohort) ehr.Patient {
	mean := float64(c.Events()) / float64(len(c.Patients))
	best, distance := 0, -1.0
	for i := range c.Patients {
		d := float64(c.Patients[i].Events()) - mean
		if d < 0 {
			d = -d
		}
		if distance < 0 || d < distance {
			best, distance = i, d
		}
	}
	return c.Patients[best]
}

// readCurves reads the loss curves from the metrics of training; a step that was taken twice, because a run was cut off and
// went on from an earlier checkpoint, counts once, as the later.
func readCurves(path string) (*report.Training, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := &report.Training{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var line struct {
			Type         string  `json:"type"`
			Step         int64   `json:"step"`
			BitsPerToken float64 `json:"bits_per_token"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // the last line of a process that was killed
		}
		switch line.Type {
		case "train":
			out.Train = append(before(out.Train, line.Step), report.LossPoint{Step: line.Step, BitsPerToken: line.BitsPerToken})
		case "validation":
			out.Validation = append(before(out.Validation, line.Step), report.LossPoint{Step: line.Step, BitsPerToken: line.BitsPerToken})
		}
	}
	return out, lines.Err()
}

func before(points []report.LossPoint, step int64) []report.LossPoint {
	for len(points) > 0 && points[len(points)-1].Step >= step {
		points = points[:len(points)-1]
	}
	return points
}

// dropsFile, beside the metadata of a prepared cohort, says what the reader left out.
const dropsFile = "dropped.json"

func readDrops(cohort string) ([]report.Drop, error) {
	var r table.Report
	err := readJSON(filepath.Join(cohort, "metadata", dropsFile), &r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a simulated cohort
	}
	if err != nil {
		return nil, err
	}
	out := make([]report.Drop, len(r.Dropped))
	for i, d := range r.Dropped {
		out[i] = report.Drop{Table: d.Table, Reason: d.Reason, Count: d.Count}
	}
	return out, nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &fault.Input{File: path, Found: "text that is not the JSON of ours", Expected: "what the stage wrote", Err: err}
	}
	return nil
}
