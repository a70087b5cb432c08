package token

import (
	"math"
	"slices"
)

// This file fits the bins of one field to its training values: where the bins end (fit_groups.go, fit_edges.go), and in each
// the quantile function that turns it back into a number.

// histogram is a sorted sample without repetitions.
type histogram struct {
	values []int64 // ascending
	before []int   // before[i] values of the sample are less than values[i]; before[len(values)] is the size of the sample
}

// newHistogram sorts the sample in place.
func newHistogram(sample []int64) histogram {
	slices.Sort(sample)
	h := histogram{}
	for i, q := range sample {
		if i == 0 || q != sample[i-1] {
			h.values = append(h.values, q)
			h.before = append(h.before, i)
		}
	}
	h.before = append(h.before, len(sample))
	return h
}

func (h *histogram) size() int              { return h.before[len(h.values)] }
func (h *histogram) mass(from, to int) int  { return h.before[to] - h.before[from] } // of values[from:to]
func (h *histogram) at(rank int) int64      { return h.values[h.indexOf(rank)] }     // the rank-th least of the sample
func (h *histogram) indexOf(rank int) int   { return upperBound(h.before, rank) - 1 }
func upperBound(sorted []int, x int) int    { i, _ := slices.BinarySearch(sorted, x+1); return i }
func isAtom(group []int, i int) bool        { return group[i+1]-group[i] == 1 }
func (h *histogram) most(share float64) int { return int(share * float64(h.size())) }

// quantile returns the p-quantile of the sample of values[from:to], linear between the order statistics.
func (h *histogram) quantile(from, to int, p float64) float64 {
	at := p * float64(h.mass(from, to)-1)
	rank := int(at)
	a := h.at(h.before[from] + rank)
	if float64(rank) == at {
		return float64(a)
	}
	b := h.at(h.before[from] + rank + 1)
	return float64(a) + (at-float64(rank))*float64(b-a)
}

// fitBins returns the bins of a field for a training sample, which it sorts. edges, in units of the field, override the rule.
func fitBins(f *field, sample []int64, rule *Binning, edges []float64) Bins {
	if len(sample) == 0 {
		return Bins{}
	}
	h := newHistogram(sample)
	var b Bins
	switch {
	case len(edges) > 0:
		b = fitEdges(&h, edges, rule.Density == Learned)
	case rule.Method == Uniform:
		b = fitUniform(&h, rule)
	default:
		b = fitQuantile(&h, rule)
	}
	b.clip(f)
	b.fitKnots(&h, rule)
	return b
}

// clip takes away what lies beyond the physical range, which only fixed edges and the widened first interval do.
func (b *Bins) clip(f *field) {
	b.Low = max(b.Low, f.low)
	b.Upper = slices.DeleteFunc(b.Upper, func(upper int64) bool { return upper < b.Low })
	if i, _ := slices.BinarySearch(b.Upper, f.high); i < len(b.Upper) {
		b.Upper = append(b.Upper[:i], f.high)
	}
	if len(b.Upper) == 0 {
		b.Upper = []int64{max(b.Low, f.low)}
	}
}

// mostBins is how many bins a sample is worth.
func (h *histogram) mostBins(rule *Binning) int {
	return max(1, min(rule.Bins, h.size()/rule.MinCount, len(h.values)/rule.DistinctPerBin))
}

// fitKnots gives every bin its quantile function: that of the sample in the bin, or a flat one between the edges of the bin
// where the rule says so or the sample has nothing there.
func (b *Bins) fitKnots(h *histogram, rule *Binning) {
	b.Knots = make([][]int64, len(b.Upper))
	from := 0
	for bin := range b.Upper {
		to := len(h.values)
		if bin < len(b.Upper)-1 {
			to, _ = slices.BinarySearch(h.values, b.Upper[bin]+1)
		}
		if rule.Density == Learned && to > from {
			b.Knots[bin] = h.knots(from, to, rule.Knots)
		} else {
			b.Knots[bin] = b.flatKnots(bin)
		}
		from = to
	}
}

func (b *Bins) flatKnots(bin int) []int64 {
	low, high := b.span(bin)
	if low == high {
		return []int64{low}
	}
	return []int64{low, high}
}

// knots returns n equally spaced quantiles of the sample of values[from:to], rounded.
func (h *histogram) knots(from, to, n int) []int64 {
	if to-from == 1 {
		return []int64{h.values[from]}
	}
	knots := make([]int64, n)
	for i := range knots {
		knots[i] = int64(math.Floor(h.quantile(from, to, float64(i)/float64(n-1)) + 0.5))
	}
	return knots
}
