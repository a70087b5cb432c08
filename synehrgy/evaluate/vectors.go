package evaluate

// A patient as a point, so that "how alike are two patients" is a squared Euclidean distance:
//
//	d(a, b) = |codes of a xor codes of b| + |labels of a xor labels of b|
//	        + sum over covariates:  (z_a - z_b)^2, or 1 where the category differs
//	        + sum over measured numbers:  1/4 sum over mean, minimum, maximum, last of (z_a - z_b)^2
//	        + sum over measured categories:  1 where the last one differs
//	        + sum over log(1 + visits), log(1 + rows), log(1 + days of stay) of (z_a - z_b)^2
//
// Codes and labels are those of any visit; covariates the last known. z is scaled by the training patients (all of them) and
// cut to [-5, 5]; what a patient does not have is 0, the training mean; a category that is not known is half of a difference
// to every known one.

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

const distanceFormula = "d(a, b) = |codes of a xor codes of b| + |labels of a xor labels of b| + sum over covariates (z_a - z_b)^2 or 1 for another category " +
	"+ sum over measured numbers 1/4 sum over mean, minimum, maximum, last (z_a - z_b)^2 + 1 for each measured category whose last value differs " +
	"+ sum over log(1 + visits), log(1 + rows), log(1 + days of stay) (z_a - z_b)^2; z by the training patients, cut to [-5, 5], missing = 0."

const (
	farthest       = 5.0
	minutesPerDay  = 24 * 60
	shapeColumns   = 3
	summaryColumns = 4
)

// space maps patients to points.
type space struct {
	schema *ehr.Schema
	scales []scale // of the columns that are scaled, in the order in which plain lists them
	codes  codebook
	width  int
}

// newSpace fits the scales on train and gives a column to every code of the groups.
func newSpace(schema *ehr.Schema, train []*ehr.Patient, groups ...[]*ehr.Patient) *space {
	s := &space{schema: schema, codes: newCodebook(groups...)}
	var columns [][]float64
	for _, p := range train {
		x := s.plain(p)
		if columns == nil {
			columns = make([][]float64, len(x))
		}
		for j, v := range x {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				columns[j] = append(columns[j], v)
			}
		}
	}
	for _, c := range columns {
		s.scales = append(s.scales, scaleOf(c))
	}
	s.width = len(s.scales) + len(schema.Labels) + len(s.codes)
	for _, defs := range [][]ehr.Variable{schema.Covariates, schema.Variables} {
		for i := range defs {
			s.width += len(categories(&defs[i]))
		}
	}
	return s
}

func categories(v *ehr.Variable) []string {
	if v.Kind == ehr.Category {
		return v.Categories
	}
	return nil
}

// plain lists the numbers of a patient before scaling: shape, covariates, four summaries of each measured number; NaN where
// the patient has none.
func (s *space) plain(p *ehr.Patient) []float64 {
	rows, days := 0, 0.0
	for v := range p.Visits {
		rows += len(p.Visits[v].Rows)
		if stay := p.Visits[v].Stay; stay != ehr.Unknown && stay > 0 {
			days += float64(stay) / minutesPerDay
		}
	}
	out := make([]float64, shapeColumns, shapeColumns+len(s.schema.Covariates)+summaryColumns*len(s.schema.Variables))
	out[0], out[1], out[2] = math.Log1p(float64(len(p.Visits))), math.Log1p(float64(rows)), math.Log1p(days)
	for i := range s.schema.Covariates {
		if s.schema.Covariates[i].Kind != ehr.Category {
			out = append(out, lastCovariate(p, int32(i)))
		}
	}
	for i := range s.schema.Variables {
		if s.schema.Variables[i].Kind != ehr.Category {
			low, high, average, last := summary(p, int32(i))
			out = append(out, average, low, high, last)
		}
	}
	return out
}

func lastCovariate(p *ehr.Patient, covariate int32) float64 {
	last := math.NaN()
	for v := range p.Visits {
		if x, ok := p.Visits[v].Covariate(covariate); ok {
			last = x
		}
	}
	return last
}

func summary(p *ehr.Patient, variable int32) (low, high, average, last float64) {
	low, high, last = math.Inf(1), math.Inf(-1), math.NaN()
	sum, n := 0.0, 0.0
	for v := range p.Visits {
		for r := range p.Visits[v].Rows {
			if x, ok := p.Visits[v].Rows[r].Value(variable); ok {
				low, high, last, sum, n = min(low, x), max(high, x), x, sum+x, n+1
			}
		}
	}
	return low, high, sum / n, last // 0/0 where there is none
}

// points is the patients as rows of a matrix.
func (s *space) points(patients []*ehr.Patient) Matrix {
	m := Matrix{len(patients), s.width, make([]float32, len(patients)*s.width)}
	for i, p := range patients {
		s.point(p, m.Row(i))
	}
	return m
}

func (s *space) point(p *ehr.Patient, out []float32) {
	x := s.plain(p)
	first := len(x) - s.numbers()*summaryColumns
	for j, v := range x {
		z := 0.0
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			z = min(max(s.scales[j].of(v), -farthest), farthest)
		}
		if j >= first {
			z /= 2 // a quarter of its square
		}
		out[j] = float32(z)
	}
	out = out[len(x):]
	for i := range s.schema.Covariates {
		if n := len(categories(&s.schema.Covariates[i])); n > 0 {
			mark(out[:n], lastCovariate(p, int32(i)))
			out = out[n:]
		}
	}
	for i := range s.schema.Variables {
		if n := len(categories(&s.schema.Variables[i])); n > 0 {
			_, _, _, last := summary(p, int32(i))
			mark(out[:n], last)
			out = out[n:]
		}
	}
	for v := range p.Visits {
		for _, l := range p.Visits[v].Labels {
			if l.On {
				out[l.Label] = 1
			}
		}
		for _, c := range p.Visits[v].Codes {
			if column, ok := s.codes[c]; ok {
				out[len(s.schema.Labels)+int(column)] = 1
			}
		}
	}
}

// numbers counts the measured variables that are numbers.
func (s *space) numbers() int {
	n := 0
	for i := range s.schema.Variables {
		if s.schema.Variables[i].Kind != ehr.Category {
			n++
		}
	}
	return n
}

// mark writes a category so that two different ones are 1 apart.
func mark(out []float32, x float64) {
	if x >= 0 && x < float64(len(out)) { // false for NaN
		out[int(x)] = float32(math.Sqrt(0.5))
	}
}

// fingerprint is the same for two patients exactly when they hold the same visits: times, covariates, labels, code sets and
// rows, to the last digit. Identifiers and split do not enter. It is zero for a patient without any event: two people of
// whom nothing is known are no copies of each other.
func fingerprint(p *ehr.Patient) (sum [sha256.Size]byte) {
	if p.Events() == 0 {
		return sum
	}
	h := sha256.New()
	put := func(xs ...uint64) { writeNumbers(h, xs) }
	for i := range p.Visits {
		v := &p.Visits[i]
		put(uint64(v.SinceDischarge), uint64(v.Stay), uint64(len(v.Covariates)), uint64(len(v.Labels)), uint64(len(v.Codes)), uint64(len(v.Rows)))
		for _, x := range v.Covariates {
			put(uint64(x.Var), math.Float64bits(x.X))
		}
		for _, l := range v.Labels {
			on := uint64(0)
			if l.On {
				on = 1
			}
			put(uint64(l.Label), on)
		}
		codes := slices.Clone(v.Codes)
		slices.SortFunc(codes, ehr.Code.Compare)
		for _, c := range codes {
			put(uint64(c.System), uint64(len(c.Code)))
			h.Write([]byte(c.Code))
		}
		for r := range v.Rows {
			put(uint64(v.Rows[r].At), uint64(len(v.Rows[r].Values)))
			for _, x := range v.Rows[r].Values {
				put(uint64(x.Var), math.Float64bits(x.X))
			}
		}
	}
	h.Sum(sum[:0])
	return sum
}

func writeNumbers(h hash.Hash, xs []uint64) {
	var buf [8]byte
	for _, x := range xs {
		binary.LittleEndian.PutUint64(buf[:], x)
		h.Write(buf[:])
	}
}
