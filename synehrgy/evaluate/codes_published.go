package evaluate

// The n-gram score of arXiv 2411.13428 as its code computes it, flaws included: the code list of the first visit in stored
// order, windows of n adjacent codes, p_1 = count / number of codes, p_n = count(window) / count(its first n-1 codes),
// Pearson's r over the windows that occur on both sides. To lose codes or to invent them costs nothing, and the order of the
// list matters although it may carry no meaning.

import (
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

type publishedStatistic struct {
	id, title, about string
	n                int
}

const publishedFormula = "As published: adjacent codes of the first visit in stored order, Pearson's r over what both sides have; "

var publishedStatistics = []publishedStatistic{
	{"codes.published_unigram_pearson", "1-gram, as published", publishedFormula + "p = count / a constant. Blind to lost and to invented codes: never to be read alone.", 1},
	{"codes.published_bigram_pearson", "2-gram, as published", publishedFormula + "p = count(a, b) / count(a). Blind to lost and to invented pairs, and dependent on the order of a list: never to be read alone.", 2},
}

// windows lists the code windows of the first visits of a set, and the single codes they are divided by.
func (s *publishedStatistic) windows(patients []*ehr.Patient, book codebook, ring keyring, singlesRing keyring) (grams, ones occurrences) {
	lists := make([][][]int32, len(patients))
	for i, p := range patients {
		if len(p.Visits) == 0 {
			continue
		}
		stored := make([]int32, len(p.Visits[0].Codes))
		for j, c := range p.Visits[0].Codes {
			stored[j] = book[c]
		}
		lists[i] = [][]int32{stored}
	}
	of := combination(singles)
	if s.n == 2 {
		of = func(visits [][]int32, yield func(uint64)) {
			for _, v := range visits {
				for j := 1; j < len(v); j++ {
					yield(pairKey(v[j-1], v[j]))
				}
			}
		}
	}
	return ring.occurrencesOf(lists, of, perRecord, false), singlesRing.occurrencesOf(lists, singles, perRecord, false)
}

func (s *publishedStatistic) evaluate(p *panel, book codebook) estimates {
	ring, ones := keyring{}, keyring{}
	grams, heads := make([]occurrences, len(p.drawn())), make([]occurrences, len(p.drawn()))
	for i, set := range p.drawn() {
		grams[i], heads[i] = s.windows(set.patients, book, ring, ones)
	}
	prefix := make([]int32, len(ring)) // of each window: the number of its first code
	for key, id := range ring {
		if s.n == 2 {
			prefix[id] = ones[key>>32]
		}
	}
	share := func(slot int, w []uint16, counts, singles []int32, out []float64) {
		grams[slot].count(w, counts)
		heads[slot].count(w, singles)
		for k, c := range counts {
			out[k] = float64(c)
			if s.n == 2 && c > 0 {
				out[k] /= float64(singles[prefix[k]])
			}
		}
	}
	counts, singleCounts := make([]int32, len(ring)), make([]int32, len(ones))
	x, y := make([]float64, len(ring)), make([]float64, len(ring))
	bothX, bothY := make([]float64, 0, len(ring)), make([]float64, 0, len(ring))
	rows := make([][systemCount]float64, p.rows())
	for b := range rows {
		share(0, p.reference.weights[b], counts, singleCounts, x)
		for system, set := range p.candidates {
			share(slot(system), set.weights[b], counts, singleCounts, y)
			bothX, bothY = bothX[:0], bothY[:0]
			for k := range x {
				if x[k] > 0 && y[k] > 0 {
					bothX, bothY = append(bothX, x[k]), append(bothY, y[k])
				}
			}
			rows[b][system] = math.Min(pearson(bothX, bothY), 1)
		}
	}
	var out estimates
	for system := range out {
		out[system] = estimated(len(rows), "fewer than two n-grams in common, or all equally frequent", func(b int) float64 { return rows[b][system] })
	}
	return out
}
