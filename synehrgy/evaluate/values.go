package evaluate

// The section on values: the distribution of every measured variable and every covariate, the share of impossible values,
// and the correlation of the variables.

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// quantity is a number or a category whose distribution is compared.
type quantity struct {
	name     string
	variable *ehr.Variable
	measured bool // else a covariate
	index    int32
}

func quantities(schema *ehr.Schema) []quantity {
	var out []quantity
	for i := range schema.Variables {
		out = append(out, quantity{schema.Variables[i].Name, &schema.Variables[i], true, int32(i)})
	}
	for i := range schema.Covariates {
		out = append(out, quantity{schema.Covariates[i].Name, &schema.Covariates[i], false, int32(i)})
	}
	return out
}

// each yields every value of the quantity that a patient has.
func (q *quantity) each(p *ehr.Patient, yield func(x float64)) {
	for v := range p.Visits {
		if !q.measured {
			if x, ok := p.Visits[v].Covariate(q.index); ok {
				yield(x)
			}
			continue
		}
		for r := range p.Visits[v].Rows {
			if x, ok := p.Visits[v].Rows[r].Value(q.index); ok {
				yield(x)
			}
		}
	}
}

// sample collects the values; of a category only those that name one.
func (q *quantity) sample(patients []*ehr.Patient) sample {
	var s sample
	for i, p := range patients {
		q.each(p, func(x float64) {
			if q.variable.Kind != ehr.Category || q.variable.InRange(x) {
				s.add(x, i)
			}
		})
	}
	return s.sorted()
}

// scale is mean and standard deviation of a quantity over the training patients; the deviation is 1 where nothing varies.
type scale struct{ mean, deviation float64 }

func (s scale) of(x float64) float64 { return (x - s.mean) / s.deviation }

func scaleOf(x []float64) scale {
	if len(x) == 0 {
		return scale{0, 1}
	}
	m, squares := mean(x), 0.0
	for _, v := range x {
		squares += (v - m) * (v - m)
	}
	d := math.Sqrt(squares / float64(len(x)))
	if !(d > 0) || math.IsInf(d, 0) {
		d = 1
	}
	return scale{m, d}
}

// marginal is how far the candidates are from the reference in one quantity.
type marginal struct {
	name       string
	number     bool
	ks, w1, tv estimates
}

// compareNumbers computes KS and W1 (in units of deviation) of four sorted samples, one for each set of panel.drawn.
func compareNumbers(p *panel, samples []sample, deviation float64) (ks, w1 estimates) {
	n := len(p.reference.patients)
	scratch := make([]int64, 2*n)
	for system, set := range p.candidates {
		o := overlaid(samples[0], samples[slot(system)], n, n)
		kss, w1s := make([]float64, p.rows()), make([]float64, p.rows())
		for b := range kss {
			kss[b], w1s[b] = o.distances(p.reference.weights[b], set.weights[b], scratch)
			w1s[b] /= deviation
		}
		ks[system], w1[system] = fromRows(kss, ""), fromRows(w1s, "")
		switch {
		case len(samples[0].x) == 0:
			ks[system], w1[system] = undefined("the training patients have no such value"), undefined("the training patients have no such value")
		case len(samples[slot(system)].x) == 0:
			ks[system] = estimated(p.rows(), "", func(int) float64 { return 1 })
			ks[system].note = "the candidate has no such value: counted as the largest distance"
			w1[system] = undefined("the candidate has no such value")
		}
	}
	return ks, w1
}

func compareCategories(p *panel, samples []sample, categories int) (tv estimates) {
	for system, set := range p.candidates {
		tv[system] = estimated(p.rows(), "", func(b int) float64 {
			return totalVariation(&samples[0], &samples[slot(system)], p.reference.weights[b], set.weights[b], categories)
		})
		switch {
		case len(samples[0].x) == 0:
			tv[system] = undefined("the training patients have no such value")
		case len(samples[slot(system)].x) == 0:
			tv[system] = estimated(p.rows(), "", func(int) float64 { return 1 })
			tv[system].note = "the candidate has no such value: counted as the largest distance"
		}
	}
	return tv
}

func (q *quantity) compare(p *panel) marginal {
	samples := make([]sample, 0, len(p.drawn()))
	for _, s := range p.drawn() {
		samples = append(samples, q.sample(s.patients))
	}
	m := marginal{name: q.name, number: q.variable.Kind != ehr.Category}
	if !m.number {
		m.tv = compareCategories(p, samples, len(q.variable.Categories))
		return m
	}
	all := q.sample(p.train)
	m.ks, m.w1 = compareNumbers(p, samples, scaleOf(all.x).deviation)
	return m
}

func valuesSection(ctx context.Context, p *panel, threads int) (*chapter, error) {
	c := &chapter{Section: Section{ID: "values", Title: "Values",
		About: fmt.Sprintf("The distribution of every variable and covariate, one by one and together, over all visits. %d patients on either side; numbers in standard deviations of the training patients.", len(p.reference.patients))}}
	qs := quantities(p.schema)
	marginals := make([]marginal, len(qs))
	var correlations *correlationTable
	var outside estimates
	err := parallel(ctx, threads, len(qs)+2, func(i int) (err error) {
		switch i {
		case 0:
			correlations, err = newCorrelationTable(ctx, p)
		case 1:
			outside = outOfRange(p, qs)
		default:
			marginals[i-2] = qs[i-2].compare(p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.aggregate("values.ks", "Numbers, KS", "KS = sup |F - G| between training and candidate, pooled over patients. ", Lower, 1, marginals, func(m *marginal) *estimates { return &m.ks }, true)
	c.aggregate("values.w1", "Numbers, W1", "W1 = integral |F - G| dx in standard deviations of the training patients. ", Lower, math.Inf(1), marginals, func(m *marginal) *estimates { return &m.w1 }, true)
	c.aggregate("values.tv", "Categories, total variation", "TV = 1/2 sum |p - q| over the categories. ", Lower, 1, marginals, func(m *marginal) *estimates { return &m.tv }, false)
	c.add(Metric{ID: "values.out_of_range", Title: "Impossible values", About: "Share of the values (measured and covariates) outside the physical range of their variable, or naming no category.", Ledger: Corrected, Better: Lower, Ideal: 0}, 0, 1, outside)
	correlations.report(c)
	return c, nil
}

// aggregate adds the median and the worst of a distance over the quantities of one kind, and a figure with each of them.
func (c *chapter) aggregate(id, title, formula string, better Direction, most float64, all []marginal, of func(*marginal) *estimates, numbers bool) {
	var chosen []*marginal
	for i := range all {
		if all[i].number == numbers {
			chosen = append(chosen, &all[i])
		}
	}
	var median, worst estimates
	for system := range median {
		var columns [][]float64
		absent := 0
		for _, m := range chosen {
			e := of(m)[system]
			if e.defined() {
				columns = append(columns, append([]float64{e.value}, e.draws...))
			} else if of(m)[atCopy].defined() {
				absent++
			}
		}
		if len(columns) == 0 {
			median[system], worst[system] = undefined("nothing of this kind in both the training patients and the candidate"), undefined("nothing of this kind in both the training patients and the candidate")
			continue
		}
		across := func(pick func([]float64) float64) estimate {
			e := estimated(len(columns[0]), "", func(b int) float64 {
				var xs []float64
				for _, col := range columns {
					if !math.IsNaN(col[b]) {
						xs = append(xs, col[b])
					}
				}
				if len(xs) == 0 {
					return math.NaN()
				}
				slices.Sort(xs)
				return pick(xs)
			})
			if absent > 0 {
				e.note = fmt.Sprintf("%d of %d left out: the candidate never has them", absent, len(columns)+absent)
			}
			return e
		}
		median[system] = across(func(xs []float64) float64 { return (xs[(len(xs)-1)/2] + xs[len(xs)/2]) / 2 })
		worst[system] = across(func(xs []float64) float64 { return xs[len(xs)-1] })
	}
	c.add(Metric{ID: id + "_median", Title: title + ", median", About: formula + "The median over the variables.", Ledger: Corrected, Better: better, Ideal: 0}, 0, most, median)
	c.add(Metric{ID: id + "_worst", Title: title + ", worst", About: formula + "The largest over the variables.", Ledger: Corrected, Better: better, Ideal: 0}, 0, most, worst)
	c.bars(id+"_each", title+", each variable", formula, title, chosen, of)
}

// bars adds a bar chart of one distance, a series a candidate; nothing when there is nothing to draw. A distance that is
// undefined for a candidate draws as 0 and is named in About.
func (c *chapter) bars(id, title, about, axis string, chosen []*marginal, of func(*marginal) *estimates) {
	f := Figure{ID: id, Title: title, About: about, Kind: "bars", YLabel: axis}
	for system := range systemTable {
		if system == atCopy {
			continue
		}
		s := Series{Name: systemTable[system].Title}
		f.Labels = f.Labels[:0]
		for _, m := range chosen {
			if !of(m)[atCopy].defined() {
				continue
			}
			f.Labels = append(f.Labels, m.name)
			e := of(m)[system]
			if !e.defined() {
				f.About += fmt.Sprintf(" %s: %s of %s is undefined.", systemTable[system].Title, axis, m.name)
				s.Y = append(s.Y, 0)
				continue
			}
			s.Y = append(s.Y, e.value)
		}
		f.Series = append(f.Series, s)
	}
	if len(f.Labels) > 0 {
		c.Figures = append(c.Figures, f)
	}
}

func outOfRange(p *panel, qs []quantity) (out estimates) {
	for system, set := range p.candidates {
		bad, all := make([]int64, len(set.patients)), make([]int64, len(set.patients))
		for i, patient := range set.patients {
			for k := range qs {
				qs[k].each(patient, func(x float64) {
					all[i]++
					if !qs[k].variable.InRange(x) {
						bad[i]++
					}
				})
			}
		}
		out[system] = ratioOfSums(set.weights, bad, all, "the candidate has no values")
	}
	return out
}

// ratioOfSums is sum(a)/sum(b) over the weighted patients.
func ratioOfSums(w weights, a, b []int64, note string) estimate {
	return estimated(len(w), note, func(row int) float64 {
		var sa, sb int64
		for i, k := range w[row] {
			sa += int64(k) * a[i]
			sb += int64(k) * b[i]
		}
		return ratio(sa, sb)
	})
}
