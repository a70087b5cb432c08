package train

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// childVariable tells this test program that it is a child which is to train and to be killed: see doomed.
const childVariable = "SYNEHRGY_TEST_TRAIN_CHILD"

func TestMain(m *testing.M) {
	if task := os.Getenv(childVariable); task != "" {
		train(task)
		return
	}
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

// doomed is what a child process is to do.
type doomed struct {
	Corpus, Folder string
	Config         Config
	KillAt         int64
}

// train runs in the child and does not come back: at step KillAt it gets a signal that nothing can catch.
func train(task string) {
	var d doomed
	err := json.Unmarshal([]byte(task), &d)
	if err == nil {
		err = d.run()
	}
	fmt.Fprintln(os.Stderr, "the child outlived its training:", err)
	os.Exit(1)
}

func (d *doomed) run() error {
	c, err := corpus.Open(d.Corpus)
	if err != nil {
		return err
	}
	device, err := engine.OpenDevice(engine.CPU, 1)
	if err != nil {
		return err
	}
	_, err = Run(context.Background(), Options{Config: d.Config, Device: device, Corpus: c, Folder: d.Folder, Progress: func(p Progress) {
		if p.Step == d.KillAt {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	return err
}

// cohort is simulated patients; every fifth is there to validate on.
func cohort(t testing.TB, patients int) *ehr.Cohort {
	c, err := simulate.Cohort(simulate.Options{Patients: patients, Seed: 7})
	require.NoError(t, err)
	for i := range c.Patients {
		c.Patients[i].Split = ehr.Train
		if i%5 == 0 {
			c.Patients[i].Split = ehr.Tuning
		}
	}
	return c
}

// newCorpus writes a corpus of records in chunks of at most 192 tokens and returns its folder.
func newCorpus(t testing.TB, c *ehr.Cohort) string {
	config := token.DefaultConfig()
	config.Context, config.Values.Bins, config.Times.Bins = 192, 8, 8
	v, err := token.Fit(c, config)
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), "corpus")
	_, err = corpus.Write(t.Context(), folder, c, v)
	require.NoError(t, err)
	return folder
}

func openCorpus(t testing.TB, folder string) *corpus.Corpus {
	c, err := corpus.Open(folder)
	require.NoError(t, err)
	return c
}

func open(t testing.TB, backend engine.Backend, threads int) *engine.Device {
	d, err := engine.OpenDevice(backend, threads)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// tiny is a configuration that uses everything: accumulation, dropout, soft targets, validation, checkpoints.
func tiny() Config {
	c := DefaultConfig()
	c.Width, c.Layers, c.Heads = 32, 1, 2
	c.BatchTokens, c.Accumulate, c.Steps, c.Epochs = 512, 2, 20, 0
	c.Warmup, c.SoftTargets, c.EvalEvery, c.SaveEvery, c.Patience = 4, true, 5, 4, 0
	return c
}

// files reads all files below a folder.
func files(t testing.TB, folder string) map[string]string {
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		out[name] = string(text)
		return err
	}))
	return out
}

// same requires that two folders hold the same files, without printing megabytes when they do not.
func same(t testing.TB, want, got string) {
	t.Helper()
	a, b := files(t, want), files(t, got)
	require.NotEmpty(t, a)
	for name := range b {
		require.Contains(t, a, name)
	}
	for name, text := range a {
		require.Contains(t, b, name)
		if filepath.Ext(name) == ".json" {
			require.Equal(t, text, b[name], name)
		}
		require.True(t, text == b[name], "%s differs", name)
	}
}

func weights(t testing.TB, folder string) map[string][]float32 {
	f, err := checkpoint.Open(filepath.Join(folder, engine.WeightsFile))
	require.NoError(t, err)
	defer f.Close()
	out := map[string][]float32{}
	for _, info := range f.Tensors() {
		x, err := f.F32(info.Name)
		require.NoError(t, err)
		out[info.Name] = x
	}
	return out
}
