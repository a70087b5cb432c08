package token

import (
	"math"
	"slices"
)

// This file cuts a range into bins by edges, whatever the sample holds between them.

// fitUniform cuts the range of the sample into intervals of one width, closed on the right, the first one a thousandth of the
// range wider. With Trim a tail is left out of the range when it reaches more than three times as far beyond the 2.5 % or
// 97.5 % quantile as that lies from the median; values there belong to the end bins.
func fitUniform(h *histogram, rule *Binning) Bins {
	n := len(h.values)
	low, high := h.values[0], h.values[n-1]
	if rule.Trim {
		q1, q2, q3 := h.quantile(0, n, 0.025), h.quantile(0, n, 0.5), h.quantile(0, n, 0.975)
		if (float64(high)-q3)/(q3-q2) > 3 {
			high = h.values[max(0, upperBound64(h.values, q3)-1)]
		}
		if (q1-float64(low))/(q2-q1) > 3 {
			i, _ := slices.BinarySearch(h.values, int64(math.Ceil(q1)))
			low = h.values[i]
		}
	}
	if low >= high {
		return Bins{Low: low, Upper: []int64{low}}
	}
	bins, span := h.mostBins(rule), float64(high-low)
	b := Bins{Low: int64(math.Floor(float64(low)-span/1000)) + 1}
	for i := 1; i <= bins; i++ {
		upper := low + int64(math.Floor(span*float64(i)/float64(bins)))
		if upper >= b.Low && (len(b.Upper) == 0 || upper > b.Upper[len(b.Upper)-1]) {
			b.Upper = append(b.Upper, upper)
		}
	}
	return b
}

// upperBound64 counts the values that are at most x.
func upperBound64(values []int64, x float64) int {
	i, _ := slices.BinarySearch(values, int64(math.Floor(x))+1)
	return i
}

// fitEdges makes the intervals between fixed edges, closed on the right; the first holds its lower edge too. Where the
// density is learned the end bins reach as far as the sample.
func fitEdges(h *histogram, edges []float64, learned bool) Bins {
	b := Bins{Low: clampInt(math.Ceil(edges[0]))}
	for _, e := range edges[1:] {
		upper := clampInt(math.Floor(e))
		if upper >= b.Low && (len(b.Upper) == 0 || upper > b.Upper[len(b.Upper)-1]) {
			b.Upper = append(b.Upper, upper)
		}
	}
	if len(b.Upper) == 0 { // edges closer together than the decimals of the field
		b.Upper = []int64{b.Low}
	}
	if learned {
		b.Low = min(b.Low, h.values[0])
		b.Upper[len(b.Upper)-1] = max(b.Upper[len(b.Upper)-1], h.values[len(h.values)-1])
	}
	return b
}
