package run

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/generate"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file samples a synthetic cohort.

// Generated is what generate tells.
type Generated struct {
	facts
	Stats generate.Stats
}

// Generate samples the patients of the configuration from a checkpoint and writes them as a cohort.
func Generate(ctx context.Context, env *Environment, model, out string) (*Generated, error) {
	if err := newOutput(out); err != nil {
		return nil, err
	}
	folder, err := checkpointFolder(model)
	if err != nil {
		return nil, err
	}
	stop, err := env.watch(filepath.Dir(out))
	if err != nil {
		return nil, err
	}
	defer stop()
	return env.sample(ctx, folder, env.Config.Generate.Patients, out)
}

func (e *Environment) sample(ctx context.Context, folder string, patients int64, out string) (*Generated, error) {
	e.Observer.Stage("generate")
	device, err := e.Device()
	if err != nil {
		return nil, err
	}
	vocabulary, err := token.Load(filepath.Join(folder, token.FileName))
	if err != nil {
		return nil, err
	}
	config := e.Config.Generate.Config
	if config.Seed == 0 {
		config.Seed = e.Config.Seed
	}
	cohort := &ehr.Cohort{Schema: *vocabulary.Schema(), Patients: make([]ehr.Patient, 0, patients)}
	meter := e.meter()
	stats, err := generate.Run(ctx, generate.Options{
		Config: config, Model: folder, Device: device, Patients: patients, Log: e.Logger,
		Emit: func(p ehr.Patient) error { cohort.Patients = append(cohort.Patients, p); return nil },
		Progress: func(p generate.Progress) {
			e.Observer.Step(p.Done, p.Patients, fmt.Sprintf("%.1f records/s, %.0f tokens/s", p.RecordsPerSecond, p.TokensPerSecond))
		},
	})
	if err != nil {
		return nil, err
	}
	joules := meter()
	if err := writeCohort(ctx, e, cohort, out, statsFile, stats); err != nil {
		return nil, err
	}
	f := generationFacts(stats)
	if joules > 0 && patients > 0 {
		f = append(f, fact{"energy", fmt.Sprintf("%.0f J on the GPU for a thousand patients", 1000*joules/float64(patients))})
	}
	return &Generated{f, stats}, nil
}

// statsFile, beside the metadata of a synthetic cohort, says how it was drawn.
const statsFile = "generation.json"

func generationFacts(s generate.Stats) facts {
	f := facts{
		{"records that parse", fmt.Sprintf("%d of %d", s.Patients-s.ParseFailures, s.Patients)},
		{"visits", s.Visits},
		{"events", s.Events},
		{"tokens", s.Tokens},
		{"longer than the context", s.Chunked},
		{"closed by the length limit", s.ClosedByLimit},
		{"probability the grammar removed", fmt.Sprintf("%.3g per token, measured on %d of %d draws", s.MaskedMass, s.Measured, s.Draws)},
		{"speed", fmt.Sprintf("%.1f records/s, %.0f tokens/s", s.RecordsPerSecond, s.TokensPerSecond)},
	}
	if c := s.PrecisionCost; c != nil {
		f = append(f, fact{c.Of + " against fp32", fmt.Sprintf("%+.2g bits per token at %.4g, on %d tokens drawn for it", c.Change(), c.BitsFP32, c.Tokens)})
	}
	return f
}
