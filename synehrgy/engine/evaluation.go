package engine

import (
	"context"
	"fmt"
	"runtime"

	"github.com/synehrgy/synehrgy-go/bindings"
)

// Neighbours finds exact nearest rows on a device.
type Neighbours struct{ device *Device }

// NewNeighbours works on d, which the caller closes afterwards.
func NewNeighbours(d *Device) *Neighbours { return &Neighbours{d} }

// Nearest finds for each row of query its k nearest rows of base by squared Euclidean distance, ties to the lower index;
// both are row after row of so many columns. It returns distances and indices, [rows of query, k], nearest first, +Inf and -1
// where base has fewer rows. excludeSelf leaves row i of base out for row i of query. Calls from several goroutines wait for
// one another, as one call uses every thread of the device.
func (n *Neighbours) Nearest(ctx context.Context, query, base []float32, columns, k int, excludeSelf bool) (distance []float32, index []int32, err error) {
	if columns < 1 || len(query)%columns != 0 || len(base)%columns != 0 || k < 1 {
		return nil, nil, fmt.Errorf("nearest neighbours: %d and %d numbers are no rows of %d columns, or %d neighbours were asked for: %w",
			len(query), len(base), columns, k, ErrInvalid)
	}
	raw, err := n.device.lock("device")
	if err != nil {
		return nil, nil, err
	}
	defer runtime.KeepAlive(n.device)
	defer n.device.mu.Unlock()
	rows := len(query) / columns
	distance, index = make([]float32, rows*k), make([]int32, rows*k)
	// The core polls nothing here, so the query goes in blocks, between which a cancellation is seen.
	const block = 1024
	step := block
	if excludeSelf { // row i of the query is row i of base, which a block would shift
		step = max(rows, 1)
	}
	for first := 0; first < rows; first += step {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		last := min(first+step, rows)
		err := bindings.Nearest(raw, query[first*columns:last*columns], int64(last-first), base, int64(len(base)/columns), clamp32(columns),
			clamp32(k), excludeSelf, distance[first*k:last*k], index[first*k:last*k])
		if err != nil {
			return nil, nil, err
		}
	}
	return distance, index, nil
}

// Trees is gradient-boosted trees by XGBoost, binary logistic.
type Trees struct {
	Rounds         int
	Depth          int
	Threads        int
	LearningRate   float64
	MinChildWeight float64
	Subsample      float64
	Colsample      float64
}

// NewTrees is the settings of the core on so many threads.
func NewTrees(threads int) *Trees {
	p := bindings.BoostParamsInit()
	return &Trees{
		Rounds: int(p.Rounds), Depth: int(p.Depth), Threads: threads, LearningRate: p.LearningRate,
		MinChildWeight: p.MinChildWeight, Subsample: p.Subsample, Colsample: p.Colsample,
	}
}

// FitPredict fits trees to the rows of train, of so many columns, with classes y of 0 or 1, and returns the probability of
// class 1 for each row of test. NaN is a missing value. Same arguments, same bits. It may be called from several goroutines.
// It is an ErrUnsupported with the reason where XGBoost is not installed.
func (t *Trees) FitPredict(ctx context.Context, train []float32, columns int, y []float32, test []float32, seed uint64) ([]float32, error) {
	if columns < 1 || len(train) != columns*len(y) || len(test)%columns != 0 {
		return nil, fmt.Errorf("boosted trees: %d numbers for %d classes, and %d numbers to predict for, are no rows of %d columns: %w",
			len(train), len(y), len(test), columns, ErrInvalid)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	probability := make([]float32, len(test)/columns)
	err := bindings.BoostFitPredict(bindings.BoostParams{
		Rounds: clamp32(t.Rounds), Depth: clamp32(t.Depth), Threads: clamp32(t.Threads), LearningRate: t.LearningRate,
		MinChildWeight: t.MinChildWeight, Subsample: t.Subsample, Colsample: t.Colsample, Seed: seed,
	}, train, y, int64(len(y)), int64(columns), test, int64(len(probability)), probability)
	if err != nil {
		return nil, err
	}
	return probability, nil
}
