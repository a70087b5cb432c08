package evaluate

// Random numbers and resampling. Every purpose has its own stream, keyed by (seed, purpose), so that adding a metric moves
// none of the others and the number of threads changes nothing.

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// stream returns the random numbers of one purpose.
func stream(seed uint64, purpose string) *rand.Rand {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), purpose...))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(h[0:]), binary.LittleEndian.Uint64(h[8:])))
}

// shuffled returns the patients of a cohort in a random order; a subsample of n is its first n.
func shuffled(c *ehr.Cohort, seed uint64, purpose string) []*ehr.Patient {
	out := make([]*ehr.Patient, len(c.Patients))
	for i := range c.Patients {
		out[i] = &c.Patients[i]
	}
	r := stream(seed, "order of "+purpose)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// weights says how often each patient stands in each bootstrap replicate, [1+replicates][patients]. Row 0 holds ones: a
// statistic that is a function of a row has its value in row 0 and its replicates in the others.
type weights [][]uint16

func resample(seed uint64, purpose string, patients, replicates int) weights {
	w := make(weights, 1+replicates)
	flat := make([]uint16, (1+replicates)*patients)
	for b := range w {
		w[b], flat = flat[:patients:patients], flat[patients:]
	}
	for i := range w[0] {
		w[0][i] = 1
	}
	r := stream(seed, "bootstrap of "+purpose)
	for _, row := range w[1:] {
		for range row {
			row[r.IntN(patients)]++
		}
	}
	return w
}

// parallel calls do(0) … do(n-1) on at most so many goroutines and returns the first error. Each call writes to its own
// place, so the order in which they run cannot be seen in a result.
func parallel(ctx context.Context, threads, n int, do func(i int) error) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(threads)
	for i := range n {
		if inner.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := inner.Err(); err != nil {
				return err
			}
			return do(i)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
