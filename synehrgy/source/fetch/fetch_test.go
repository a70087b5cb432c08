package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/fetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	list  = "SHA256SUMS.txt"
	table = "hosp/admissions.csv.gz"
)

// content is a file of some megabytes, so that a cut falls within it.
var content = func() []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 3<<20)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}()

// site serves a set of two files, and writes down which ranges were asked for. broken may answer a request in its own way.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	ranges []string // of the table
	lists  int
	broken func(w http.ResponseWriter, r *http.Request, try int) bool
}

func newSite(t *testing.T, broken func(w http.ResponseWriter, r *http.Request, try int) bool) *site {
	s := &site{broken: broken}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch name := strings.TrimPrefix(r.URL.Path, "/files/"); name {
	case list:
		s.mu.Lock()
		s.lists++
		s.mu.Unlock()
		fmt.Fprintf(w, "%x  %s\n%x %s\n", sha256.Sum256([]byte("licence")), "LICENSE.txt", sha256.Sum256(content), table)
	case "LICENSE.txt":
		io.WriteString(w, "licence")
	case table:
		s.mu.Lock()
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		try := len(s.ranges)
		s.mu.Unlock()
		if s.broken == nil || !s.broken(w, r, try) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		}
	default:
		http.NotFound(w, r)
	}
}

func options(s *site) fetch.Options {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return fetch.Options{Base: s.URL + "/files", Client: client, Backoff: time.Millisecond, Attempts: 3, Stall: 5 * time.Second}
}

func get(t *testing.T, s *site, dir string) (*fetch.Result, error) {
	t.Helper()
	return fetch.Fetch(t.Context(), "mimic-iv-demo", dir, options(s))
}

// cutAt breaks the connection after n bytes of the answer.
func cutAt(w http.ResponseWriter, from, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write(content[from : from+n])
	panic(http.ErrAbortHandler)
}

func requireWhole(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, table))
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, data))
	requireNoPart(t, dir)
}

func requireNoPart(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		require.NotContains(t, path, ".part")
		return err
	}))
}

func TestASetArrivesWholeAndIsNotFetchedTwice(t *testing.T) {
	s, dir := newSite(t, nil), filepath.Join(t.TempDir(), "new", "demo")
	opt := options(s)
	var seen []fetch.Progress
	opt.Progress = func(p fetch.Progress) { seen = append(seen, p) }
	result, err := fetch.Fetch(t.Context(), "mimic-iv-demo", dir, opt)
	require.NoError(t, err)
	require.Equal(t, 2, result.Downloaded)
	require.EqualValues(t, len(content)+len("licence"), result.Bytes)
	requireWhole(t, dir)
	last := seen[len(seen)-1]
	require.Equal(t, fetch.Progress{File: table, Index: 1, Files: 2, Done: int64(len(content)), Total: int64(len(content))}, last)
	for path, mode := range map[string]os.FileMode{table: 0o600, "hosp": 0o700, list: 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
	result, err = get(t, s, dir)
	require.NoError(t, err)
	require.Equal(t, 2, result.Present)
	require.Zero(t, result.Bytes)
	require.Len(t, s.ranges, 1)
	require.Equal(t, 1, s.lists, "the list of the first use binds later runs")
}

func TestACutConnectionIsResumedInTheSameRun(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, try int) bool {
		switch try {
		case 1:
			cutAt(w, 0, 1<<20)
		case 2:
			cutAt(w, 1<<20, 1<<19)
		}
		return false
	})
	dir := t.TempDir()
	result, err := get(t, s, dir)
	require.NoError(t, err)
	requireWhole(t, dir)
	require.Equal(t, []string{"", "bytes=1048576-", "bytes=1572864-"}, s.ranges)
	require.EqualValues(t, len(content)+len("licence"), result.Bytes, "no byte came twice")
}

func TestAPartOfAnEarlierRunIsResumed(t *testing.T) {
	dead := newSite(t, func(w http.ResponseWriter, r *http.Request, try int) bool {
		if try == 1 {
			cutAt(w, 0, 1<<20)
		}
		http.Error(w, "", http.StatusServiceUnavailable)
		return true
	})
	dir := t.TempDir()
	_, err := get(t, dead, dir)
	require.ErrorContains(t, err, "503 Service Unavailable; 1048576 bytes of it are kept, run again to go on from there")
	require.Len(t, dead.ranges, 3, "the cut connection and two refusals are three tries in a row without an end")
	require.NoFileExists(t, filepath.Join(dir, table))
	alive := newSite(t, nil)
	_, err = get(t, alive, dir)
	require.NoError(t, err)
	requireWhole(t, dir)
	require.Equal(t, []string{"bytes=1048576-"}, alive.ranges)
}

func TestAServerWithoutRangesSendsTheWholeFile(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, try int) bool {
		if try == 1 {
			cutAt(w, 0, 1<<20)
		}
		w.Write(content)
		return true
	})
	dir := t.TempDir()
	_, err := get(t, s, dir)
	require.NoError(t, err)
	requireWhole(t, dir)
}

func TestAWrongChecksumLeavesNothing(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, try int) bool {
		w.Write(append([]byte("x"), content[1:]...))
		return true
	})
	dir := t.TempDir()
	_, err := get(t, s, dir)
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.Contains(t, err.Error(), table+": found content with another SHA-256 than the release's")
	require.Len(t, s.ranges, 1, "another try would bring the same")
	require.NoFileExists(t, filepath.Join(dir, table))
	requireNoPart(t, dir)
}

func TestAStalePartIsThrownAwayOnce(t *testing.T) {
	for name, stale := range map[string][]byte{"shorter": []byte("not the beginning"), "longer": append(bytes.Clone(content), 'x')} {
		t.Run(name, func(t *testing.T) {
			s, dir := newSite(t, nil), t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "hosp"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, table+".part"), stale, 0o600))
			_, err := get(t, s, dir)
			require.NoError(t, err)
			requireWhole(t, dir)
			require.Equal(t, []string{fmt.Sprintf("bytes=%d-", len(stale)), ""}, s.ranges)
		})
	}
}

func TestAWholePartOnlyNeedsItsName(t *testing.T) {
	s, dir := newSite(t, nil), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "hosp"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, table+".part"), content, 0o600))
	_, err := get(t, s, dir)
	require.NoError(t, err)
	requireWhole(t, dir)
}

func TestAFileOfTheUserIsNotOverwritten(t *testing.T) {
	s, dir := newSite(t, nil), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "hosp"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, table), []byte("mine"), 0o600))
	_, err := get(t, s, dir)
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	data, err := os.ReadFile(filepath.Join(dir, table))
	require.NoError(t, err)
	require.Equal(t, "mine", string(data))
	require.Empty(t, s.ranges)
}

func TestAMissingFileIsASentence(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, try int) bool { http.NotFound(w, r); return true })
	dir := t.TempDir()
	_, err := get(t, s, dir)
	require.ErrorContains(t, err, table+": the server answers 404 Not Found")
	require.Len(t, s.ranges, 1, "404 is not tried again")
	requireNoPart(t, dir)
}

func TestAWrongRangeIsRefused(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, try int) bool {
		if try == 1 {
			cutAt(w, 0, 1<<20)
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(content)-1, len(content)))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(content)
		return true
	})
	_, err := get(t, s, t.TempDir())
	require.ErrorContains(t, err, "the server sent another part of the file than was asked for")
}

func TestASilentServerCountsAsCut(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, try int) bool {
		w.Write(content[:10])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	opt := options(s)
	opt.Stall, opt.Attempts = 50*time.Millisecond, 1
	_, err := fetch.Fetch(t.Context(), "mimic-iv-demo", t.TempDir(), opt)
	require.ErrorContains(t, err, "the server was silent for 50ms")
}

func TestCancelKeepsThePart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, dir := newSite(t, nil), t.TempDir()
	opt := options(s)
	opt.Progress = func(p fetch.Progress) {
		if p.File == table && p.Done > 1<<20 {
			cancel()
		}
	}
	_, err := fetch.Fetch(ctx, "mimic-iv-demo", dir, opt)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, table))
	info, err := os.Stat(filepath.Join(dir, table+".part"))
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(1<<20))
	_, err = get(t, s, dir)
	require.NoError(t, err)
	requireWhole(t, dir)
	require.Equal(t, fmt.Sprintf("bytes=%d-", info.Size()), s.ranges[1])
}

func TestAPinnedSetIsHeldToItsPins(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		io.WriteString(w, "not the archive")
	}))
	defer server.Close()
	opt := fetch.Options{Base: server.URL, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	_, err := fetch.Fetch(t.Context(), "challenge-2012", t.TempDir(), opt)
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.Equal(t, []string{"/set-a.tar.gz"}, asked, "the site's own list is not asked")
}

func TestNamesAndAddressesAreChecked(t *testing.T) {
	var usage *fault.Usage
	_, err := fetch.Fetch(t.Context(), "mimic-v", t.TempDir(), fetch.Options{})
	require.ErrorAs(t, err, &usage)
	require.EqualError(t, err, `no data set "mimic-v"; known are challenge-2012, eicu-demo, mimic-iii-demo, mimic-iv-demo`)
	_, err = fetch.Fetch(t.Context(), "eicu-demo", t.TempDir(), fetch.Options{Base: "file:///etc"})
	require.ErrorAs(t, err, &usage)
}

func TestAListThatLeavesTheFolderIsRefused(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	for name, text := range map[string]string{
		"above":       digest + "  ../../etc/passwd\n",
		"absolute":    digest + "  /etc/passwd\n",
		"not hex":     strings.Repeat("xy", 32) + "  a.csv\n",
		"short":       digest[:62] + "  a.csv\n",
		"twice":       digest + " a.csv\n" + digest + " ./a.csv\n",
		"page":        "<html><body>Sign in</body></html>\n",
		"empty":       "\n",
		"part's name": digest + " a.csv.part\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }))
			defer server.Close()
			dir := t.TempDir()
			opt := fetch.Options{Base: server.URL, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
			_, err := fetch.Fetch(t.Context(), "mimic-iv-demo", dir, opt)
			var input *fault.Input
			require.ErrorAs(t, err, &input)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func TestTheSetsAreWhatTheyAreKnownToBe(t *testing.T) {
	counts := map[string]int{"challenge-2012": 2, "eicu-demo": 32, "mimic-iii-demo": 27, "mimic-iv-demo": 0}
	require.Len(t, fetch.Sets(), len(counts))
	for _, s := range fetch.Sets() {
		require.True(t, strings.HasPrefix(s.Files, "https://physionet.org/files/") && strings.HasSuffix(s.Files, s.Version+"/"), s.Name)
		pins, err := s.Pins()
		require.NoError(t, err)
		require.Len(t, pins, counts[s.Name], s.Name)
		require.Equal(t, s.Pinned, len(pins) > 0)
	}
}

// The pins are held against copies of the releases where these are at hand: the tables of the MIMIC-III demo are compressed
// there, its CHARTEVENTS is known to differ in blanks, and of the eICU demo only the licence is unchanged.
func TestThePinsAgreeWithCopiesOfTheReleases(t *testing.T) {
	root := os.Getenv("SYNEHRGY_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	for name, folder := range map[string]string{"challenge-2012": "challenge-2012-set-a", "eicu-demo": "eicu-demo-2.0.1-part1", "mimic-iii-demo": "mimic-iii-demo-1.4"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, folder)
			if _, err := os.Stat(dir); err != nil {
				if os.Getenv("SYNEHRGY_DATA") != "" {
					t.Fatalf("SYNEHRGY_DATA is set and %s is missing", dir)
				}
				t.Skipf("%s is missing", dir)
			}
			set, err := fetch.Lookup(name)
			require.NoError(t, err)
			pins, err := set.Pins()
			require.NoError(t, err)
			same := 0
			for _, pin := range pins {
				if data, err := read(filepath.Join(dir, pin.Name)); err == nil && sha256.Sum256(data) == pin.SHA256 {
					same++
				}
			}
			require.Equal(t, map[string]int{"challenge-2012": 1, "eicu-demo": 1, "mimic-iii-demo": 26}[name], same)
		})
	}
}

// read returns a file, or what its .gz holds.
func read(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return data, nil
	}
	f, err := os.Open(path + ".gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
