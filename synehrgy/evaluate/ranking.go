package evaluate

// How well a score ranks positives above negatives, under whole-number weights:
//
//	AUROC = P(score of a positive > score of a negative) + 1/2 P(equal)
//	AUPRC = sum over distinct scores, falling, of (recall gained) x (precision at or above the score)
//	TPR at FPR f = share of positives above the lowest threshold that at most a share f of the negatives lies above
//
// The order is found once; each replicate is one pass.

import (
	"cmp"
	"math"
	"slices"
)

// ranked is scored cases in falling order of score.
type ranked struct {
	end      []int32 // cases of equal score end here
	positive []bool
	patient  []int32 // into the weights: positives and negatives may have weights of their own
}

// ranking orders cases by falling score. Cases with a score that is no number rank last.
func ranking(score []float64, positive []bool, patient []int32) ranked {
	order := make([]int32, len(score))
	for i := range order {
		order[i] = int32(i)
		if math.IsNaN(score[i]) {
			score[i] = math.Inf(-1)
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(score[b], score[a]) })
	r := ranked{positive: make([]bool, len(order)), patient: make([]int32, len(order))}
	for k, i := range order {
		r.positive[k], r.patient[k] = positive[i], patient[i]
		if k+1 == len(order) || score[order[k+1]] != score[i] {
			r.end = append(r.end, int32(k+1))
		}
	}
	return r
}

// sweep visits the distinct scores in falling order with the weight of the positives and negatives that have it.
func (r *ranked) sweep(positives, negatives []uint16, visit func(tp, fp float64)) {
	at := int32(0)
	for _, end := range r.end {
		var tp, fp int64
		for ; at < end; at++ {
			if r.positive[at] {
				tp += int64(positives[r.patient[at]])
			} else {
				fp += int64(negatives[r.patient[at]])
			}
		}
		visit(float64(tp), float64(fp))
	}
}

func (r *ranked) totals(positives, negatives []uint16) (p, n float64) {
	r.sweep(positives, negatives, func(tp, fp float64) { p, n = p+tp, n+fp })
	return p, n
}

// auroc is NaN when one of the classes weighs nothing.
func (r *ranked) auroc(positives, negatives []uint16) float64 {
	var area, p, n float64
	r.sweep(positives, negatives, func(tp, fp float64) {
		area += fp * (p + tp/2)
		p, n = p+tp, n+fp
	})
	if p == 0 || n == 0 {
		return math.NaN()
	}
	return area / (p * n)
}

// auprc is the average precision; NaN when one of the classes weighs nothing.
func (r *ranked) auprc(positives, negatives []uint16) float64 {
	var area, p, n float64
	r.sweep(positives, negatives, func(tp, fp float64) {
		p, n = p+tp, n+fp
		if tp > 0 {
			area += tp * p / (p + n)
		}
	})
	if p == 0 || n == 0 {
		return math.NaN()
	}
	return area / p
}

// tprAt is the true positive rate at the lowest threshold whose false positive rate is at most fpr.
func (r *ranked) tprAt(fpr float64, positives, negatives []uint16) float64 {
	p, n := r.totals(positives, negatives)
	if p == 0 || n == 0 {
		return math.NaN()
	}
	var tp, fp, hit float64
	r.sweep(positives, negatives, func(t, f float64) {
		tp, fp = tp+t, fp+f
		if fp <= fpr*n {
			hit = tp
		}
	})
	return hit / p
}

// roc lists the points (false positive rate, true positive rate) of row 0.
func (r *ranked) roc(positives, negatives []uint16) (x, y []float64) {
	p, n := r.totals(positives, negatives)
	if p == 0 || n == 0 {
		return nil, nil
	}
	x, y = []float64{0}, []float64{0}
	var tp, fp float64
	r.sweep(positives, negatives, func(t, f float64) {
		tp, fp = tp+t, fp+f
		x, y = append(x, fp/n), append(y, tp/p)
	})
	return x, y
}
