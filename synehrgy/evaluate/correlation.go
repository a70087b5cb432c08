package evaluate

// TCD, the difference between two correlation matrices of the measured numbers:
//
//	TCD = sum_{i>j} |C_ij - D_ij| / (m(m-1)/2)
//
// Within a visit a value is carried forward over at most 6 rows; the rows of all visits are pooled; C is Pearson's r over the
// rows that have both variables, at least 100 of them (else, and where a variable is constant, r = 0); no threshold on |r|.
// All variables are first scaled by the training patients, which changes no r and keeps the sums well conditioned.
//
// A replicate is a weighted sum of per-patient sums, so the values are read once; memory is (1 + replicates) x m(m-1)/2 x 6
// numbers for each set.

import (
	"context"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

const (
	carriedRows  = 6
	fewestPairs  = 100
	sumsPerPair  = 6 // n, sum x, sum y, sum x^2, sum y^2, sum xy
	heatMapLimit = 64
)

type correlationTable struct {
	names    []string
	tcd      estimates
	matrices [][]float64 // m x m, of the sets of panel.drawn
}

func newCorrelationTable(ctx context.Context, p *panel) (*correlationTable, error) {
	t := &correlationTable{}
	var column []int32 // of each variable: its place in the matrix, -1 for a category
	var scales []scale
	for _, q := range quantities(p.schema)[:len(p.schema.Variables)] {
		if q.variable.Kind == ehr.Category {
			column = append(column, -1)
			continue
		}
		column = append(column, int32(len(t.names)))
		t.names = append(t.names, q.name)
		s := q.sample(p.train)
		scales = append(scales, scaleOf(s.x))
	}
	m := len(t.names)
	if m < 2 {
		t.tcd = allUndefined("fewer than two measured numbers")
		return t, nil
	}
	var r [][][]float64 // [set][row] lower triangle of the correlations
	for _, set := range p.drawn() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sums := pairSums(set, column, scales)
		of := make([][]float64, len(sums))
		for b := range sums {
			of[b] = correlations(sums[b])
		}
		r = append(r, of)
		t.matrices = append(t.matrices, square(of[0], m))
	}
	for system := range t.tcd {
		if !anyFinite(r[0][0]) || !anyFinite(r[slot(system)][0]) {
			t.tcd[system] = undefined("no two variables share 100 rows in the training patients or in the candidate")
			continue
		}
		t.tcd[system] = estimated(p.rows(), "", func(b int) float64 { return meanGap(r[0][b], r[slot(system)][b]) })
	}
	return t, nil
}

// pairSums adds up, for every weight row, the sums of every pair i > j (pair number i(i-1)/2 + j).
func pairSums(set *set, column []int32, scales []scale) [][]float64 {
	m := len(scales)
	size := m * (m - 1) / 2 * sumsPerPair
	total := make([][]float64, len(set.weights))
	for b := range total {
		total[b] = make([]float64, size)
	}
	own := make([]float64, size)
	var touched []int32 // pairs that the patient has
	filler := newFiller(m)
	for i, patient := range set.patients {
		touched = touched[:0]
		for v := range patient.Visits {
			filler.reset()
			for r := range patient.Visits[v].Rows {
				present := filler.row(&patient.Visits[v].Rows[r], column, scales)
				touched = addPairs(own, touched, present, filler.x)
			}
		}
		for b, row := range set.weights {
			if row[i] == 0 {
				continue
			}
			w := float64(row[i])
			for _, pair := range touched {
				at := int(pair) * sumsPerPair
				to, from := total[b][at:at+sumsPerPair], own[at:at+sumsPerPair]
				for k := range to {
					to[k] += w * from[k]
				}
			}
		}
		for _, pair := range touched {
			clear(own[int(pair)*sumsPerPair : int(pair+1)*sumsPerPair])
		}
	}
	return total
}

func addPairs(own []float64, touched, present []int32, x []float64) []int32 {
	for a, i := range present {
		for _, j := range present[:a] { // present is ascending, so i > j
			pair := i*(i-1)/2 + j
			s := own[pair*sumsPerPair : (pair+1)*sumsPerPair]
			if s[0] == 0 {
				touched = append(touched, pair)
			}
			s[0]++
			s[1] += x[i]
			s[2] += x[j]
			s[3] += x[i] * x[i]
			s[4] += x[j] * x[j]
			s[5] += x[i] * x[j]
		}
	}
	return touched
}

// filler carries values forward within a visit.
type filler struct {
	x       []float64
	age     []int32 // rows since the value was measured; beyond carriedRows there is none
	present []int32
}

func newFiller(m int) *filler {
	return &filler{x: make([]float64, m), age: make([]int32, m)}
}

func (f *filler) reset() {
	for j := range f.age {
		f.age[j] = carriedRows + 1
	}
}

// row takes in one row and returns the columns that now have a value, ascending.
func (f *filler) row(r *ehr.Row, column []int32, scales []scale) []int32 {
	for j := range f.age {
		f.age[j]++
	}
	for _, v := range r.Values {
		if j := column[v.Var]; j >= 0 && !math.IsNaN(v.X) && !math.IsInf(v.X, 0) {
			f.x[j], f.age[j] = scales[j].of(v.X), 0
		}
	}
	f.present = f.present[:0]
	for j, age := range f.age {
		if age <= carriedRows {
			f.present = append(f.present, int32(j))
		}
	}
	return f.present
}

// correlations turns sums into Pearson's r; NaN below fewestPairs or where a side is constant.
func correlations(sums []float64) []float64 {
	out := make([]float64, len(sums)/sumsPerPair)
	for k := range out {
		s := sums[k*sumsPerPair : (k+1)*sumsPerPair]
		n := s[0]
		sxx, syy := s[3]-s[1]*s[1]/n, s[4]-s[2]*s[2]/n
		out[k] = math.NaN()
		if n >= fewestPairs && sxx > 1e-9*s[3] && syy > 1e-9*s[4] {
			out[k] = min(max((s[5]-s[1]*s[2]/n)/math.Sqrt(sxx*syy), -1), 1)
		}
	}
	return out
}

func anyFinite(r []float64) bool {
	for _, x := range r {
		if !math.IsNaN(x) {
			return true
		}
	}
	return false
}

// meanGap is TCD of two lower triangles.
func meanGap(c, d []float64) float64 {
	sum := 0.0
	for k := range c {
		sum += math.Abs(orZero(c[k]) - orZero(d[k]))
	}
	return sum / float64(len(c))
}

func orZero(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// square writes a lower triangle without diagonal as a full matrix, row by row, with ones on the diagonal.
func square(triangle []float64, m int) []float64 {
	out := make([]float64, m*m)
	for i := range m {
		out[i*m+i] = 1
		for j := range i {
			x := orZero(triangle[i*(i-1)/2+j])
			out[i*m+j], out[j*m+i] = x, x
		}
	}
	return out
}

func (t *correlationTable) report(c *chapter) {
	c.add(Metric{ID: "values.tcd", Title: "Correlation difference (TCD)", Ledger: Corrected, Better: Lower, Ideal: 0,
		About: "Mean |difference| of Pearson's r over the pairs of measured numbers; values carried forward over at most 6 rows of a visit, at least 100 rows with both (else r = 0), no threshold on |r|."}, 0, 2, t.tcd)
	if n := len(t.names); n < 2 || n > heatMapLimit {
		return
	}
	for i, name := range []string{"Training", "Synthetic"} {
		c.Figures = append(c.Figures, Figure{ID: "values.correlation_" + [2]string{"training", "synthetic"}[i], Title: "Correlation, " + name,
			About: "Pearson's r of each pair of measured numbers; 0 where fewer than 100 rows have both.", Kind: "heatmap", Labels: t.names,
			Series: []Series{{Name: name, Y: t.matrices[i]}}})
	}
}
