// Package jsontest reads, in tests, what the program leaves as lines of JSON.
package jsontest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Lines returns the objects of a file with one on each line; a line that is none fails the test.
func Lines[T any](t testing.TB, path string) (lines []T) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var one T
		require.NoError(t, json.Unmarshal([]byte(line), &one), line)
		lines = append(lines, one)
	}
	return lines
}
