package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/monitor"
	"github.com/synehrgy/synehrgy-go/synehrgy/train"
)

// AllOptions is what run and demo are told beside the configuration.
type AllOptions struct {
	Format   string // Simulated needs no Input
	Input    string
	Out      string
	Simulate int // patients of the simulated cohort
	Resume   bool
}

// Done is the end of a whole run.
type Done struct {
	facts
	Results *evaluate.Results
}

// Gate returns the *fault.Quality that the configuration asks for, when the results miss it.
func (d *Done) Gate(config Config) error { return gate(d.Results, config) }

// pipeline is one run in its directory.
type pipeline struct {
	env       *Environment
	directory *Directory
	manifest  *Manifest
	options   AllOptions
	metrics   *monitor.Recorder
}

// All does every stage that is not done yet and ends at the report.
func All(ctx context.Context, env *Environment, directory *Directory, o AllOptions) (*Done, error) {
	p := &pipeline{env: env, directory: directory, options: o}
	stop, err := env.watch(o.Out)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := p.begin(); err != nil {
		return nil, err
	}
	p.metrics = monitor.NewRecorder(directory.Path(MetricsFile))
	defer p.metrics.Close()
	env.monitor.Record(p.metrics)
	defer env.monitor.Record(nil)
	steps := []struct {
		name, output string
		work         func(context.Context) (facts, error)
	}{
		{"prepare", CohortDir, p.prepare},
		{"tokenize", CorpusDir, p.tokenize},
		{"train", ModelDir, p.train},
		{"generate", SyntheticDir, p.generate},
		{"evaluate", EvaluationDir, p.evaluate},
		{"report", ReportFile, p.report},
	}
	var told facts
	redo := false // a stage that is done again makes everything after it stale
	for _, s := range steps {
		done, err := p.finished(s.name, s.output)
		if err != nil {
			return nil, err
		}
		if done && !redo {
			env.Logger.Info("stage was done before", "stage", s.name)
			continue
		}
		redo = true
		f, err := p.stage(ctx, s.name, s.output, s.work)
		if err != nil {
			return nil, err
		}
		told = append(told, f...)
	}
	results, err := evaluate.ReadResults(directory.Path(EvaluationDir, ResultsFile))
	if err != nil {
		return nil, err
	}
	return &Done{told, results}, nil
}

// begin reads or starts the manifest and refuses to continue a run of another making.
func (p *pipeline) begin() error {
	inputs := map[string]string{}
	if p.options.Format != Simulated {
		var err error
		if inputs, err = hashTree(p.options.Input); err != nil {
			return err
		}
	}
	about, err := engine.Describe()
	if err != nil {
		return err
	}
	device, err := p.env.Device()
	if err != nil {
		return err
	}
	fresh := &Manifest{
		Format: 1, Version: p.env.Version, Library: about.Stamp, Source: p.options.Format, Input: p.options.Input, Inputs: inputs,
		Config: p.env.Config,
		Device: Device{Backend: string(device.Backend()), CPU: about.CPU.Name, ISA: about.CPU.ISA, Threads: device.Threads(), GPU: about.GPU(device.Backend())},
	}
	if p.options.Format == Simulated {
		fresh.Input = fmt.Sprintf("%d patients", p.options.Simulate)
	}
	path := p.directory.Path(ManifestFile)
	old, err := ReadManifest(path)
	if errors.Is(err, fs.ErrNotExist) {
		p.manifest = fresh
		return fresh.Write(path)
	}
	if err != nil {
		return err
	}
	if different := old.differences(fresh); len(different) > 0 {
		return fault.Usagef("%s was begun with another %s; start a new directory", p.options.Out, strings.Join(different, ", "))
	}
	p.manifest = old
	return nil
}

// finished tells whether a stage is recorded and its files are what it made.
func (p *pipeline) finished(name, output string) (bool, error) {
	s := p.manifest.Stage(name)
	if s == nil {
		return false, nil
	}
	return s.unchanged(p.directory.Path(output))
}

// stage does one stage and records it.
func (p *pipeline) stage(ctx context.Context, name, output string, work func(context.Context) (facts, error)) (facts, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p.manifest.forget(name)
	path := p.directory.Path(output)
	if name != "train" { // training goes on from its last checkpoint
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("what an earlier attempt left cannot be removed: %w", err)
		}
	}
	began := time.Now()
	told, err := work(ctx)
	if err != nil {
		return nil, err
	}
	outputs, err := hashTree(path)
	if err != nil {
		return nil, err
	}
	p.manifest.Stages = append(p.manifest.Stages, Stage{name, time.Since(began).Seconds(), outputs, told.Facts()})
	return told, p.manifest.Write(p.directory.Path(ManifestFile))
}

func (p *pipeline) prepare(ctx context.Context) (facts, error) {
	out := p.directory.Path(CohortDir)
	if p.options.Format == Simulated {
		c, err := Simulate(ctx, p.env, p.options.Simulate, out)
		if err != nil {
			return nil, err
		}
		return facts{{"patients", len(c.Patients)}, {"visits", c.Visits()}, {"events", c.Events()}}, nil
	}
	done, err := Prepare(ctx, p.env, p.options.Format, p.options.Input, out)
	if err != nil {
		return nil, err
	}
	return facts{{"patients", done.Patients}, {"visits", done.Visits}, {"events", done.Events}}, nil
}

func (p *pipeline) tokenize(ctx context.Context) (facts, error) {
	done, err := Tokenize(ctx, p.env, p.directory.Path(CohortDir), p.directory.Path(CorpusDir))
	if err != nil {
		return nil, err
	}
	return done.facts, nil
}

func (p *pipeline) train(ctx context.Context) (facts, error) {
	_, err := os.Stat(p.directory.Path(ModelDir, train.LastFolder))
	done, err := trainInto(ctx, p.env, p.directory.Path(CorpusDir), p.directory.Path(ModelDir), err == nil, p.metrics)
	if err != nil {
		return nil, err
	}
	return done.facts, nil
}

func (p *pipeline) generate(ctx context.Context) (facts, error) {
	folder, err := checkpointFolder(p.directory.Path(ModelDir))
	if err != nil {
		return nil, err
	}
	patients := p.env.Config.Generate.Patients
	if patients == 0 {
		index, err := corpus.ReadIndex(p.directory.Path(CorpusDir))
		if err != nil {
			return nil, err
		}
		patients = index.Split(ehr.Train).Patients
	}
	done, err := p.env.sample(ctx, folder, patients, p.directory.Path(SyntheticDir))
	if err != nil {
		return nil, err
	}
	return done.facts, nil
}

func (p *pipeline) evaluate(ctx context.Context) (facts, error) {
	cohort := p.directory.Path(CohortDir)
	done, err := judge(ctx, p.env, EvaluateInput{Train: cohort, Test: cohort, Synthetic: p.directory.Path(SyntheticDir), Out: p.directory.Path(EvaluationDir)}, nil)
	if err != nil {
		return nil, err
	}
	return done.facts, nil
}

// differences names what two manifests do not share, as far as it changes results.
func (m *Manifest) differences(other *Manifest) []string {
	var out []string
	if m.Source != other.Source {
		out = append(out, "format")
	}
	if m.Input != other.Input && m.Source == Simulated || fmt.Sprint(m.Inputs) != fmt.Sprint(other.Inputs) {
		out = append(out, "input")
	}
	if m.Device.Backend != other.Device.Backend {
		out = append(out, "device")
	}
	return append(out, configDifferences(m.Config, other.Config)...)
}

// configDifferences names the keys in which two configurations differ; threads, recomputation and telemetry change no result, and
// of the device it is the backend that does.
func configDifferences(a, b Config) []string {
	a.Threads, a.Device, a.Train.Recompute, a.Monitor = b.Threads, b.Device, b.Train.Recompute, b.Monitor
	left, right := map[string]string{}, map[string]string{}
	for _, c := range []struct {
		config Config
		flat   map[string]string
	}{{a, left}, {b, right}} {
		text, err := json.Marshal(c.config)
		if err != nil {
			return []string{"configuration"}
		}
		var tree map[string]any
		if err := json.Unmarshal(text, &tree); err != nil {
			return []string{"configuration"}
		}
		flattenJSON(c.flat, "", tree)
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(left)) {
		if left[key] != right[key] {
			out = append(out, key)
		}
	}
	return out
}

func flattenJSON(out map[string]string, prefix string, value any) {
	if tree, ok := value.(map[string]any); ok {
		for key, branch := range tree {
			flattenJSON(out, filepath.ToSlash(prefix+"."+key), branch)
		}
		return
	}
	out[strings.TrimPrefix(prefix, ".")] = fmt.Sprint(value)
}

func (m *Manifest) forget(name string) {
	for i := range m.Stages {
		if m.Stages[i].Name == name {
			m.Stages = m.Stages[:i]
			return
		}
	}
}
