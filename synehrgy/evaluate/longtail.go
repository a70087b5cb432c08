package evaluate

// What becomes of rare codes. The codes of the training patients fall into four bands by the number of training patients
// that have them; coverage is the share of a band's codes that a candidate of the same number of patients shows at least
// once. The ceiling says what an equally large sample of real patients shows.

import "math"

// band is a group of codes of similar frequency.
type band uint8

const (
	head band = iota
	middle
	tail
	singleton
	bandCount
	noBand // not in the training data
)

var bandTable = [bandCount]struct{ id, title, about string }{
	{"head", "frequent codes", "the most frequent codes that together make half of all (patient, code) pairs"},
	{"middle", "middling codes", "the next ones, up to nine tenths of the pairs"},
	{"tail", "rare codes", "the remaining ones that at least two training patients have"},
	{"singleton", "codes of one patient", "codes that a single training patient has"},
}

// bands sorts codes into bands by the number of patients that have them.
func bands(patients []int32) []band {
	total, sum := int64(0), int64(0)
	for _, n := range patients {
		total += int64(n)
	}
	out := make([]band, len(patients))
	for _, k := range frequencyOrder(patients) {
		n := int64(patients[k])
		switch {
		case n == 0:
			out[k] = noBand
		case n == 1:
			out[k] = singleton
		case 10*sum < 5*total:
			out[k] = head
		case 10*sum < 9*total:
			out[k] = middle
		default:
			out[k] = tail
		}
		sum += n
	}
	return out
}

// longTail holds the estimates of this panel.
type longTail struct {
	coverage [bandCount]estimates
	all      estimates
	invented estimates
}

func newLongTail(p *panel, book codebook, sets [][][][]int32) *longTail {
	ring := keyring{}
	for id := range len(book) {
		ring[uint64(id)] = int32(id) // a code keeps its number
	}
	train := ring.occurrencesOf(codeSets(p.train, book), singles, perRecord, true)
	counts := make([]int32, len(ring))
	ones := make([]uint16, len(p.train))
	for i := range ones {
		ones[i] = 1
	}
	train.count(ones, counts)
	inBand := bands(counts)
	var size [bandCount + 2]int64
	for _, b := range inBand {
		size[b]++
	}
	known := int64(len(inBand)) - size[noBand]

	t := &longTail{}
	for system, set := range p.candidates {
		o := ring.occurrencesOf(sets[slot(system)], singles, perVisit, false)
		coverage := make([][bandCount]float64, p.rows())
		all, invented := make([]float64, p.rows()), make([]float64, p.rows())
		for b := range p.rows() {
			o.count(set.weights[b], counts)
			var present [bandCount + 2]int64
			var outside, occurrences int64
			for k, n := range counts {
				occurrences += int64(n)
				if n > 0 {
					present[inBand[k]]++
				}
				if inBand[k] == noBand {
					outside += int64(n)
				}
			}
			for i := range coverage[b] {
				coverage[b][i] = ratio(present[i], size[i])
			}
			all[b] = ratio(present[head]+present[middle]+present[tail]+present[singleton], known)
			invented[b] = ratio(outside, occurrences)
		}
		for i := range t.coverage {
			t.coverage[i][system] = estimated(p.rows(), "the training patients have no such code", func(b int) float64 { return coverage[b][i] })
		}
		t.all[system] = fromRows(all, "the training patients have no codes")
		t.invented[system] = fromRows(invented, "the candidate has no codes")
	}
	return t
}

// ratio is a/b, NaN for b = 0.
func ratio(a, b int64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}

func (t *longTail) report(c *chapter) {
	const formula = "Share of the codes of the training patients that the candidate shows at least once, among "
	c.add(Metric{ID: "codes.coverage", Title: "Coverage, all codes", About: formula + "all codes. Read beside the ceiling: no sample of this size shows every code.", Ledger: Corrected, Better: Higher, Ideal: 1}, 0, 1, t.all)
	for i, b := range bandTable {
		c.add(Metric{ID: "codes.coverage_" + b.id, Title: "Coverage, " + b.title, About: formula + b.about + ".", Ledger: Corrected, Better: Higher, Ideal: 1}, 0, 1, t.coverage[i])
	}
	c.add(Metric{ID: "codes.invented", Title: "Codes unknown to the training patients", About: "Share of the code occurrences whose code no training patient has: 0 with a closed vocabulary; held-out patients do have new codes.", Ledger: Corrected, Better: Lower, Ideal: 0}, 0, 1, t.invented)
}
