package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/bindings"
)

func TestClosingTwiceIsClosingOnce(t *testing.T) {
	before := Live()
	d, err := OpenDevice(CPU, 1)
	require.NoError(t, err)
	m, err := NewModel(d, tiny(), Fresh{Seed: 1})
	require.NoError(t, err)
	tr, err := NewTrainer(m, adamw(2, 16))
	require.NoError(t, err)
	require.Equal(t, before+3, Live())
	for range 2 { // parents first: a child keeps its parent alive in the core
		require.NoError(t, d.Close())
		require.NoError(t, m.Close())
	}
	_, err = tr.Accumulate(t.Context(), pack([][]int32{{1, 2, 3}}), 0)
	require.NoError(t, err)
	require.NoError(t, tr.Close())
	require.NoError(t, tr.Close())
	require.Equal(t, before, Live())
}

func TestUseAfterCloseIsAnError(t *testing.T) {
	d := open(t, CPU, 1)
	m := newModel(t, d, tiny(), Fresh{Seed: 1})
	tr := newTrainer(t, m, adamw(2, 16))
	require.NoError(t, tr.Close())
	require.NoError(t, m.Close())
	require.NoError(t, d.Close())
	b := pack([][]int32{{1, 2, 3}})
	for name, call := range map[string]func() error{
		"accumulate": func() error { _, err := tr.Accumulate(t.Context(), b, 0); return err },
		"apply":      func() error { _, err := tr.Apply(1e-3); return err },
		"score":      func() error { return tr.Score(t.Context(), b, make([]float64, 3)) },
		"read":       func() error { return m.ReadF32(0, nil) },
		"trainer":    func() error { _, err := NewTrainer(m, adamw(2, 16)); return err },
		"model":      func() error { _, err := NewModel(d, tiny(), Fresh{}); return err },
		"nearest": func() error {
			_, _, err := NewNeighbours(d).Nearest(t.Context(), []float32{1}, []float32{1}, 1, 1, false)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, call(), ErrClosed) })
	}
	require.Zero(t, d.Threads())
}

func TestWhatIsForgottenIsFreed(t *testing.T) {
	before := Live()
	func() {
		d, err := OpenDevice(CPU, 1)
		require.NoError(t, err)
		m, err := NewModel(d, tiny(), Fresh{Seed: 1})
		require.NoError(t, err)
		_, err = NewTrainer(m, adamw(2, 16))
		require.NoError(t, err)
		require.Equal(t, before+3, Live())
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		return Live() == before
	}, 10*time.Second, 10*time.Millisecond)
}

// TestCancellationIsSeenAndLeavesTheTrainerUsable cancels long calls at many moments.
func TestCancellationIsSeenAndLeavesTheTrainerUsable(t *testing.T) {
	c := tiny()
	c.Context, c.Width, c.Heads, c.KVHeads, c.FFN = 512, 128, 8, 8, 512
	m := newModel(t, open(t, CPU, 2), c, Fresh{Seed: 1})
	tr := newTrainer(t, m, adamw(4, 2048))
	long := pack([][]int32{sentence(512, c.Vocab, 1), sentence(512, c.Vocab, 2), sentence(512, c.Vocab, 3), sentence(512, c.Vocab, 4)})
	asked := errors.New("asked to stop")
	cancelled := 0
	for i := range 40 {
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(time.Duration(i)*500*time.Microsecond, func() { cancel(asked) })
		if _, err := tr.Accumulate(ctx, long, 0); err != nil {
			require.ErrorIs(t, err, asked)
			cancelled++
		}
		timer.Stop()
		cancel(nil)
	}
	require.Positive(t, cancelled, "no call was cancelled")

	fresh := newTrainer(t, m, adamw(4, 2048))
	want, got := make([]float64, len(long.Tokens)), make([]float64, len(long.Tokens))
	require.NoError(t, fresh.Score(t.Context(), long, want))
	require.NoError(t, tr.Score(t.Context(), long, got), "a cancellation of the past ended a call of the present")
	require.Equal(t, want, got)

	bindings.TrainerCancel(tr.raw) // one that comes too late for the call it was meant for
	require.NoError(t, tr.Score(t.Context(), long, got))
	require.Equal(t, want, got)

	done, cancel := context.WithCancelCause(t.Context())
	cancel(asked)
	require.ErrorIs(t, tr.Score(done, long, got), asked)
}

// TestOneTrainerServesManyGoroutines is for the race detector: calls on one object wait for one another.
func TestOneTrainerServesManyGoroutines(t *testing.T) {
	m := newModel(t, open(t, CPU, 2), tiny(), Fresh{Seed: 1})
	tr := newTrainer(t, m, adamw(2, 64))
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			b := pack([][]int32{sentence(20, 23, uint32(g))})
			for range 5 {
				if err := tr.Score(t.Context(), b, make([]float64, 20)); err != nil {
					t.Error(err)
				}
				if _, err := tr.Accumulate(t.Context(), b, 0); err != nil {
					t.Error(err)
				}
				if err := m.ReadF32(0, make([]float32, m.Tensors()[0].Count)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 { // weights change under the readers
		if _, err := tr.Accumulate(t.Context(), pack([][]int32{sentence(20, 23, 9)}), 0); err != nil {
			t.Error(err)
		}
		if _, err := tr.Apply(1e-3); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	require.EqualValues(t, 3, tr.Step())
}
