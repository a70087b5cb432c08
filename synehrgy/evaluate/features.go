package evaluate

// What the mortality classifier sees of a visit: the first 48 hours. For each measured number minimum, maximum, mean, last
// value and count; for each measured category last value (one column a category) and count; the covariates. Codes are
// assigned at discharge and may tell the outcome, so they are a second set of columns, never part of the headline.

import (
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

const (
	observedMinutes = 48 * 60
	codeColumns     = 50 // the codes that most training patients have
)

// features lays out the columns.
type features struct {
	schema *ehr.Schema
	codes  map[ehr.Code]int // column of each code indicator, nil without codes
	width  int
}

func newFeatures(schema *ehr.Schema, train []*ehr.Patient, withCodes bool) *features {
	f := &features{schema: schema}
	for i := range schema.Variables {
		f.width += columnsOf(&schema.Variables[i], true)
	}
	for i := range schema.Covariates {
		f.width += columnsOf(&schema.Covariates[i], false)
	}
	if !withCodes {
		return f
	}
	book := newCodebook(train)
	counts := make([]int32, len(book))
	for _, visits := range codeSets(train, book) {
		once := map[int32]bool{}
		for _, set := range visits {
			for _, c := range set {
				if !once[c] {
					once[c] = true
					counts[c]++
				}
			}
		}
	}
	rank := make([]int, len(book))
	for r, c := range frequencyOrder(counts) {
		rank[c] = r
	}
	f.codes = map[ehr.Code]int{}
	for code, number := range book {
		if rank[number] < codeColumns {
			f.codes[code] = f.width + rank[number]
		}
	}
	f.width += len(f.codes)
	return f
}

func columnsOf(v *ehr.Variable, measured bool) int {
	switch {
	case v.Kind == ehr.Category && measured:
		return len(v.Categories) + 1
	case v.Kind == ehr.Category:
		return len(v.Categories)
	case measured:
		return 5
	}
	return 1
}

// row fills one row of the matrix.
func (f *features) row(v *ehr.Visit, out []float32) {
	for i := range out {
		out[i] = float32(math.NaN())
	}
	at := 0
	for i := range f.schema.Variables {
		def := &f.schema.Variables[i]
		n := columnsOf(def, true)
		measuredColumns(v, int32(i), def.Kind == ehr.Category, out[at:at+n])
		at += n
	}
	for i := range f.schema.Covariates {
		def := &f.schema.Covariates[i]
		n := columnsOf(def, false)
		if x, ok := v.Covariate(int32(i)); ok {
			if def.Kind == ehr.Category {
				indicate(out[at:at+n], x)
			} else {
				out[at] = float32(x)
			}
		}
		at += n
	}
	clear(out[at:])
	for _, c := range v.Codes {
		if column, ok := f.codes[c]; ok {
			out[column] = 1
		}
	}
}

func measuredColumns(v *ehr.Visit, variable int32, category bool, out []float32) {
	low, high, sum, last, count := math.Inf(1), math.Inf(-1), 0.0, 0.0, 0.0
	for r := range v.Rows {
		if v.Rows[r].At >= observedMinutes {
			break
		}
		if x, ok := v.Rows[r].Value(variable); ok {
			low, high, sum, last, count = min(low, x), max(high, x), sum+x, x, count+1
		}
	}
	out[len(out)-1] = float32(count)
	if count == 0 {
		return
	}
	if category {
		indicate(out[:len(out)-1], last)
		return
	}
	out[0], out[1], out[2], out[3] = float32(low), float32(high), float32(sum/count), float32(last)
}

// indicate sets the column of a category to 1 and the others to 0; a value that names no category leaves them missing.
func indicate(out []float32, x float64) {
	if !(x >= 0 && x < float64(len(out))) {
		return
	}
	clear(out)
	out[int(x)] = 1
}

// outcomes is the visits whose outcome is known.
type outcomes struct {
	x       Matrix
	y       []float32
	patient []int32
}

func (f *features) of(patients []*ehr.Patient) outcomes {
	o := outcomes{x: Matrix{Cols: f.width}}
	for i, p := range patients {
		for v := range p.Visits {
			died, ok := labelAt(f.schema, &p.Visits[v], f.schema.Mortality)
			if !ok {
				continue
			}
			y := float32(0)
			if died {
				y = 1
			}
			o.y, o.patient = append(o.y, y), append(o.patient, int32(i))
			o.x.Rows++
			o.x.Data = append(o.x.Data, make([]float32, f.width)...)
			f.row(&p.Visits[v], o.x.Row(o.x.Rows-1))
		}
	}
	return o
}

// with is the rows of both.
func (o outcomes) with(more outcomes) outcomes {
	return outcomes{
		x: Matrix{o.x.Rows + more.x.Rows, o.x.Cols, append(append([]float32{}, o.x.Data...), more.x.Data...)},
		y: append(append([]float32{}, o.y...), more.y...),
	}
}

// classes says which class is missing, or "".
func (o outcomes) classes() string {
	deaths := 0
	for _, y := range o.y {
		if y == 1 {
			deaths++
		}
	}
	switch {
	case len(o.y) == 0:
		return "no visit whose outcome is known"
	case deaths == 0:
		return "no death"
	case deaths == len(o.y):
		return "no survivor"
	}
	return ""
}
