package checkpoint_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// names lists a folder, hidden names included.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func rights(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestAFileIsWrittenForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, checkpoint.WriteFile(path, []byte("one")))
	require.NoError(t, checkpoint.WriteFile(path, []byte("two")), "an older file is replaced")
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "two", string(got))
	require.Equal(t, os.FileMode(0o600), rights(t, path))
	require.Equal(t, []string{"a.json"}, names(t, filepath.Dir(path)))
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, checkpoint.WriteFile(path, []byte("old")))
	broken := errors.New("broken")
	err := checkpoint.WriteStream(path, func(w io.Writer) error {
		_, err := w.Write([]byte("half of the n"))
		require.NoError(t, err)
		return broken
	})
	require.ErrorIs(t, err, broken)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
	require.Equal(t, []string{"a.json"}, names(t, filepath.Dir(path)))
}

func TestADraftHasNoNameBeforeCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	d, err := checkpoint.NewDraft(path)
	require.NoError(t, err)
	_, err = d.Write([]byte("x"))
	require.NoError(t, err)
	require.NoFileExists(t, path)
	require.NoError(t, d.Commit())
	d.Discard()
	require.FileExists(t, path, "Discard after Commit does nothing")
	require.ErrorIs(t, d.Commit(), os.ErrClosed)
	_, err = d.Write([]byte("y"))
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestUnwritablePlacesAreSentences(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, path := range map[string]string{
		"no such folder":       filepath.Join(dir, "absent", "a"),
		"a file for a folder":  filepath.Join(file, "a"),
		"a folder for a file":  dir + "/",
		"a folder of the name": dir,
	} {
		t.Run(name, func(t *testing.T) {
			err := checkpoint.WriteFile(path, []byte("x"))
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), ".tmp-", "the temporary name means nothing to a reader")
		})
	}
	require.Equal(t, []string{"file"}, names(t, dir))
}

func TestAFolderAppearsWhole(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "cohort")
	fill := func(tmp string) error {
		require.NoDirExists(t, target)
		require.Equal(t, parent, filepath.Dir(tmp), "rename(2) needs the same file system")
		require.NoError(t, os.Mkdir(filepath.Join(tmp, "data"), 0o755))
		return os.WriteFile(filepath.Join(tmp, "data", "0.parquet"), []byte("rows"), 0o644)
	}
	require.NoError(t, checkpoint.WriteDir(target, fill))
	require.Equal(t, []string{"cohort"}, names(t, parent))
	require.Equal(t, os.FileMode(0o700), rights(t, target))
	require.Equal(t, os.FileMode(0o700), rights(t, filepath.Join(target, "data")))
	require.Equal(t, os.FileMode(0o600), rights(t, filepath.Join(target, "data", "0.parquet")))
}

func TestAnEmptyFolderIsTakenOver(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "out")
	require.NoError(t, os.Mkdir(target, 0o755))
	link := filepath.Join(parent, "link")
	require.NoError(t, os.Symlink("out", link))
	require.NoError(t, checkpoint.WriteDir(link+"/", func(tmp string) error {
		return os.WriteFile(filepath.Join(tmp, "a"), nil, 0o600)
	}))
	require.Equal(t, []string{"a"}, names(t, target), "through the link")
	require.Equal(t, []string{"link", "out"}, names(t, parent))
}

func TestAnOccupiedPlaceIsRefusedBeforeAnyWork(t *testing.T) {
	parent := t.TempDir()
	full, file := filepath.Join(parent, "full"), filepath.Join(parent, "file")
	require.NoError(t, os.Mkdir(full, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(full, "mine"), nil, 0o600))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, target := range []string{full, file} {
		err := checkpoint.WriteDir(target, func(string) error {
			require.Fail(t, "the work was begun")
			return nil
		})
		var usage *fault.Usage
		require.ErrorAs(t, err, &usage)
		require.Contains(t, err.Error(), target)
	}
	require.Equal(t, []string{"mine"}, names(t, full))
}

func TestAFolderFilledMeanwhileIsNotLost(t *testing.T) {
	target := filepath.Join(t.TempDir(), "out")
	err := checkpoint.WriteDir(target, func(string) error {
		require.NoError(t, os.Mkdir(target, 0o700))
		return os.WriteFile(filepath.Join(target, "theirs"), nil, 0o600)
	})
	require.ErrorContains(t, err, target)
	require.Equal(t, []string{"theirs"}, names(t, target))
	require.Equal(t, []string{"out"}, names(t, filepath.Dir(target)))
}

func TestAFailedFolderLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "out")
	broken := errors.New("broken")
	half := func(tmp string) {
		require.NoError(t, os.MkdirAll(filepath.Join(tmp, "a", "b"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(tmp, "a", "b", "c"), []byte("x"), 0o600))
	}
	require.ErrorIs(t, checkpoint.WriteDir(target, func(tmp string) error { half(tmp); return broken }), broken)
	require.Empty(t, names(t, parent))
	require.PanicsWithValue(t, "mistake", func() {
		_ = checkpoint.WriteDir(target, func(tmp string) error { half(tmp); panic("mistake") })
	})
	require.Empty(t, names(t, parent))
	err := checkpoint.WriteDir(target, func(tmp string) error { return os.Symlink("/etc/passwd", filepath.Join(tmp, "a")) })
	require.ErrorContains(t, err, "neither a file nor a folder")
	require.Empty(t, names(t, parent))
}

func TestHashIsThatOfTheContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "abc")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	sum, size, err := checkpoint.HashFile(path)
	require.NoError(t, err)
	require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sum, "FIPS 180-4, example of SHA-256")
	require.EqualValues(t, 3, size)
	_, _, err = checkpoint.HashFile(path + "d")
	require.ErrorContains(t, err, path+"d cannot be read")
}
