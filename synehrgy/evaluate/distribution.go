package evaluate

// Distances between two one-dimensional distributions whose values belong to patients:
//
//	KS = sup_x |F(x) - G(x)|        W1 = integral |F(x) - G(x)| dx        TV = 1/2 sum_c |p_c - q_c|
//
// Both samples are sorted once; a bootstrap replicate is one pass over the merged order with whole-number weights, so a
// replicate costs O(values) and equal samples are exactly 0 apart.

import (
	"cmp"
	"math"
	"slices"
)

// sample is the values of one quantity in one cohort, each with the index of the patient it belongs to.
type sample struct {
	x       []float64
	patient []int32
}

func (s *sample) add(x float64, patient int) {
	if !math.IsNaN(x) && !math.IsInf(x, 0) {
		s.x, s.patient = append(s.x, x), append(s.patient, int32(patient))
	}
}

// sorted returns the sample in ascending order.
func (s *sample) sorted() sample {
	type pair struct {
		x float64
		p int32
	}
	pairs := make([]pair, len(s.x))
	for i := range pairs {
		pairs[i] = pair{s.x[i], s.patient[i]}
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.p, b.p)) })
	out := sample{make([]float64, len(pairs)), make([]int32, len(pairs))}
	for i, p := range pairs {
		out.x[i], out.patient[i] = p.x, p.p
	}
	return out
}

// weight is the sum of the weights of all values.
func (s *sample) weight(w []uint16) int64 {
	n := int64(0)
	for _, p := range s.patient {
		n += int64(w[p])
	}
	return n
}

// overlay is two sorted samples in one order.
type overlay struct {
	x     []float64 // distinct values, ascending
	end   []int32   // x[i] owns the entries end[i-1] … end[i]-1 of who
	who   []int32   // patient of the first sample, or firstPatients + patient of the second
	first int       // patients of the first cohort
	sizes [2][]int32
}

func overlaid(a, b sample, patientsA, patientsB int) overlay {
	n := len(a.x) + len(b.x)
	o := overlay{who: make([]int32, 0, n), first: patientsA, sizes: [2][]int32{make([]int32, patientsA), make([]int32, patientsB)}}
	for _, p := range a.patient {
		o.sizes[0][p]++
	}
	for _, p := range b.patient {
		o.sizes[1][p]++
	}
	for i, j := 0, 0; i < len(a.x) || j < len(b.x); {
		fromA := j == len(b.x) || i < len(a.x) && a.x[i] <= b.x[j]
		var x float64
		if fromA {
			x = a.x[i]
			o.who = append(o.who, a.patient[i])
			i++
		} else {
			x = b.x[j]
			o.who = append(o.who, int32(patientsA)+b.patient[j])
			j++
		}
		if k := len(o.x) - 1; k >= 0 && o.x[k] == x {
			o.end[k]++
		} else {
			o.x, o.end = append(o.x, x), append(o.end, int32(len(o.who)))
		}
	}
	return o
}

// distances returns KS and W1 under the weights; NaN when a sample weighs nothing. scratch holds one number a patient.
func (o *overlay) distances(wa, wb []uint16, scratch []int64) (ks, w1 float64) {
	var na, nb int64
	for p, n := range o.sizes[0] {
		na += int64(n) * int64(wa[p])
	}
	for p, n := range o.sizes[1] {
		nb += int64(n) * int64(wb[p])
	}
	if na == 0 || nb == 0 {
		return math.NaN(), math.NaN()
	}
	// F - G in units of 1/(na nb): whole numbers, hence exact.
	for p := range o.sizes[0] {
		scratch[p] = int64(wa[p]) * nb
	}
	for p := range o.sizes[1] {
		scratch[o.first+p] = -int64(wb[p]) * na
	}
	var gap, most int64
	at := int32(0)
	for i, end := range o.end {
		for ; at < end; at++ {
			gap += scratch[o.who[at]]
		}
		size := max(gap, -gap)
		most = max(most, size)
		if size != 0 {
			w1 += float64(size) * (o.x[i+1] - o.x[i])
		}
	}
	unit := float64(na) * float64(nb)
	return float64(most) / unit, w1 / unit
}

// totalVariation compares the category frequencies of two samples whose values are category indices below categories; NaN
// when a sample weighs nothing.
func totalVariation(a, b *sample, wa, wb []uint16, categories int) float64 {
	p, q := frequencies(a, wa, categories), frequencies(b, wb, categories)
	if p == nil || q == nil {
		return math.NaN()
	}
	tv := 0.0
	for c := range p {
		tv += math.Abs(p[c]-q[c]) / 2
	}
	return tv
}

func frequencies(s *sample, w []uint16, categories int) []float64 {
	n := s.weight(w)
	if n == 0 {
		return nil
	}
	counts := make([]int64, categories)
	for i, x := range s.x {
		counts[int(x)] += int64(w[s.patient[i]])
	}
	f := make([]float64, categories)
	for c := range f {
		f[c] = float64(counts[c]) / float64(n)
	}
	return f
}
