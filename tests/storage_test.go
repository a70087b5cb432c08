package tests

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file holds the faults of storage that a script cannot make: a folder that may not be written, a disk that is full.

// program runs the command line in a process of its own and returns its exit code and standard error.
func program(t *testing.T, as *syscall.Credential, arguments ...string) (code int, stderr string) {
	t.Helper()
	binary := linkProgram(t, t.TempDir())
	var said bytes.Buffer
	command := exec.Command(binary, arguments...)
	command.Stderr = &said
	command.Dir = t.TempDir()
	if as != nil {
		for folder := filepath.Dir(binary); folder != os.TempDir() && folder != "/"; folder = filepath.Dir(folder) {
			require.NoError(t, os.Chmod(folder, 0o755))
		}
		command.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		command.Env = append(os.Environ(), "HOME=/nonexistent")
	}
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return command.ProcessState.ExitCode(), said.String()
}

// ours is the one line of standard error that begins with our name; anything like a trace fails.
func ours(t *testing.T, stderr string) string {
	t.Helper()
	require.NotContains(t, stderr, "goroutine ")
	require.NotContains(t, stderr, "panic")
	var found []string
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "synehrgy: ") {
			found = append(found, line)
		}
	}
	require.Len(t, found, 1, stderr)
	return found[0]
}

func TestNoWritePermissionIsASentence(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o555))
	var nobody *syscall.Credential
	if os.Getuid() == 0 { // root may write anywhere, so somebody else tries
		nobody = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	out := filepath.Join(folder, "cohort")
	code, stderr := program(t, nobody, "simulate", "--patients", "5", "--out", out)
	require.Equal(t, 1, code, stderr)
	line := ours(t, stderr)
	require.Contains(t, line, folder)
	require.Contains(t, line, "permission denied")
	require.NoDirExists(t, out)
}

// TestFullDiskIsASentence writes a cohort and a run onto a disk of 300 kB.
func TestFullDiskIsASentence(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small disk can be mounted by root alone")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=300k"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("a small disk could not be mounted: %v", err)
		}
		t.Skipf("a small disk could not be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	out := filepath.Join(disk, "cohort")
	code, stderr := program(t, nil, "simulate", "--patients", "3000", "--out", out)
	require.Equal(t, 1, code, stderr)
	require.Contains(t, ours(t, stderr), "space")
	entries, err := os.ReadDir(disk)
	require.NoError(t, err)
	require.Empty(t, entries, "something half-written was left")
}
