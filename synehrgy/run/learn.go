package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/monitor"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
	"github.com/synehrgy/synehrgy-go/synehrgy/train"
)

// This file turns a cohort into a corpus and a corpus into a model.

// Told is what a stage tells when it is done.
type Told struct{ facts }

// Tokenize fits a vocabulary on the training split of a cohort and encodes all of it.
func Tokenize(ctx context.Context, env *Environment, path, out string) (*Told, error) {
	if err := newOutput(out); err != nil {
		return nil, err
	}
	env.Observer.Stage("tokenize")
	cohort, err := ReadCohort(ctx, env, path)
	if err != nil {
		return nil, err
	}
	env.divide(cohort)
	vocabulary, err := token.Fit(cohort, env.tokenConfig())
	if err != nil {
		return nil, err
	}
	index, err := corpus.Write(ctx, out, cohort, vocabulary)
	if err != nil {
		return nil, err
	}
	return &Told{corpusFacts(index, vocabulary)}, nil
}

// tokenConfig is the tokenizer of the configuration with the context of the model, where that is said.
func (e *Environment) tokenConfig() token.Config {
	c := e.Config.Token
	if e.Config.Train.Context > 0 {
		c.Context = e.Config.Train.Context
	}
	return c
}

func corpusFacts(x *corpus.Index, v *token.Vocabulary) facts {
	t := x.Split(ehr.Train)
	f := facts{
		{"vocabulary", fmt.Sprintf("%d tokens, fingerprint %.12s", v.Size(), v.Fingerprint())},
		{"context", x.Context},
		{"training patients", t.Patients},
		{"events in the training cohort", t.Events},
		{"events in the training shards", t.EncodedEvents},
		{"training tokens", t.Tokens},
		{"training chunks", t.Chunks},
		{"longest record", t.Longest},
	}
	if t.CutTokens > 0 {
		f = append(f, fact{"tokens cut off", t.CutTokens})
	}
	for _, split := range x.Splits {
		for _, u := range split.UnknownCodes {
			if u.Count > 0 {
				f = append(f, fact{fmt.Sprintf("unknown %s codes (%s)", u.System, split.Name), u.Count})
			}
		}
	}
	return f
}

// Train trains on a corpus.
func Train(ctx context.Context, env *Environment, path, out string, resume bool) (*Told, error) {
	if !resume {
		if err := newOutput(out); err != nil {
			return nil, err
		}
	}
	stop, err := env.watch(out)
	if err != nil {
		return nil, err
	}
	defer stop()
	metrics := monitor.NewRecorder(filepath.Join(out, MetricsFile))
	defer metrics.Close()
	defer env.monitor.Record(nil)
	return trainInto(ctx, env, path, out, resume, &follower{metrics, env.monitor})
}

func trainInto(ctx context.Context, env *Environment, path, out string, resume bool, metrics train.Sink) (*Told, error) {
	env.Observer.Stage("train")
	c, err := corpus.Open(path)
	if err != nil {
		return nil, err
	}
	device, err := env.Device()
	if err != nil {
		return nil, err
	}
	config := env.Config.Train
	if config.Seed == 0 {
		config.Seed = env.Config.Seed
	}
	meter := env.meter()
	done, err := train.Run(ctx, train.Options{
		Config: config, Device: device, Corpus: c, Folder: out, Resume: resume, Metrics: metrics, Log: env.Logger,
		Progress: func(p train.Progress) {
			env.Observer.Step(p.Step, p.Steps, fmt.Sprintf("%.0f tokens/s, %.3f bits per token, %s left", p.TokensPerSecond, p.Loss, p.Left.Round(time.Second)))
		},
	})
	if err != nil {
		return nil, err
	}
	f := facts{
		{"parameters", done.Parameters},
		{"steps", done.Steps},
		{"epochs", done.Epochs},
		{"tokens trained on", done.Tokens},
		{"optimizer", config.Optimizer},
		{"precision", config.Precision},
		{"training loss", fmt.Sprintf("%.4f bits per token", done.Loss)},
	}
	if joules := meter(); joules > 0 {
		f = append(f, fact{"energy of training", fmt.Sprintf("%.0f J on the GPU", joules)})
	}
	if done.Best.Step > 0 {
		f = append(f,
			fact{"best validation", fmt.Sprintf("%.4f bits per token, %.3f per event, %.1f per patient, at step %d",
				done.Best.BitsPerToken, done.Best.BitsPerEvent, done.Best.BitsPerPatient, done.Best.Step)},
			fact{"stopped early", done.StoppedEarly})
	}
	return &Told{f}, nil
}

// checkpointFolder is the folder of a model to sample from: the one given, or best or last in it.
func checkpointFolder(path string) (string, error) {
	for _, name := range []string{".", train.BestFolder, train.LastFolder} {
		folder := filepath.Join(path, name)
		if _, err := os.Stat(filepath.Join(folder, "config.json")); err == nil {
			return folder, nil
		}
	}
	return "", &fault.Input{File: path, Found: "no config.json", Expected: "a checkpoint, or a directory that holds best or last"}
}
