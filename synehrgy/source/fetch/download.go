package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

const (
	partSuffix = ".part"
	chunk      = 1 << 18 // bytes between two reports of progress
	listLimit  = 1 << 20 // bytes of a list of checksums
	maxPause   = time.Minute
)

// getter holds one run.
type getter struct {
	set      Set
	dir      string
	base     string
	client   *http.Client
	attempts int
	backoff  time.Duration
	stall    time.Duration
	tell     func(Progress)
	free     func(dir string) (int64, error)
	progress Progress
	result   Result
}

var errSilent = errors.New("the server was silent")

// passing is an error that may be gone at the next try.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// file makes sure that one file of the set is there and right.
func (g *getter) file(ctx context.Context, s Sum) error {
	path := filepath.Join(g.dir, filepath.FromSlash(s.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%s cannot be made: %w", filepath.Dir(path), reason(err))
	}
	switch right, size, err := matches(ctx, path, s.SHA256); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !right:
		return &fault.Input{File: path, Found: "a file with another SHA-256 than the release's", Expected: "the release's, or no file of this name (move it away to fetch it)"}
	default:
		g.result.Present++
		g.report(size, size)
		return nil
	}
	part, err := openPart(path + partSuffix)
	if err != nil {
		return err
	}
	defer part.Close()
	if err := g.fill(ctx, part, s); err != nil {
		return err
	}
	if err := part.finish(path); err != nil {
		return err
	}
	g.result.Downloaded++
	return nil
}

// fill downloads into part until it has the right checksum. Tries that bring nothing are counted; one that brings bytes
// starts the count anew.
func (g *getter) fill(ctx context.Context, p *part, s Sum) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	resumed := p.size > 0
	pause := g.backoff
	for failures := 0; ; {
		before := p.size
		err := g.try(ctx, p, s.Name)
		switch {
		case err == nil && p.sum() == s.SHA256:
			return nil
		case err == nil && resumed:
			resumed = false
			if err := p.reset(); err != nil {
				return err
			}
			continue
		case err == nil:
			return errors.Join(&fault.Input{File: g.address(s.Name), Found: "content with another SHA-256 than the release's",
				Expected: "the release's; nothing of it was kept"}, p.remove())
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.size > before {
			failures, pause = 0, g.backoff
		}
		failures++
		if _, again := errors.AsType[passing](err); !again || failures >= g.attempts {
			return fmt.Errorf("%w; %d bytes of it are kept, run again to go on from there", err, p.size)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

// try asks for what the part lacks and appends it. nil means that the server has no more to send.
func (g *getter) try(ctx context.Context, p *part, name string) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(g.stall, func() { cancel(errSilent) })
	defer silence.Stop()
	address := g.address(name)
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), errSilent) {
			err = passing{fmt.Errorf("%s: %w for %s", address, errSilent, g.stall)}
		}
	}()
	response, err := g.ask(ctx, address, p.size)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		return nil // the part is as long as the file, or longer: the checksum decides
	case http.StatusPartialContent:
		if !strings.HasPrefix(response.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", p.size)) {
			return fmt.Errorf("%s: the server sent another part of the file than was asked for", address)
		}
	case http.StatusOK: // the whole file, also where the end was asked for: the server knows no ranges
		if err := p.reset(); err != nil {
			return err
		}
	default:
		return refused(address, response)
	}
	if err := g.roomFor(response.ContentLength, address); err != nil {
		return err
	}
	total := int64(-1)
	if response.ContentLength >= 0 {
		total = p.size + response.ContentLength
	}
	return g.receive(ctx, p, response.Body, address, total, silence)
}

// receive appends body to the part, and tells the progress. It asks ctx itself before every read: net/http hears of a
// cancellation on another goroutine, and bytes that are at hand would still be handed out until then.
func (g *getter) receive(ctx context.Context, p *part, body io.Reader, address string, total int64, silence *time.Timer) error {
	buffer := make([]byte, chunk)
	for {
		if err := ctx.Err(); err != nil {
			return passing{fmt.Errorf("%s: the connection was cut: %w", address, err)}
		}
		n, err := body.Read(buffer)
		if n > 0 {
			silence.Reset(g.stall)
			if err := p.append(buffer[:n]); err != nil {
				return err
			}
			g.result.Bytes += int64(n)
			g.report(p.size, total)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return passing{fmt.Errorf("%s: the connection was cut: %w", address, err)}
		}
	}
}

// ask sends a request for the file from a byte on.
func (g *getter) ask(ctx context.Context, address string, from int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	request.Header.Set("Accept-Encoding", "identity") // the checksums are of the files as they lie there
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	response, err := g.client.Do(request)
	if err != nil {
		return nil, passing{fmt.Errorf("the server cannot be reached: %w", err)}
	}
	return response, nil
}

// list fetches the list of checksums of a set.
func (g *getter) list(ctx context.Context) ([]byte, error) {
	address, pause := g.address(listName), g.backoff
	for failures := 1; ; failures++ {
		data, err := g.small(ctx, address)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, again := errors.AsType[passing](err); !again || failures >= g.attempts {
			return data, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, maxPause)
	}
}

func (g *getter) small(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, g.stall)
	defer cancel()
	response, err := g.ask(ctx, address, 0)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refused(address, response)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, listLimit+1))
	if err != nil {
		return nil, passing{fmt.Errorf("%s: the connection was cut: %w", address, err)}
	}
	if len(data) > listLimit {
		return nil, &fault.Input{File: address, Found: "more than a megabyte", Expected: "a list of checksums"}
	}
	return data, nil
}

// refused makes a sentence of a status that brings no file. Those that may pass are worth another try.
func refused(address string, response *http.Response) error {
	err := fmt.Errorf("%s: the server answers %s", address, response.Status)
	switch response.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return passing{err}
	}
	return err
}

// roomFor compares what is to come with the free space of the folder, so that a full disk is known before it is full.
func (g *getter) roomFor(need int64, address string) error {
	free, err := g.free(g.dir)
	if err != nil || need <= free { // a file system that cannot tell will say so when it is full
		return nil
	}
	return fmt.Errorf("%s: %d bytes are to come and %s has room for %d: %w", address, need, g.dir, free, syscall.ENOSPC)
}

func (g *getter) report(done, total int64) {
	if g.tell != nil {
		g.progress.Done, g.progress.Total = done, total
		g.tell(g.progress)
	}
}

// freeBytes is the space that is left on the file system of dir.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// matches tells whether a file has a checksum, and its size.
func matches(ctx context.Context, path string, want [32]byte) (bool, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, 0, fmt.Errorf("%s cannot be read: %w", path, reason(err))
	}
	defer f.Close()
	h := sha256.New()
	n, err := hashAll(ctx, h, f)
	if err != nil {
		return false, 0, fmt.Errorf("%s cannot be read: %w", path, reason(err))
	}
	return [32]byte(h.Sum(nil)) == want, n, nil
}

// hashAll feeds a file to a hash until its end or that of ctx.
func hashAll(ctx context.Context, h hash.Hash, f *os.File) (int64, error) {
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := io.CopyN(h, f, 16<<20)
		total += n
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reason strips the operation and the name from an error of package os.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
