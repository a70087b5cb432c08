package evaluate

// The section on codes: prevalence R2 of single codes, pairs within a visit and successions from visit to visit, the same in
// the published form, and what becomes of rare codes.

import (
	"context"
	"fmt"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

const prevalenceFormula = "R2 = 1 - sum (p - q)^2 / sum (p - mean p)^2 over the keys of either side, absent = 0; p training, q candidate, both of the same number of patients. "

// prevalenceStatistic is one row of the table of prevalences.
type prevalenceStatistic struct {
	id, title, about string
	of               combination
	per              denominator
	once             bool
	what, axis       string // what is counted, and the prevalence in words
}

var prevalenceStatistics = []prevalenceStatistic{
	{"codes.unigram_r2_record", "Codes per patient, R2", "p = patients with the code in any visit / patients.", singles, perRecord, true, "codes", "share of patients with the code"},
	{"codes.unigram_r2_visit", "Codes per visit, R2", "p = visits with the code / visits.", singles, perVisit, false, "codes", "share of visits with the code"},
	{"codes.bigram_r2_record", "Code pairs within a visit, per patient, R2", "p = patients with the unordered pair in one visit / patients.", pairs, perRecord, true, "two codes in one visit", "share of patients with the pair"},
	{"codes.bigram_r2_visit", "Code pairs within a visit, per visit, R2", "p = visits with the unordered pair / visits.", pairs, perVisit, false, "two codes in one visit", "share of visits with the pair"},
	{"codes.sequential_r2_record", "Codes of consecutive visits, per patient, R2", "p = patients with code a in a visit and code b in the next / patients.", successions, perRecord, true, "consecutive visits with codes", "share of patients with the succession"},
	{"codes.sequential_r2_visit", "Codes of consecutive visits, per pair of visits, R2", "p = pairs of consecutive visits with a in the first and b in the second / pairs of consecutive visits.", successions, perSuccession, false, "consecutive visits with codes", "share of visit pairs with the succession"},
}

func codesSection(ctx context.Context, p *panel, threads int) (*chapter, error) {
	c := &chapter{Section: Section{ID: "codes", Title: "Codes",
		About: fmt.Sprintf("How often diagnoses, procedures, drugs and treatments occur, alone, together and one visit after the other. %d patients on either side; patients without a visit are left out of the denominators.", len(p.reference.patients))}}
	groups := make([][]*ehr.Patient, 0, 5)
	for _, s := range p.drawn() {
		groups = append(groups, s.patients)
	}
	book := newCodebook(append(groups, p.train)...)
	sets := make([][][][]int32, len(groups))
	for i, g := range groups {
		sets[i] = codeSets(g, book)
	}
	results := make([]estimates, len(prevalenceStatistics)+len(publishedStatistics))
	figures := make([]Figure, len(prevalenceStatistics))
	var tail *longTail
	err := parallel(ctx, threads, len(results)+1, func(i int) error {
		switch {
		case i < len(prevalenceStatistics):
			results[i], figures[i] = prevalenceStatistics[i].evaluate(p, sets)
		case i < len(results):
			results[i] = publishedStatistics[i-len(prevalenceStatistics)].evaluate(p, book)
		default:
			tail = newLongTail(p, book, sets)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	for i, s := range prevalenceStatistics {
		c.add(Metric{ID: s.id, Title: s.title, About: prevalenceFormula + s.about, Ledger: Corrected, Better: Higher, Ideal: 1}, math.Inf(-1), 1, results[i])
		if len(figures[i].Series) > 0 {
			c.Figures = append(c.Figures, figures[i])
		}
	}
	tail.report(c)
	for i, s := range publishedStatistics {
		c.add(Metric{ID: s.id, Title: s.title, About: s.about, Ledger: Published, Better: Higher, Ideal: 1}, -1, 1, results[len(prevalenceStatistics)+i])
	}
	return c, nil
}

// evaluate computes R2 of every candidate under every weight row, and the scatter of the prevalences.
func (s *prevalenceStatistic) evaluate(p *panel, sets [][][][]int32) (estimates, Figure) {
	ring := keyring{}
	lists := make([]occurrences, len(sets))
	for i := range sets {
		lists[i] = ring.occurrencesOf(sets[i], s.of, s.per, s.once)
	}
	reference, candidate := make([]int32, len(ring)), make([]int32, len(ring))
	rows := make([][systemCount]float64, p.rows())
	figure := Figure{ID: s.id, Title: s.title, About: "One point a key; the diagonal is agreement. Keys that one side lacks are not on a logarithmic axis.",
		Kind: "scatter", XLabel: s.axis + ", training", YLabel: s.axis + ", candidate", Log: true}
	for b := range rows {
		np := lists[0].count(p.reference.weights[b], reference)
		for system, set := range p.candidates {
			nq := lists[slot(system)].count(set.weights[b], candidate)
			rows[b][system] = unionR2(reference, candidate, np, nq)
			if b == 0 && system != atCopy {
				figure.scatter(systemTable[system].Title, reference, candidate, np, nq)
			}
		}
	}
	var out estimates
	for system := range out {
		why := s.whyUndefined(&lists[0], &lists[slot(system)])
		out[system] = estimated(len(rows), why, func(b int) float64 { return rows[b][system] })
	}
	return out, figure
}

func (s *prevalenceStatistic) whyUndefined(reference, candidate *occurrences) string {
	units := func(o *occurrences) (n int64) {
		for _, u := range o.units {
			n += int64(u)
		}
		return n
	}
	switch {
	case units(reference) == 0 || len(reference.keys) == 0:
		return "the training patients have no " + s.what
	case units(candidate) == 0:
		return "the candidate has no " + s.what
	}
	return "all prevalences of the training patients are equal"
}

// scatterPoints caps the points of one cloud: the keys that are most frequent in the reference are drawn.
const scatterPoints = 2000

func (f *Figure) scatter(name string, reference, candidate []int32, np, nq int64) {
	series := Series{Name: name}
	for _, k := range frequencyOrder(reference) {
		if len(series.X) == scatterPoints || reference[k] == 0 {
			break
		}
		if candidate[k] > 0 {
			series.X = append(series.X, float64(reference[k])/float64(np))
			series.Y = append(series.Y, float64(candidate[k])/float64(nq))
		}
	}
	if len(series.X) > 0 {
		f.Series = append(f.Series, series)
	}
}
