package generate

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
	"github.com/synehrgy/synehrgy-go/synehrgy/train"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if n := engine.Live(); code == 0 && n != 0 {
		fmt.Fprintf(os.Stderr, "%d objects of the core were not closed\n", n)
		code = 1
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func device(t testing.TB, threads int) *engine.Device {
	d, err := engine.OpenDevice(engine.CPU, threads)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// trained trains a small model on simulated patients and returns its checkpoint folder. Records are longer than its context,
// so that the core must write chunk headers.
func trained(t testing.TB, steps int, change ...func(*train.Config)) string {
	c, err := simulate.Cohort(simulate.Options{Patients: 80, Seed: 3})
	require.NoError(t, err)
	for i := range c.Patients {
		c.Patients[i].Split = ehr.Train
	}
	config := token.DefaultConfig()
	config.Context, config.Values.Bins, config.Times.Bins = 192, 8, 8
	v, err := token.Fit(c, config)
	require.NoError(t, err)
	folder := t.TempDir()
	_, err = corpus.Write(t.Context(), filepath.Join(folder, "corpus"), c, v)
	require.NoError(t, err)
	data, err := corpus.Open(filepath.Join(folder, "corpus"))
	require.NoError(t, err)

	o := train.Options{Config: train.DefaultConfig(), Device: device(t, 2), Corpus: data, Folder: filepath.Join(folder, "model")}
	o.Config.Width, o.Config.Layers, o.Config.Heads, o.Config.Dropout = 48, 1, 3, 0
	o.Config.BatchTokens, o.Config.Steps, o.Config.LearningRate, o.Config.Warmup = 2048, steps, 1e-2, 4
	for _, f := range change {
		f(&o.Config)
	}
	_, err = train.Run(t.Context(), o)
	require.NoError(t, err)
	return filepath.Join(o.Folder, train.BestFolder)
}

func options(d *engine.Device, model string, patients int64) Options {
	c := DefaultConfig()
	c.Slots, c.MaxTokens, c.Seed = 8, 600, 11
	return Options{Config: c, Device: d, Model: model, Patients: patients}
}

// collect draws and returns the patients.
func collect(t testing.TB, o Options) ([]ehr.Patient, Stats) {
	t.Helper()
	var out []ehr.Patient
	o.Emit = func(p ehr.Patient) error {
		out = append(out, p)
		return nil
	}
	stats, err := Run(t.Context(), o)
	require.NoError(t, err)
	return out, stats
}
