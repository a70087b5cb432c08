package evaluate

// The shape of records: how many visits, rows, codes and events, how long stays and pauses are, and how often labels hold.

import (
	"context"
	"fmt"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// shape is one number of a record (or several, such as the gaps of all its rows).
type shape struct {
	id, title, about string
	each             func(p *ehr.Patient, yield func(x float64))
}

var shapes = []shape{
	{"visits", "Visits of a patient", "number of visits", func(p *ehr.Patient, yield func(float64)) { yield(float64(len(p.Visits))) }},
	{"events", "Events of a patient", "covariates, labels, codes and values of all visits", func(p *ehr.Patient, yield func(float64)) { yield(float64(p.Events())) }},
	{"rows", "Rows of a visit", "number of rows", ofVisits(func(v *ehr.Visit, yield func(float64)) { yield(float64(len(v.Rows))) })},
	{"codes", "Codes of a visit", "number of codes", ofVisits(func(v *ehr.Visit, yield func(float64)) { yield(float64(len(v.Codes))) })},
	{"stay", "Length of stay", "minutes from start to discharge, where known", ofVisits(func(v *ehr.Visit, yield func(float64)) { known(v.Stay, yield) })},
	{"gap", "Time between rows", "minutes from a row to the next", ofVisits(func(v *ehr.Visit, yield func(float64)) {
		for r := 1; r < len(v.Rows); r++ {
			yield(float64(v.Rows[r].At - v.Rows[r-1].At))
		}
	})},
	{"pause", "Time between visits", "minutes from a discharge to the next visit, where known", ofVisits(func(v *ehr.Visit, yield func(float64)) { known(v.SinceDischarge, yield) })},
}

func ofVisits(each func(*ehr.Visit, func(float64))) func(*ehr.Patient, func(float64)) {
	return func(p *ehr.Patient, yield func(float64)) {
		for v := range p.Visits {
			each(&p.Visits[v], yield)
		}
	}
}

func known(minutes int64, yield func(float64)) {
	if minutes != ehr.Unknown {
		yield(float64(minutes))
	}
}

func (s *shape) sample(patients []*ehr.Patient) sample {
	var out sample
	for i, p := range patients {
		s.each(p, func(x float64) { out.add(x, i) })
	}
	return out.sorted()
}

func recordsSection(ctx context.Context, p *panel, threads int) (*chapter, error) {
	c := &chapter{Section: Section{ID: "records", Title: "Records",
		About: fmt.Sprintf("The shape of records: numbers of visits, rows, codes and events, lengths of stays and of pauses, frequencies of labels. %d patients on either side.", len(p.reference.patients))}}
	ks, w1 := make([]estimates, len(shapes)), make([]estimates, len(shapes))
	figures := make([]*Figure, len(shapes))
	var labels labelGaps
	err := parallel(ctx, threads, len(shapes)+1, func(i int) error {
		if i == len(shapes) {
			labels = compareLabels(p)
			return nil
		}
		samples := make([]sample, 0, len(p.drawn()))
		for _, s := range p.drawn() {
			samples = append(samples, shapes[i].sample(s.patients))
		}
		all := shapes[i].sample(p.train)
		ks[i], w1[i] = compareNumbers(p, samples, scaleOf(all.x).deviation)
		figures[i] = shapes[i].cumulative(samples)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, s := range shapes {
		c.add(Metric{ID: "records." + s.id + "_ks", Title: s.title + ", KS", About: "KS = sup |F - G| between training and candidate of: " + s.about + ".", Ledger: Corrected, Better: Lower, Ideal: 0}, 0, 1, ks[i])
		c.add(Metric{ID: "records." + s.id + "_w1", Title: s.title + ", W1", About: "W1 = integral |F - G| dx, in standard deviations of the training patients, of: " + s.about + ".", Ledger: Corrected, Better: Lower, Ideal: 0}, 0, math.Inf(1), w1[i])
		if figures[i] != nil {
			c.Figures = append(c.Figures, *figures[i])
		}
	}
	c.add(Metric{ID: "records.ks_mean", Title: "Shape of records, mean KS", About: "The mean of the KS distances above over those that are defined for the training patients.", Ledger: Corrected, Better: Lower, Ideal: 0}, 0, 1, meanOf(ks))
	labels.report(c)
	return c, nil
}

// meanOf is the mean over the metrics that are defined when the reference is compared with itself.
func meanOf(all []estimates) (out estimates) {
	for system := range out {
		var chosen []estimate
		for _, by := range all {
			if by[atCopy].defined() && by[system].defined() {
				chosen = append(chosen, by[system])
			}
		}
		if len(chosen) == 0 {
			out[system] = undefined("none of the distances is defined")
			continue
		}
		sum := func(b int) float64 {
			s, n := 0.0, 0.0
			for _, e := range chosen {
				x := e.value
				if b > 0 {
					x = e.draws[b-1]
				}
				if !math.IsNaN(x) {
					s, n = s+x, n+1
				}
			}
			return s / n
		}
		out[system] = estimated(len(chosen[0].draws)+1, "", sum)
	}
	return out
}

// cumulativePoints is the number of quantiles that a curve is drawn through.
const cumulativePoints = 100

// cumulative draws the distribution functions through quantiles, so that no single patient's value is a corner.
func (s *shape) cumulative(samples []sample) *Figure {
	f := &Figure{ID: "records." + s.id, Title: s.title, About: "Share of " + s.about + " at or below x.", Kind: "lines", XLabel: s.about, YLabel: "cumulative share"}
	for i, name := range []string{"Training", systemTable[atSynthetic].Title, systemTable[atCeiling].Title} {
		n := len(samples[i].x)
		if n == 0 {
			continue
		}
		line := Series{Name: name}
		for k := 1; k < cumulativePoints; k++ {
			q := float64(k) / cumulativePoints
			line.X, line.Y = append(line.X, samples[i].x[int(q*float64(n))]), append(line.Y, q)
		}
		f.Series = append(f.Series, line)
	}
	if len(f.Series) == 0 {
		return nil
	}
	return f
}

// labelGaps compares label prevalences: the share of the visits that know the label at which it holds.
type labelGaps struct {
	names       []string
	mean, worst estimates
	prevalence  [][]float64 // [set of panel.drawn][label], NaN where no visit knows it
}

func compareLabels(p *panel) (g labelGaps) {
	for _, l := range p.schema.Labels {
		g.names = append(g.names, l.Name)
	}
	var shares [][][]float64 // [set][row][label]
	for _, set := range p.drawn() {
		shares = append(shares, labelShares(p.schema, set))
		g.prevalence = append(g.prevalence, shares[len(shares)-1][0])
	}
	for system := range g.mean {
		over := func(pick func(gaps []float64) float64) estimate {
			return estimated(p.rows(), "no label is known in both the training patients and the candidate", func(b int) float64 {
				var gaps []float64
				for l, x := range shares[0][b] {
					if d := math.Abs(x - shares[slot(system)][b][l]); !math.IsNaN(d) {
						gaps = append(gaps, d)
					}
				}
				if len(gaps) == 0 {
					return math.NaN()
				}
				return pick(gaps)
			})
		}
		g.mean[system] = over(mean)
		g.worst[system] = over(func(gaps []float64) float64 {
			m := 0.0
			for _, d := range gaps {
				m = max(m, d)
			}
			return m
		})
	}
	return g
}

func labelShares(schema *ehr.Schema, set *set) [][]float64 {
	labels := len(schema.Labels)
	on, of := make([][]int64, len(set.patients)), make([][]int64, len(set.patients))
	for i, p := range set.patients {
		on[i], of[i] = make([]int64, labels), make([]int64, labels)
		for v := range p.Visits {
			for l := range labels {
				if holds, ok := labelAt(schema, &p.Visits[v], int32(l)); ok {
					of[i][l]++
					if holds {
						on[i][l]++
					}
				}
			}
		}
	}
	out := make([][]float64, len(set.weights))
	for b, w := range set.weights {
		out[b] = make([]float64, labels)
		for l := range labels {
			var a, n int64
			for i, k := range w {
				a += int64(k) * on[i][l]
				n += int64(k) * of[i][l]
			}
			out[b][l] = ratio(a, n)
		}
	}
	return out
}

// labelAt is the value of a label at a visit; of a label that is only written down when it holds, absence is a no.
func labelAt(schema *ehr.Schema, v *ehr.Visit, label int32) (on, known bool) {
	on, known = v.Label(label)
	if !known && schema.Labels[label].PositiveOnly {
		return false, true
	}
	return on, known
}

func (g *labelGaps) report(c *chapter) {
	const about = "|difference| of the share of visits at which a label holds, among the visits that know it; "
	c.add(Metric{ID: "records.labels_mean", Title: "Label prevalence, mean difference", About: about + "mean over the labels.", Ledger: Corrected, Better: Lower, Ideal: 0}, 0, 1, g.mean)
	c.add(Metric{ID: "records.labels_worst", Title: "Label prevalence, worst difference", About: about + "largest over the labels.", Ledger: Corrected, Better: Lower, Ideal: 0}, 0, 1, g.worst)
	f := Figure{ID: "records.labels", Title: "Label prevalence", About: "Share of the visits that know a label at which it holds; a label that nobody knows draws as 0.", Kind: "bars", YLabel: "share of visits", Labels: g.names}
	for i, name := range []string{"Training", systemTable[atSynthetic].Title, systemTable[atCeiling].Title} {
		s := Series{Name: name}
		for _, x := range g.prevalence[i] {
			s.Y = append(s.Y, orZero(x))
		}
		f.Series = append(f.Series, s)
	}
	if len(g.names) > 0 {
		c.Figures = append(c.Figures, f)
	}
}
