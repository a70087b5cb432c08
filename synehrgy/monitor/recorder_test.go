package monitor

import (
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/internal/jsontest"
)

func TestTheRecorderWritesWholeLinesFromManyHands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	r := NewRecorder(path)
	_, err := os.Stat(path)
	require.ErrorIs(t, err, fs.ErrNotExist, "the first line makes the file")
	var hands sync.WaitGroup
	for hand := range 8 {
		hands.Go(func() {
			for i := range 50 {
				if err := r.Line(map[string]any{"hand": hand, "i": i, "text": strings.Repeat("x", 200)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	hands.Wait()
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.Len(t, jsontest.Lines[map[string]any](t, path), 400)
}

func TestTheRecorderGoesOnAfterHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{\"a\":1}\n{\"b\":"), 0o600))
	r := NewRecorder(path)
	require.NoError(t, r.Line(map[string]int{"c": 3}))
	require.NoError(t, r.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "{\"a\":1}\n{\"b\":\n{\"c\":3}\n", string(text))
}

func TestTheRecorderSaysWhatIsWrong(t *testing.T) {
	require.ErrorIs(t, NewRecorder(filepath.Join(t.TempDir(), "absent", "metrics.jsonl")).Line(1), fs.ErrNotExist)
	r := NewRecorder(filepath.Join(t.TempDir(), "metrics.jsonl"))
	require.Error(t, r.Line(func() {}))
	require.NoError(t, r.Close())
}

// TestADiskThatTakesNoMoreLeavesNoHalfLine: files of this process may not grow beyond 16 kB for a while, which, like a full disk,
// takes the beginning of a line.
func TestADiskThatTakesNoMoreLeavesNoHalfLine(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)) }()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 16 << 10, Max: limit.Max}))
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	r := NewRecorder(path)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	written := 0
	var err error
	for ; err == nil && written < 100; written++ {
		err = r.Line(strings.Repeat("x", 3000))
	}
	require.ErrorIs(t, err, syscall.EFBIG)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, text, (written-1)*3003)
	require.True(t, strings.HasSuffix(string(text), "\n"))
	require.NoError(t, r.Line("short"), "there is room for less")
}
