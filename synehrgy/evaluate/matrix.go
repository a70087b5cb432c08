package evaluate

// The two engines that evaluation asks for, and the matrix they share.

import "context"

// Matrix is Rows x Cols numbers, row by row. NaN is a missing entry, where the receiver allows one.
type Matrix struct {
	Rows, Cols int
	Data       []float32 // [Rows*Cols]
}

// Row is row i, sharing memory.
func (m Matrix) Row(i int) []float32 { return m.Data[i*m.Cols : (i+1)*m.Cols : (i+1)*m.Cols] }

// Trees is a gradient-boosted classifier.
type Trees interface {
	// FitPredict fits on train with classes y (0 or 1, [train.Rows], both present) and returns for each row of test a score
	// that rises with the probability of class 1, [test.Rows]. NaN in a matrix is a missing value. The result depends on
	// nothing but the arguments. It may be called from several goroutines at once.
	FitPredict(ctx context.Context, train Matrix, y []float32, test Matrix, seed uint64) ([]float32, error)
}

// Neighbours finds nearest rows.
type Neighbours interface {
	// Nearest returns for each row of query the k rows of base with the smallest squared Euclidean distance, nearest first,
	// ties to the lower index: distances and indices, both [query.Rows*k]. excludeSelf leaves row i of base out for row i of
	// query. Where base has fewer than k rows to offer, the rest is +Inf and -1. It may be called from several goroutines at
	// once.
	Nearest(ctx context.Context, query, base Matrix, k int, excludeSelf bool) (dist []float32, index []int32, err error)
}
