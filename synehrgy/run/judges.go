package run

import (
	"context"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// The two engines that evaluation asks for, as the core provides them.

type trees struct{ *engine.Trees }

func (t trees) FitPredict(ctx context.Context, train evaluate.Matrix, y []float32, test evaluate.Matrix, seed uint64) ([]float32, error) {
	return t.Trees.FitPredict(ctx, train.Data, train.Cols, y, test.Data, seed)
}

type neighbours struct{ *engine.Neighbours }

func (n neighbours) Nearest(ctx context.Context, query, base evaluate.Matrix, k int, excludeSelf bool) ([]float32, []int32, error) {
	return n.Neighbours.Nearest(ctx, query.Data, base.Data, query.Cols, k, excludeSelf)
}
