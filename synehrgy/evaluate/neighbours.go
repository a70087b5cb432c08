package evaluate

// Exact nearest neighbours in plain Go: the reference that faster ones are tested against, and what is used without one.
// Distances are summed in double precision and leave a pair as soon as they exceed the k-th best; queries
// and base rows are taken in blocks so that a block of the base stays in cache for a block of queries.

import (
	"context"
	"math"
	"runtime"
)

type plainNeighbours struct{ threads int }

// PlainNeighbours returns the reference implementation on so many goroutines; 0 is one for each processor.
func PlainNeighbours(threads int) Neighbours {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return plainNeighbours{threads}
}

const (
	queryBlock  = 16
	baseBlock   = 64
	columnBlock = 64 // columns between two looks at the best distance so far
)

func (p plainNeighbours) Nearest(ctx context.Context, query, base Matrix, k int, excludeSelf bool) ([]float32, []int32, error) {
	dist, index := make([]float32, query.Rows*k), make([]int32, query.Rows*k)
	blocks := (query.Rows + queryBlock - 1) / queryBlock
	err := parallel(ctx, p.threads, blocks, func(block int) error {
		first, last := block*queryBlock, min((block+1)*queryBlock, query.Rows)
		nearest := make([]shortlist, last-first)
		for i := range nearest {
			nearest[i] = newShortlist(k)
		}
		for from := 0; from < base.Rows; from += baseBlock {
			for q := first; q < last; q++ {
				for j := from; j < min(from+baseBlock, base.Rows); j++ {
					if excludeSelf && j == q {
						continue
					}
					list := &nearest[q-first]
					if d := squaredDistance(query.Row(q), base.Row(j), list.worst()); d < list.worst() {
						list.insert(d, int32(j))
					}
				}
			}
		}
		for i, list := range nearest {
			for r := range k {
				dist[(first+i)*k+r], index[(first+i)*k+r] = float32(list.d[r]), list.index[r]
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, nil, err
	}
	return dist, index, nil
}

// squaredDistance is sum (x - y)^2, or some number >= limit once the sum has reached limit. Four sums side by side keep the
// adder busy; their order is fixed, so d(x, y) = d(y, x) to the last bit.
func squaredDistance(x, y []float32, limit float64) float64 {
	var s0, s1, s2, s3 float64
	for len(x) >= columnBlock {
		a, b := x[:columnBlock:columnBlock], y[:columnBlock:columnBlock]
		for c := 0; c < columnBlock; c += 4 {
			d0, d1 := float64(a[c])-float64(b[c]), float64(a[c+1])-float64(b[c+1])
			d2, d3 := float64(a[c+2])-float64(b[c+2]), float64(a[c+3])-float64(b[c+3])
			s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		}
		if sum := (s0 + s1) + (s2 + s3); sum >= limit {
			return sum
		}
		x, y = x[columnBlock:], y[columnBlock:]
	}
	for c, v := range x {
		d := float64(v) - float64(y[c])
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

// shortlist is the k best so far, nearest first. Rows come in ascending order, so of equal distances the earlier stays.
type shortlist struct {
	d     []float64
	index []int32
}

func newShortlist(k int) shortlist {
	s := shortlist{make([]float64, k), make([]int32, k)}
	for i := range s.d {
		s.d[i], s.index[i] = math.Inf(1), -1
	}
	return s
}

func (s *shortlist) worst() float64 { return s.d[len(s.d)-1] }

func (s *shortlist) insert(d float64, index int32) {
	i := len(s.d) - 1
	for ; i > 0 && s.d[i-1] > d; i-- {
		s.d[i], s.index[i] = s.d[i-1], s.index[i-1]
	}
	s.d[i], s.index[i] = d, index
}
