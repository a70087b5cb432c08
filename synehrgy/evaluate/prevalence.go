package evaluate

// Prevalence of codes and of their combinations, and how far the synthetic prevalences explain the real ones.
//
// With p_k the share in the reference and q_k in the candidate, over the keys that either has (an absent one counts 0):
//
//	R2 = 1 - sum_k (p_k - q_k)^2 / sum_k (p_k - mean p)^2
//
// The reference is the first argument; R2 is not symmetric and may be negative.

import (
	"cmp"
	"math"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// codebook numbers codes in ascending order of (system, text).
type codebook map[ehr.Code]int32

func newCodebook(groups ...[]*ehr.Patient) codebook {
	book := codebook{}
	var all []ehr.Code
	for _, group := range groups {
		for _, p := range group {
			for v := range p.Visits {
				for _, c := range p.Visits[v].Codes {
					if _, ok := book[c]; !ok {
						book[c] = 0
						all = append(all, c)
					}
				}
			}
		}
	}
	slices.SortFunc(all, ehr.Code.Compare)
	for i, c := range all {
		book[c] = int32(i)
	}
	return book
}

// set returns the codes of a visit as ascending numbers, each once.
func (b codebook) set(v *ehr.Visit) []int32 {
	s := make([]int32, len(v.Codes))
	for i, c := range v.Codes {
		s[i] = b[c]
	}
	slices.Sort(s)
	return slices.Compact(s)
}

// combination lists the keys of a patient, given the code sets of the visits; a key may come several times.
type combination func(visits [][]int32, yield func(key uint64))

func pairKey(a, b int32) uint64 { return uint64(a)<<32 | uint64(uint32(b)) }

// singles yields every code of every visit.
func singles(visits [][]int32, yield func(uint64)) {
	for _, v := range visits {
		for _, c := range v {
			yield(uint64(c))
		}
	}
}

// pairs yields every unordered pair of different codes of every visit.
func pairs(visits [][]int32, yield func(uint64)) {
	for _, v := range visits {
		for i, a := range v {
			for _, b := range v[i+1:] {
				yield(pairKey(a, b))
			}
		}
	}
}

// successions yields every (code of a visit, code of the next visit).
func successions(visits [][]int32, yield func(uint64)) {
	for j := 1; j < len(visits); j++ {
		for _, a := range visits[j-1] {
			for _, b := range visits[j] {
				yield(pairKey(a, b))
			}
		}
	}
}

// denominator is what a patient with that many visits (>= 1) adds to the number a prevalence is divided by.
type denominator func(visits int) int32

func perRecord(int) int32            { return 1 }
func perVisit(visits int) int32      { return int32(visits) }
func perSuccession(visits int) int32 { return int32(visits) - 1 }

// occurrences is a list of keys for each patient of a set, and what the patient adds to the denominator.
type occurrences struct {
	keys  []int32 // dense key numbers; those of patient i are keys[start[i]:start[i+1]]
	start []int32
	units []int32
}

// keyring gives the keys of one statistic dense numbers, in the order in which they turn up.
type keyring map[uint64]int32

// occurrencesOf lists what a combination yields for each patient; once: a key counts once a patient. A patient without a
// visit adds nothing, not even to the denominator.
func (ring keyring) occurrencesOf(codes [][][]int32, of combination, per denominator, once bool) occurrences {
	o := occurrences{start: make([]int32, 1, len(codes)+1)}
	for _, visits := range codes {
		from := len(o.keys)
		of(visits, func(key uint64) {
			id, ok := ring[key]
			if !ok {
				id = int32(len(ring))
				ring[key] = id
			}
			o.keys = append(o.keys, id)
		})
		if once {
			slices.Sort(o.keys[from:])
			o.keys = o.keys[:from+len(slices.Compact(o.keys[from:]))]
		}
		o.start = append(o.start, int32(len(o.keys)))
		unit := int32(0)
		if len(visits) > 0 {
			unit = per(len(visits))
		}
		o.units = append(o.units, unit)
	}
	return o
}

// count adds up the keys of the weighted patients into counts (which it clears) and returns the denominator.
func (o *occurrences) count(w []uint16, counts []int32) (units int64) {
	clear(counts)
	for i, unit := range o.units {
		k := int32(w[i])
		if k == 0 {
			continue
		}
		units += int64(k) * int64(unit)
		for _, key := range o.keys[o.start[i]:o.start[i+1]] {
			counts[key] += k
		}
	}
	return units
}

// unionR2 is R2 of the prevalences counts/units; NaN when a denominator is 0 or the reference prevalences do not vary.
func unionR2(reference, candidate []int32, referenceUnits, candidateUnits int64) float64 {
	if referenceUnits == 0 || candidateUnits == 0 {
		return math.NaN()
	}
	np, nq := float64(referenceUnits), float64(candidateUnits)
	var n, sum, squares, residual float64
	for k, a := range reference {
		b := candidate[k]
		if a == 0 && b == 0 {
			continue
		}
		p, q := float64(a)/np, float64(b)/nq
		n++
		sum += p
		squares += p * p
		residual += (p - q) * (p - q)
	}
	spread := squares - sum*sum/n
	if n < 2 || spread <= 1e-12*squares {
		return math.NaN()
	}
	return 1 - residual/spread
}

// pearson is the correlation of paired numbers; NaN for fewer than two pairs or a constant side.
func pearson(x, y []float64) float64 {
	n := float64(len(x))
	var sx, sy float64
	for i := range x {
		sx += x[i]
		sy += y[i]
	}
	var sxx, syy, sxy float64
	for i := range x {
		dx, dy := x[i]-sx/n, y[i]-sy/n
		sxx += dx * dx
		syy += dy * dy
		sxy += dx * dy
	}
	if len(x) < 2 || sxx == 0 || syy == 0 {
		return math.NaN()
	}
	return sxy / math.Sqrt(sxx*syy)
}

// codeSets returns the code set of each visit of each patient.
func codeSets(patients []*ehr.Patient, book codebook) [][][]int32 {
	out := make([][][]int32, len(patients))
	for i, p := range patients {
		out[i] = make([][]int32, len(p.Visits))
		for v := range p.Visits {
			out[i][v] = book.set(&p.Visits[v])
		}
	}
	return out
}

// frequencyOrder sorts code numbers by falling number of patients, then by number.
func frequencyOrder(patients []int32) []int32 {
	order := make([]int32, len(patients))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(patients[b], patients[a]), cmp.Compare(a, b)) })
	return order
}
