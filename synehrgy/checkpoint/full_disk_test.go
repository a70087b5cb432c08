package checkpoint_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
)

// A full disk is a small tmpfs where the test may mount one, and in any case a limit on the size of a file, set in a process
// of its own because it cannot be taken back.

const (
	room      = 64 << 10 // bytes that fit
	tooMuch   = 1 << 20  // bytes that are written
	limitedIn = "SYNEHRGY_TEST_LIMITED_DIR"
)

// fills are the ways to write tooMuch bytes below dir.
var fills = map[string]func(dir string) error{
	"file": func(dir string) error {
		return checkpoint.WriteFile(filepath.Join(dir, "out"), bytes.Repeat([]byte{1}, tooMuch))
	},
	"folder": func(dir string) error {
		return checkpoint.WriteDir(filepath.Join(dir, "out"), func(tmp string) error {
			return os.WriteFile(filepath.Join(tmp, "a"), bytes.Repeat([]byte{1}, tooMuch), 0o600)
		})
	},
	"safetensors": func(dir string) error {
		w, err := checkpoint.Create(filepath.Join(dir, "out"), []checkpoint.TensorInfo{{Name: "w", Dtype: checkpoint.F32, Shape: []int64{4, tooMuch / 16}}}, nil)
		if err != nil {
			return err
		}
		if err := w.F32("w", make([]float32, tooMuch/4)); err != nil {
			w.Discard()
			return err
		}
		return w.Close()
	},
}

func requireFull(t *testing.T, dir string, cause error) {
	for name, fill := range fills {
		t.Run(name, func(t *testing.T) {
			err := fill(dir)
			require.ErrorIs(t, err, cause)
			require.Empty(t, names(t, dir), "nothing half-written is left")
			if name == "folder" {
				return // the error is that of the function that fills the folder, as it is
			}
			require.Contains(t, err.Error(), filepath.Join(dir, "out")+" cannot be written: it needs ")
			need := map[string]string{"file": "1048576 bytes", "safetensors": "1048656 bytes"}
			require.Contains(t, err.Error(), need[name], "a safetensors file counts its header of 80 bytes")
		})
	}
}

func TestAFullDiskLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a tmpfs of 64 KiB needs root; TestAFileSizeLimitLeavesNothing tests the same paths")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	requireFull(t, dir, syscall.ENOSPC)
	require.NoError(t, checkpoint.WriteFile(filepath.Join(dir, "small"), []byte("x")), "the room is free again")
}

func TestAFileSizeLimitLeavesNothing(t *testing.T) {
	if dir := os.Getenv(limitedIn); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: room}))
		requireFull(t, dir, syscall.EFBIG)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestAFileSizeLimitLeavesNothing$", "-test.v")
	cmd.Env = append(os.Environ(), limitedIn+"="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, len(fills)+1, strings.Count(string(out), "--- PASS"), "%s", out)
}

func TestAMountPointIsRefusedInASentence(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a tmpfs of 64 KiB needs root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	err := checkpoint.WriteDir(dir, func(string) error { return nil })
	require.ErrorContains(t, err, "mount point")
	require.Equal(t, []string{filepath.Base(dir)}, names(t, filepath.Dir(dir)))
}
