package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Options change how files are fetched. The zero value is usable.
type Options struct {
	Base     string         // address that takes the place of Set.Files: a mirror
	Client   *http.Client   // nil: http.DefaultClient
	Attempts int            // tries of a file without progress before it is given up; 0: 5
	Backoff  time.Duration  // pause after the first failed try, doubled after each further one, at most a minute; 0: a second
	Stall    time.Duration  // silence of the server that counts as a cut connection; 0: 30 s
	Progress func(Progress) // may be nil; called from the goroutine of Fetch
}

// Progress tells how far one file is.
type Progress struct {
	File        string
	Index       int // of the file in the set, from 0
	Files       int
	Done, Total int64 // bytes; Total is -1 while it is not known
}

// Result sums up a run.
type Result struct {
	Set        Set
	Downloaded int   // files
	Present    int   // files that were there already
	Bytes      int64 // received, resumed parts not counted
}

// Fetch brings the set of that name into dir, which is made when it is not there. It returns *fault.Usage for an unknown
// name, *fault.Input for a file whose checksum is wrong, ctx.Err() when cancelled; any other error is a sentence too. What was
// fetched before an error stays.
func Fetch(ctx context.Context, name, dir string, opt Options) (*Result, error) {
	set, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	g, err := newGetter(set, dir, opt)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%s cannot be made: %w", dir, reason(err))
	}
	sums, err := g.sums(ctx)
	if err != nil {
		return nil, err
	}
	for i, s := range sums {
		g.progress = Progress{File: s.Name, Index: i, Files: len(sums), Total: -1}
		if err := g.file(ctx, s); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, err
		}
	}
	return &g.result, nil
}

// sums are the checksums to hold the set to: pinned, or those of the list in the folder, or those of the site's list, which
// then stays in the folder.
func (g *getter) sums(ctx context.Context) ([]Sum, error) {
	if g.set.Pinned {
		return g.set.Pins()
	}
	path := filepath.Join(g.dir, listName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = g.list(ctx); err != nil {
			return nil, err
		}
		if _, err := parseSums(g.address(listName), string(data)); err != nil {
			return nil, err
		}
		err = checkpoint.WriteFile(path, data)
	}
	if err != nil {
		return nil, err
	}
	all, err := parseSums(path, string(data))
	if err != nil {
		return nil, err
	}
	sums := all[:0]
	for _, s := range all {
		if s.Name != listName { // a list cannot hold its own checksum
			sums = append(sums, s)
		}
	}
	return sums, nil
}

// address of a file of the set.
func (g *getter) address(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return g.base + strings.Join(parts, "/")
}

func newGetter(set Set, dir string, opt Options) (*getter, error) {
	g := &getter{set: set, dir: dir, base: set.Files, client: opt.Client, attempts: opt.Attempts, backoff: opt.Backoff,
		stall: opt.Stall, tell: opt.Progress, free: freeBytes, result: Result{Set: set}}
	if opt.Base != "" {
		u, err := url.Parse(opt.Base)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, fault.Usagef("%q is no web address, expected one that begins with https://", opt.Base)
		}
		g.base = strings.TrimSuffix(opt.Base, "/") + "/"
	}
	if g.client == nil {
		g.client = http.DefaultClient
	}
	if g.attempts <= 0 {
		g.attempts = 5
	}
	if g.backoff <= 0 {
		g.backoff = time.Second
	}
	if g.stall <= 0 {
		g.stall = 30 * time.Second
	}
	return g, nil
}
