package evaluate

// What is measured, and what is measured together. With n_i the rows that have variable i and n_ij those that have both,
//
//	c_ij = 100 n_ij / (n_i + n_j)        (0 when neither occurs)
//
// so 50 means "always together". Two cohorts are compared by the mean squared difference over the pairs i > j.

import (
	"context"
	"fmt"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// presence counts, for every weight row of a set.
type presence struct {
	together [][]int64 // [row] n_ij at i(i+1)/2 + j, i >= j; n_i on the diagonal
	visits   [][]int64 // [row] visits that measure variable i at least once
	rowCount []int64
	visCount []int64
}

func countPresence(set *set, m int) *presence {
	n := len(set.weights)
	c := &presence{make([][]int64, n), make([][]int64, n), make([]int64, n), make([]int64, n)}
	for b := range n {
		c.together[b], c.visits[b] = make([]int64, m*(m+1)/2), make([]int64, m)
	}
	own, ownVisits := make([]int64, m*(m+1)/2), make([]int64, m)
	var touched []int32
	for i, p := range set.patients {
		var rows int64
		touched, rows = ownPresence(p, own, ownVisits, touched[:0])
		for b, w := range set.weights {
			k := int64(w[i])
			if k == 0 {
				continue
			}
			for _, pair := range touched {
				c.together[b][pair] += k * own[pair]
			}
			for v, x := range ownVisits {
				c.visits[b][v] += k * x
			}
			c.rowCount[b] += k * rows
			c.visCount[b] += k * int64(len(p.Visits))
		}
		for _, pair := range touched {
			own[pair] = 0
		}
		clear(ownVisits)
	}
	return c
}

// ownPresence counts one patient into own and ownVisits and returns the entries of own that are no longer 0.
func ownPresence(p *ehr.Patient, own, ownVisits []int64, touched []int32) (_ []int32, rows int64) {
	last := make([]int, len(ownVisits)) // 1 + the last visit that has the variable
	for v := range p.Visits {
		for r := range p.Visits[v].Rows {
			values := p.Visits[v].Rows[r].Values
			rows++
			for a, x := range values {
				if last[x.Var] != v+1 {
					last[x.Var] = v + 1
					ownVisits[x.Var]++
				}
				for _, y := range values[:a+1] {
					pair := x.Var*(x.Var+1)/2 + y.Var
					if own[pair] == 0 {
						touched = append(touched, pair)
					}
					own[pair]++
				}
			}
		}
	}
	return touched, rows
}

// cooccurrence is c_ij over the pairs i > j, from counts with diagonal.
func cooccurrence(together []int64, m int) []float64 {
	out := make([]float64, 0, m*(m-1)/2)
	diagonal := func(i int) int64 { return together[i*(i+1)/2+i] }
	for i := range m {
		for j := range i {
			c := 0.0
			if n := diagonal(i) + diagonal(j); n > 0 {
				c = 100 * float64(together[i*(i+1)/2+j]) / float64(n)
			}
			out = append(out, c)
		}
	}
	return out
}

func meanSquaredGap(a, b []float64) float64 {
	sum := 0.0
	for k := range a {
		sum += (a[k] - b[k]) * (a[k] - b[k])
	}
	return sum / float64(len(a))
}

// rates is the share of n that each count makes.
func rates(counts []int64, n int64) []float64 {
	out := make([]float64, len(counts))
	for i, c := range counts {
		out[i] = float64(c) / float64(max(n, 1))
	}
	return out
}

// rowRates is the share of rows that have each variable.
func (c *presence) rowRates(row, m int) []float64 {
	n := make([]int64, m)
	for i := range n {
		n[i] = c.together[row][i*(i+1)/2+i]
	}
	return rates(n, c.rowCount[row])
}

func meanAbsoluteGap(a, b []float64) float64 {
	sum := 0.0
	for k := range a {
		sum += math.Abs(a[k] - b[k])
	}
	return sum / float64(len(a))
}

func missingnessSection(ctx context.Context, p *panel, threads int) (*chapter, error) {
	c := &chapter{Section: Section{ID: "missingness", Title: "Missingness",
		About: fmt.Sprintf("Which variables are measured, how often, and which of them together. %d patients on either side.", len(p.reference.patients))}}
	m := len(p.schema.Variables)
	counts := make([]*presence, len(p.drawn()))
	err := parallel(ctx, threads, len(counts), func(i int) error {
		counts[i] = countPresence(p.drawn()[i], m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var together, perRow, perVisit estimates
	for system := range together {
		a, b := counts[0], counts[slot(system)]
		if why := a.missing(b, m); why != "" {
			together[system], perRow[system], perVisit[system] = undefined(why), undefined(why), undefined(why)
			continue
		}
		if m < 2 {
			together[system] = undefined("a single measured variable has no pairs")
		} else {
			together[system] = estimated(p.rows(), "", func(r int) float64 {
				return meanSquaredGap(cooccurrence(a.together[r], m), cooccurrence(b.together[r], m))
			})
		}
		perRow[system] = estimated(p.rows(), "", func(r int) float64 { return meanAbsoluteGap(a.rowRates(r, m), b.rowRates(r, m)) })
		perVisit[system] = estimated(p.rows(), "", func(r int) float64 {
			return meanAbsoluteGap(rates(a.visits[r], a.visCount[r]), rates(b.visits[r], b.visCount[r]))
		})
	}
	c.add(Metric{ID: "missingness.cooccurrence", Title: "Measured together", Ledger: Corrected, Better: Lower, Ideal: 0,
		About: "Mean squared difference of c_ij = 100 n_ij/(n_i + n_j) over the pairs of variables; n counts rows, nothing carried forward."}, 0, 2500, together)
	c.add(Metric{ID: "missingness.row_rate", Title: "Measured in a row", Ledger: Corrected, Better: Lower, Ideal: 0,
		About: "Mean over the variables of |difference of the share of rows that have it|."}, 0, 1, perRow)
	c.add(Metric{ID: "missingness.visit_rate", Title: "Measured during a visit", Ledger: Corrected, Better: Lower, Ideal: 0,
		About: "Mean over the variables of |difference of the share of visits that measure it at least once|."}, 0, 1, perVisit)
	if counts[0].missing(counts[slot(atSynthetic)], m) == "" {
		c.presenceFigures(p.schema, counts, m)
	}
	return c, nil
}

// missing says why nothing can be compared, or "".
func (c *presence) missing(candidate *presence, m int) string {
	switch {
	case m == 0:
		return "nothing is measured under this schema"
	case c.rowCount[0] == 0:
		return "the training patients have no rows"
	case candidate.rowCount[0] == 0:
		return "the candidate has no rows"
	}
	return ""
}

func (c *chapter) presenceFigures(schema *ehr.Schema, counts []*presence, m int) {
	var names []string
	for i := range schema.Variables {
		names = append(names, schema.Variables[i].Name)
	}
	f := Figure{ID: "missingness.rates", Title: "Share of visits that measure a variable", About: "At least one value during the visit.", Kind: "bars", YLabel: "share of visits", Labels: names}
	for i, name := range []string{"Training", systemTable[atSynthetic].Title, systemTable[atCeiling].Title, systemTable[atIndependent].Title} {
		f.Series = append(f.Series, Series{Name: name, Y: rates(counts[i].visits[0], counts[i].visCount[0])})
	}
	c.Figures = append(c.Figures, f)
	if m < 2 || m > heatMapLimit {
		return
	}
	for i, name := range []string{"Training", "Synthetic"} {
		y := square(cooccurrence(counts[i].together[0], m), m)
		for k := range m {
			y[k*m+k] = 50
		}
		c.Figures = append(c.Figures, Figure{ID: "missingness.cooccurrence_" + [2]string{"training", "synthetic"}[i], Title: "Measured together, " + name,
			About: "c_ij = 100 n_ij/(n_i + n_j); 50 is always together.", Kind: "heatmap", Labels: names, Series: []Series{{Name: name, Y: y}}})
	}
}
