// Package tabletest is what the tests of readers share: where the open data lie, and small folders of tables made on the spot.
package tabletest

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// Folder is a folder of open data: under SYNEHRGY_DATA, or under ../shared/data beside the repository when that is unset. The
// test is skipped where neither is there; a SYNEHRGY_DATA without the folder fails it.
func Folder(t testing.TB, name string) string {
	t.Helper()
	if root := os.Getenv("SYNEHRGY_DATA"); root != "" {
		dir := filepath.Join(root, name)
		if _, err := os.Stat(dir); err != nil {
			t.Fatalf("SYNEHRGY_DATA is set, but there is no folder %s", dir)
		}
		return dir
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "no go.mod above the test")
		dir = parent
	}
	data := filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(data); err != nil {
		t.Skipf("no open data: set SYNEHRGY_DATA to the folder that holds %s", name)
	}
	return data
}

// Write makes a folder of files; what ends in .gz is packed.
func Write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		data := []byte(content)
		if strings.HasSuffix(name, ".gz") {
			data = Pack(t, content)
		}
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
	return dir
}

// Pack is content packed by gzip.
func Pack(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// Options keeps a test small.
func Options(t testing.TB) table.Options {
	return table.Options{Threads: 2, MemoryLimit: "1GB", Scratch: t.TempDir()}
}

// Kept is the balance of one table of a report.
func Kept(t testing.TB, r *table.Report, name string) table.Keep {
	t.Helper()
	for _, k := range r.Kept {
		if k.Table == name {
			return k
		}
	}
	t.Fatalf("the report has no table %s", name)
	return table.Keep{}
}

// RequireInput demands that err is one sentence about a file, with that row, that says what is given.
func RequireInput(t testing.TB, err error, row int64, says string) {
	t.Helper()
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.Contains(t, err.Error(), says)
	require.Equal(t, row, input.Row, err.Error())
	require.NotContains(t, err.Error(), "\n")
	require.NotEmpty(t, input.File)
}
