package checkpoint

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

func TestAFlippedBitIsFoundByTheChecksums(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, CheckSums(folder), "a folder without checksums is believed")
	require.NoError(t, WriteFile(filepath.Join(folder, "a"), []byte("first")))
	require.NoError(t, WriteFile(filepath.Join(folder, "b"), []byte("second")))
	require.NoError(t, WriteSums(folder))
	require.NoError(t, CheckSums(folder))

	var bad *fault.Input
	require.NoError(t, os.WriteFile(filepath.Join(folder, "b"), []byte("secone"), 0o600))
	require.ErrorAs(t, CheckSums(folder), &bad)
	require.Equal(t, filepath.Join(folder, "b"), bad.File)
	require.NoError(t, os.Remove(filepath.Join(folder, "b")))
	require.ErrorAs(t, CheckSums(folder), &bad)
	require.Contains(t, bad.Found, "no file")
	require.NoError(t, os.WriteFile(filepath.Join(folder, SumsFile), []byte("nonsense\n"), 0o600))
	require.ErrorAs(t, CheckSums(folder), &bad)
	require.EqualValues(t, 1, bad.Row)
	require.NoError(t, os.WriteFile(filepath.Join(folder, SumsFile), []byte("0000000000000000000000000000000000000000000000000000000000000000  ../a\n"), 0o600))
	require.ErrorAs(t, CheckSums(folder), &bad, "names stay inside the folder")
}
