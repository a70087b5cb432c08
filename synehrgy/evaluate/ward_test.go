package evaluate

// A ward with every kind of field: patients of hidden severity that moves their heart rate, lactate, codes and death.

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

func wardSchema() ehr.Schema {
	return ehr.Schema{
		Source:     "ward",
		Covariates: []ehr.Variable{{Name: "age", Kind: ehr.Number, Low: ehr.Bound(0), High: ehr.Bound(120)}, {Name: "sex", Kind: ehr.Category, Categories: []string{"f", "m"}}},
		Labels:     []ehr.LabelDef{{Name: "died"}, {Name: "sepsis", PositiveOnly: true}},
		Systems:    []ehr.System{{Name: "ICD10CM", Kind: ehr.Diagnosis}, {Name: "ATC", Kind: ehr.Drug}},
		Variables: []ehr.Variable{
			{Name: "heart_rate", Kind: ehr.Number, Low: ehr.Bound(0), High: ehr.Bound(300)},
			{Name: "lactate", Kind: ehr.Number, Decimals: 1, Low: ehr.Bound(0), High: ehr.Bound(40)},
			{Name: "rhythm", Kind: ehr.Category, Categories: []string{"sinus", "af", "paced"}},
			{Name: "never", Kind: ehr.Number},
		},
		Mortality: 0,
	}
}

func ward(n int, seed uint64) *ehr.Cohort {
	c := &ehr.Cohort{Schema: wardSchema()}
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		p := ehr.Patient{ID: strconv.Itoa(i)}
		severity, sex := r.NormFloat64(), float64(r.IntN(2))
		age := math.Round(min(max(60+15*r.NormFloat64(), 18), 100))
		for v := range 1 + r.IntN(3) {
			pause := ehr.Unknown
			if v > 0 {
				pause = int64(1000 + r.IntN(100000))
			}
			p.Visits = append(p.Visits, wardVisit(r, severity, age, sex, pause))
		}
		c.Patients = append(c.Patients, p)
	}
	return c
}

func wardVisit(r *rand.Rand, severity, age, sex float64, pause int64) ehr.Visit {
	v := ehr.Visit{SinceDischarge: pause, Stay: int64(1000 + r.IntN(9000))}
	v.Covariates = []ehr.Value{{Var: 0, X: age}, {Var: 1, X: sex}}
	v.Labels = []ehr.Label{{Label: 0, On: r.Float64() < 1/(1+math.Exp(1.2-2*severity))}}
	if severity > 1 {
		v.Labels = append(v.Labels, ehr.Label{Label: 1, On: true})
	}
	group := int(math.Round(severity)) + 4
	for k := range 40 {
		chance := 0.03
		if k/5 == group {
			chance = 0.6
		}
		if r.Float64() < chance {
			v.Codes = append(v.Codes, ehr.Code{System: int32(k % 2), Code: "C" + strconv.Itoa(k)})
		}
	}
	at := int64(r.IntN(60))
	for range 4 + r.IntN(8) {
		row := ehr.Row{At: at, Values: []ehr.Value{{Var: 0, X: math.Round(min(max(85+12*severity+6*r.NormFloat64(), 20), 250))}}}
		if r.Float64() < 0.5+0.1*severity {
			row.Values = append(row.Values, ehr.Value{Var: 1, X: math.Round(10*min(max(2+severity+0.4*r.NormFloat64(), 0.1), 30)) / 10})
		}
		if r.Float64() < 0.3 {
			row.Values = append(row.Values, ehr.Value{Var: 2, X: float64(r.IntN(3))})
		}
		v.Rows = append(v.Rows, row)
		at += int64(30 + r.IntN(300))
	}
	return v
}

// logistic is a real, small classifier: logistic regression by gradient descent on columns scaled by the training rows,
// missing entries at the mean.
type logistic struct{}

func (logistic) FitPredict(ctx context.Context, train Matrix, y []float32, test Matrix, _ uint64) ([]float32, error) {
	if train.Cols != test.Cols || len(y) != train.Rows {
		return nil, errors.New("matrices do not fit")
	}
	scales := make([]scale, train.Cols)
	for j := range scales {
		var column []float64
		for i := range train.Rows {
			if x := float64(train.Row(i)[j]); !math.IsNaN(x) {
				column = append(column, x)
			}
		}
		scales[j] = scaleOf(column)
	}
	z := func(m Matrix, i, j int) float64 {
		if x := float64(m.Row(i)[j]); !math.IsNaN(x) {
			return scales[j].of(x)
		}
		return 0
	}
	w, bias := make([]float64, train.Cols), 0.0
	score := func(m Matrix, i int) float64 {
		s := bias
		for j := range w {
			s += w[j] * z(m, i, j)
		}
		return s
	}
	for range 60 {
		gradient, g0 := make([]float64, len(w)), 0.0
		for i := range train.Rows {
			e := (1/(1+math.Exp(-score(train, i))) - float64(y[i])) / float64(train.Rows)
			g0 += e
			for j := range gradient {
				gradient[j] += e * z(train, i, j)
			}
		}
		bias -= g0
		for j := range w {
			w[j] -= 0.5 * (gradient[j] + 0.01*w[j])
		}
	}
	out := make([]float32, test.Rows)
	for i := range out {
		out[i] = float32(1 / (1 + math.Exp(-score(test, i))))
	}
	return out, ctx.Err()
}
