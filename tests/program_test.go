package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// linkProgram links the program into a folder: this test binary, as testscript.Main acts on the name it is called by.
func linkProgram(t *testing.T, folder string) string {
	t.Helper()
	binary := filepath.Join(folder, "synehrgy")
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Link(self, binary))
	return binary
}

// commandsIn makes commands of the program, linked into the folder, that run there.
func commandsIn(t *testing.T, folder string) func(arguments ...string) *exec.Cmd {
	t.Helper()
	binary := linkProgram(t, folder)
	return func(arguments ...string) *exec.Cmd {
		c := exec.Command(binary, arguments...)
		c.Dir = folder
		return c
	}
}
