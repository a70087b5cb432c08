package tests

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInterruptedTrainingGoesOnAndEndsTheSame: the first SIGINT finishes the step, writes the checkpoint and exits 130; --resume
// ends with the bytes of a run that nobody touched.
func TestInterruptedTrainingGoesOnAndEndsTheSame(t *testing.T) {
	folder := t.TempDir()
	command := commandsIn(t, folder)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "c.yaml"), []byte("train: {width: 32, layers: 1, heads: 2, steps: 400, eval_every: 100}\n"), 0o600))
	require.NoError(t, command("simulate", "--patients", "60", "--out", "cohort").Run())
	require.NoError(t, command("tokenize", "--cohort", "cohort", "--out", "corpus").Run())
	require.NoError(t, command("train", "--corpus", "corpus", "--out", "whole", "--config", "c.yaml").Run())

	cut := command("train", "--corpus", "corpus", "--out", "cut", "--config", "c.yaml", "--json")
	lines, err := cut.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cut.Start())
	sent := false
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		if !sent && strings.Contains(scanner.Text(), `"progress"`) {
			sent = true
			require.NoError(t, cut.Process.Signal(os.Interrupt))
		}
	}
	require.True(t, sent, "no progress was seen")
	var exit *exec.ExitError
	require.ErrorAs(t, cut.Wait(), &exit)
	require.Equal(t, 130, exit.ExitCode())
	require.FileExists(t, filepath.Join(folder, "cut", "last", "state.json"))

	require.NoError(t, command("train", "--corpus", "corpus", "--out", "cut", "--config", "c.yaml", "--resume").Run())
	for _, name := range []string{"best/model.safetensors", "last/model.safetensors", "last/state.safetensors"} {
		whole, err := os.ReadFile(filepath.Join(folder, "whole", name))
		require.NoError(t, err)
		resumed, err := os.ReadFile(filepath.Join(folder, "cut", name))
		require.NoError(t, err)
		require.Equal(t, whole, resumed, name)
	}
}

// TestTheSecondInterruptLeavesAtOnce: a stage that takes its time to end is not waited for.
func TestTheSecondInterruptLeavesAtOnce(t *testing.T) {
	folder := t.TempDir()
	c := commandsIn(t, folder)("simulate", "--patients", "2000000", "--out", "cohort")
	require.NoError(t, c.Start())
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, c.Process.Signal(os.Interrupt))
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	err := c.Process.Signal(os.Interrupt)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		require.NoError(t, err)
	}
	var exit *exec.ExitError
	require.ErrorAs(t, c.Wait(), &exit)
	require.Equal(t, 130, exit.ExitCode())
	require.Less(t, time.Since(began), 2*time.Second)
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1, "only the program: nothing half-written")
}
