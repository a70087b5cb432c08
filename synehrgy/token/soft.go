package token

import "math"

// This file makes the soft targets of ordered bins: a target bin shares its weight with its neighbours.
//
//	weight of bin b+k, k = -3..3, proportional to exp(-k^2 / 2), cut at the ends of the variable, adding up to 1
//
// Times stay hard: a smoothed hour is a clock that drifts.

// SoftTaps is the number of bins that share the weight of one target.
const SoftTaps = 7

// SoftTable returns the rows of the soft targets: index [rows, SoftTaps] tokens, weight [rows, SoftTaps], and for each token
// its row, or -1 where its target stays hard. A tap beyond the end of a variable repeats the target with weight 0.
func (v *Vocabulary) SoftTable() (index []int32, weight []float32, rowOfToken []int32) {
	rowOfToken = make([]int32, v.Size())
	for token, m := range v.meaning {
		f := v.fieldOf(m)
		if f == nil || m.kind == kindTime || len(f.Upper) < 2 {
			rowOfToken[token] = -1
			continue
		}
		rowOfToken[token] = int32(len(index) / SoftTaps)
		var taps [SoftTaps]float64
		sum := 0.0
		for k := range taps {
			if b := int(m.bin) + k - SoftTaps/2; b >= 0 && b < len(f.Upper) {
				d := float64(k - SoftTaps/2)
				taps[k] = math.Exp(-d * d / 2)
				sum += taps[k]
			}
		}
		for k, w := range taps {
			at := int32(token)
			if w > 0 {
				at += int32(k - SoftTaps/2)
			}
			index = append(index, at)
			weight = append(weight, float32(w/sum))
		}
	}
	return index, weight, rowOfToken
}
