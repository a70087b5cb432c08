package token

import (
	"fmt"
	"math"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// This file holds the bins of one field: which bin a number belongs to, and what numbers a bin stands for. All numbers are
// integers in units of 10^-Decimals, so that nothing depends on how a float rounds.

// Bins are the bins of one number. Bin b holds the integers q with Upper[b-1] < q <= Upper[b]; what lies below the first or
// above the last belongs to those. A field that training never saw has no bins; it has one token, which is never generated.
type Bins struct {
	Low   int64     `json:"low"`   // least number the bins were fitted for
	Upper []int64   `json:"upper"` // ascending
	Knots [][]int64 `json:"knots"` // per bin, the quantile function as Tables holds it: one knot is an atom
}

// Find returns the bin of q.
func (b *Bins) Find(q int64) int {
	i, _ := slices.BinarySearch(b.Upper, q)
	return min(i, len(b.Upper)-1)
}

// Outside tells that q lies beyond the numbers the bins were fitted for.
func (b *Bins) Outside(q int64) bool { return q < b.Low || q > b.Upper[len(b.Upper)-1] }

// span returns the least and the greatest integer of a bin.
func (b *Bins) span(bin int) (low, high int64) {
	low, high = b.Low, b.Upper[bin]
	if bin > 0 {
		low = b.Upper[bin-1] + 1
	}
	return low, high
}

// check tells what is wrong with bins that came from a file; the numbers must lie within low and high.
func (b *Bins) check(low, high int64) error {
	if len(b.Knots) != len(b.Upper) {
		return fmt.Errorf("%d bins and knots for %d", len(b.Upper), len(b.Knots))
	}
	for i, upper := range b.Upper {
		if i == 0 && b.Low > upper || i > 0 && upper <= b.Upper[i-1] {
			return fmt.Errorf("bin %d ends before it begins", i)
		}
		knots := b.Knots[i]
		if len(knots) < 1 || len(knots) > maxKnots || !slices.IsSorted(knots) {
			return fmt.Errorf("bin %d without 1 to %d ascending knots", i, maxKnots)
		}
		for _, k := range knots {
			if k < low || k > high {
				return fmt.Errorf("a knot of bin %d outside the physical range", i)
			}
			if b.Find(k) != i {
				return fmt.Errorf("a knot of bin %d outside the bin", i)
			}
		}
	}
	return nil
}

// field is a number or a category of the vocabulary: a covariate, a variable or a time.
type field struct {
	Bins
	name       string
	unit       string
	decimals   int
	low, high  int64 // physical range in units of 10^-decimals
	categories int   // 0 for a number
}

// farthest bounds the integers that a number becomes: within it float64 still tells neighbours apart.
const farthest = int64(1) << 52

// maxDecimals is the most digits after the decimal point that ehr.Variable knows.
const maxDecimals = 6

var pow10 = [maxDecimals + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6}

// newField reads a field off the schema.
func newField(v *ehr.Variable) (field, error) {
	if v.Kind == ehr.Category {
		if len(v.Categories) == 0 {
			return field{}, fmt.Errorf("%q is a category without categories", v.Name)
		}
		return field{name: v.Name, categories: len(v.Categories)}, nil
	}
	if v.Kind != ehr.Number {
		return field{}, fmt.Errorf("%q is neither a number nor a category", v.Name)
	}
	if v.Decimals < 0 || v.Decimals > maxDecimals {
		return field{}, fmt.Errorf("%q has %d decimals, expected 0 to %d", v.Name, v.Decimals, maxDecimals)
	}
	f := field{name: v.Name, unit: v.Unit, decimals: v.Decimals, low: -farthest, high: farthest}
	p := pow10[v.Decimals]
	if v.Low != nil {
		f.low = clampInt(math.Ceil(*v.Low * p))
		for f.number(f.low) < *v.Low { // the product may have rounded across the bound
			f.low++
		}
	}
	if v.High != nil {
		f.high = clampInt(math.Floor(*v.High * p))
		for f.number(f.high) > *v.High {
			f.high--
		}
	}
	if f.low > f.high {
		return field{}, fmt.Errorf("%q has no number of %d decimals within its range", v.Name, v.Decimals)
	}
	return f, nil
}

// units turns a value into an integer within the physical range.
func (f *field) units(x float64) int64 {
	return min(max(clampInt(math.Round(x*pow10[f.decimals])), f.low), f.high)
}

// number turns an integer back into a value.
func (f *field) number(q int64) float64 { return float64(q) / pow10[f.decimals] }

// tokens counts the tokens of the field: its categories, its bins, or the one that says "never seen in training".
func (f *field) tokens() int { return max(f.categories, len(f.Upper), 1) }

// fitted tells that the field has a meaning the generator may use.
func (f *field) fitted() bool { return f.categories > 0 || len(f.Upper) > 0 }

// only is the number that stands for every value of a field without bins.
func (f *field) only() int64 { return min(max(0, f.low), f.high) }

// knots returns the quantile function of a token of the field, nil for a category.
func (f *field) knots(bin int) []int64 {
	switch {
	case f.categories > 0:
		return nil
	case len(f.Upper) == 0:
		return []int64{f.only()}
	}
	return f.Knots[bin]
}

func clampInt(x float64) int64 {
	switch {
	case !(x > -float64(farthest)): // NaN too
		return -farthest
	case x >= float64(farthest):
		return farthest
	}
	return int64(x)
}
