package train

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func fillWith(content string) func(string) error {
	return func(tmp string) error { return os.WriteFile(filepath.Join(tmp, "content"), []byte(content), 0o600) }
}

func content(t *testing.T, folder string) string {
	text, err := os.ReadFile(filepath.Join(folder, "content"))
	require.NoError(t, err)
	return string(text)
}

func TestAFolderIsReplacedWholeOrNotAtAll(t *testing.T) {
	last := filepath.Join(t.TempDir(), "last")
	require.NoError(t, replaceFolder(last, fillWith("one")))
	require.NoError(t, replaceFolder(last, fillWith("two")))
	require.Equal(t, "two", content(t, last))
	failed := errors.New("failed")
	require.ErrorIs(t, replaceFolder(last, func(tmp string) error {
		require.NoError(t, fillWith("three")(tmp))
		return failed
	}), failed)
	require.Equal(t, "two", content(t, last))
	left, err := os.ReadDir(filepath.Dir(last))
	require.NoError(t, err)
	require.Len(t, left, 1, "something besides the folder was left behind")
}

// TestEveryMomentOfAReplacementIsRecovered sets up what a crash would leave after each step of replaceFolder.
func TestEveryMomentOfAReplacementIsRecovered(t *testing.T) {
	for name, c := range map[string]struct {
		there map[string]string // folders and their content
		want  string
	}{
		"half-written":       {map[string]string{"last": "old", ".last.next.tmp-1": "new"}, "old"},
		"written":            {map[string]string{"last": "old", "last.next": "new"}, "old"},
		"old one moved away": {map[string]string{"last.previous": "old", "last.next": "new"}, "new"},
		"new one in place":   {map[string]string{"last.previous": "old", "last": "new"}, "new"},
		"first, written":     {map[string]string{"last.next": "new"}, "new"},
		"only an old one":    {map[string]string{"last.previous": "old"}, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for folder, text := range c.there {
				require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
				require.NoError(t, fillWith(text)(filepath.Join(dir, folder)))
			}
			require.NoError(t, recoverFolder(filepath.Join(dir, "last")))
			require.Equal(t, c.want, content(t, filepath.Join(dir, "last")))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 1)
		})
	}
	require.NoError(t, recoverFolder(filepath.Join(t.TempDir(), "last")), "nothing to recover")
}
