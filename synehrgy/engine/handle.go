package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/synehrgy/synehrgy-go/bindings"
)

// This file is the ownership that all objects share: one handle of the core, freed once, by Close or by the collector.

// handle owns a raw handle of the core. It is embedded in every object; its Close is theirs.
type handle[H any] struct {
	mu      sync.Mutex // held while the core works on the handle
	raw     H
	open    bool
	destroy func(H)
	cleanup runtime.Cleanup
}

// own makes h, a part of owner, the owner of raw.
func own[O, H any](owner *O, h *handle[H], raw H, destroy func(H)) {
	h.raw, h.open, h.destroy = raw, true, destroy
	h.cleanup = runtime.AddCleanup(owner, destroy, raw)
}

// Close frees the object in the core, after a running call has returned. A second Close does nothing.
func (h *handle[H]) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open {
		return nil
	}
	h.open = false
	h.cleanup.Stop()
	h.destroy(h.raw)
	return nil
}

// lock takes the handle for one call; the caller ends with h.mu.Unlock when there is no error.
func (h *handle[H]) lock(kind string) (H, error) {
	h.mu.Lock()
	if !h.open {
		h.mu.Unlock()
		var none H
		return none, fmt.Errorf("%s: %w", kind, ErrClosed)
	}
	return h.raw, nil
}

// Live is the number of objects in the core that nobody has freed, over the whole process.
func Live() int64 { return bindings.Live() }

// reassert is how often a cancellation is repeated while a call goes on: one that came just before the core began the call
// may have been taken for an old one.
const reassert = 50 * time.Millisecond

// watched runs call, which works on raw, and cancels it when ctx ends. It returns only when call has returned and the
// canceller is done with raw. A call that finished although ctx ended meanwhile keeps its result.
func watched[H any](ctx context.Context, raw H, cancel func(H), call func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if ctx.Done() == nil { // nothing to watch, and nothing to allocate
		return unlessStale(ctx, call)
	}
	returned, done := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		for again := time.NewTicker(reassert); ; {
			cancel(raw)
			select {
			case <-returned:
				again.Stop()
				return
			case <-again.C:
			}
		}
	})
	err := unlessStale(ctx, call)
	close(returned)
	if !stop() {
		<-done
	}
	if errors.Is(err, ErrCancelled) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// unlessStale runs call, and once more when it was ended by a cancellation that was meant for the call before: one that
// reached the core when that had just returned. Such a call ends at its first look at the flag, before it changed anything.
func unlessStale(ctx context.Context, call func() error) error {
	err := call()
	if errors.Is(err, ErrCancelled) && ctx.Err() == nil {
		err = call()
	}
	return err
}
