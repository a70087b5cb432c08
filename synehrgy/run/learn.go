package run

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
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
	return trainInto(ctx, env, path, out, resume, filepath.Join(out, MetricsFile))
}

// lines writes metrics, one JSON object a line, into a file that the first line makes: a training that is refused leaves
// nothing.
type lines struct {
	path string
	file *os.File
}

func (l *lines) Line(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	_, err = l.file.Write(append(text, '\n'))
	return err
}

// open appends to the file, on a new line where a killed process left half of one.
func (l *lines) open() (err error) {
	if l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return err
	}
	info, err := l.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := l.file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = l.file.Write([]byte{'\n'})
	return err
}

func (l *lines) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

func trainInto(ctx context.Context, env *Environment, path, out string, resume bool, metricsPath string) (*Told, error) {
	env.Observer.Stage("train")
	c, err := corpus.Open(path)
	if err != nil {
		return nil, err
	}
	device, err := env.Device()
	if err != nil {
		return nil, err
	}
	metrics := &lines{path: metricsPath}
	defer metrics.Close()
	config := env.Config.Train
	if config.Seed == 0 {
		config.Seed = env.Config.Seed
	}
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
		{"precision", config.Precision},
		{"training loss", fmt.Sprintf("%.4f bits per token", done.Loss)},
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
