package cli

import (
	"context"
	"fmt"

	"github.com/synehrgy/synehrgy-go/synehrgy/source/fetch"
)

// fetched downloads a set and tells how far it is.
func (a *app) fetched(ctx context.Context, name, out string) error {
	observer := a.newProgress()
	observer.Stage("fetch")
	done, err := fetch.Fetch(ctx, name, out, fetch.Options{Progress: func(p fetch.Progress) {
		observer.Step(int64(p.Index), int64(p.Files), fmt.Sprintf("%s: %.1f MB", p.File, float64(p.Done)/1e6))
	}})
	observer.Close(err != nil)
	if err != nil {
		return err
	}
	a.result("fetch", map[string]any{"name": name, "path": out, "downloaded": done.Downloaded, "present": done.Present, "bytes": done.Bytes},
		fmt.Sprintf("%s: %d files downloaded (%.1f MB), %d were there", out, done.Downloaded, float64(done.Bytes)/1e6, done.Present))
	return nil
}
