package fetch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// small is a getter for a server that sends a text for every name.
func smallGetter(t *testing.T, text string) *getter {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }))
	t.Cleanup(server.Close)
	g, err := newGetter(sets[0], t.TempDir(), Options{Base: server.URL, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	require.NoError(t, err)
	return g
}

func TestAFullDiskIsKnownBeforeItIsFull(t *testing.T) {
	g := smallGetter(t, "a text of 26 bytes in all.")
	g.free = func(string) (int64, error) { return 25, nil }
	err := g.file(t.Context(), Sum{Name: "a.txt"})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "26 bytes are to come and "+g.dir+" has room for 25")
	entries, err := os.ReadDir(g.dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestTwoProgramsDoNotWriteOnePart(t *testing.T) {
	g := smallGetter(t, "text")
	other, err := openPart(filepath.Join(g.dir, "a.txt"+partSuffix))
	require.NoError(t, err)
	defer other.Close()
	require.ErrorContains(t, g.file(t.Context(), Sum{Name: "a.txt"}), "is being written by another program")
}

func TestFreeSpaceIsThatOfTheFileSystem(t *testing.T) {
	free, err := freeBytes(t.TempDir())
	require.NoError(t, err)
	require.Positive(t, free)
	_, err = freeBytes(filepath.Join(t.TempDir(), "absent"))
	require.Error(t, err)
}
