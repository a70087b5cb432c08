package ehr

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func schema() *Schema {
	return &Schema{
		Covariates: []Variable{NewNumber("age", "Age", "years", 0, 0, 120), NewCategory("sex", "Sex", "f", "m")},
		Labels:     []LabelDef{{Name: "death"}, {Name: "sepsis", PositiveOnly: true}},
		Systems:    []System{{"ICD10CM", Diagnosis}, {"ATC", Drug}},
		Variables:  []Variable{NewNumber("heart_rate", "Heart rate", "/min", 0, 0, 350), {Name: "ph", Kind: Number, Decimals: 2}},
	}
}

func patient() *Patient {
	return &Patient{ID: "1", Visits: []Visit{{
		SinceDischarge: Unknown, Stay: 100,
		Covariates: []Value{{0, 60}, {1, 1}},
		Labels:     []Label{{0, false}},
		Codes:      []Code{{0, "I10"}, {1, "C07AB02"}},
		Rows:       []Row{{0, []Value{{0, 80}}}, {7, []Value{{0, 81}, {1, 7.35}}}},
	}}}
}

func TestCheckFindsEveryBrokenPromise(t *testing.T) {
	require.NoError(t, schema().Check(patient()))
	for name, breakIt := range map[string]func(v *Visit){
		"a covariate that the schema lacks":   func(v *Visit) { v.Covariates[1].Var = 2 },
		"covariates out of order":             func(v *Visit) { slices.Reverse(v.Covariates) },
		"a covariate twice":                   func(v *Visit) { v.Covariates[1] = v.Covariates[0] },
		"an age beyond its range":             func(v *Visit) { v.Covariates[0].X = 121 },
		"a category that is none":             func(v *Visit) { v.Covariates[1].X = 2 },
		"a category between two":              func(v *Visit) { v.Covariates[1].X = 0.5 },
		"a value that is no number":           func(v *Visit) { v.Rows[0].Values[0].X = math.NaN() },
		"a label that the schema lacks":       func(v *Visit) { v.Labels[0].Label = 2 },
		"a label twice":                       func(v *Visit) { v.Labels = append(v.Labels, v.Labels[0]) },
		"a code system that the schema lacks": func(v *Visit) { v.Codes[0].System = -1 },
		"a code twice":                        func(v *Visit) { v.Codes[1] = v.Codes[0] },
		"a row before the visit":              func(v *Visit) { v.Rows[0].At = -1 },
		"two rows at a minute":                func(v *Visit) { v.Rows[1].At = 0 },
		"an empty row":                        func(v *Visit) { v.Rows[1].Values = nil },
		"a variable twice in a row":           func(v *Visit) { v.Rows[1].Values[1].Var = 0 },
	} {
		p := patient()
		breakIt(&p.Visits[0])
		err := schema().Check(p)
		require.Error(t, err, name)
		require.Contains(t, err.Error(), "visit 1", name)
		require.NotContains(t, err.Error(), "I10", "an error never quotes a patient")
	}
}

func TestLookUpsFindWhatIsThere(t *testing.T) {
	s, v := schema(), &patient().Visits[0]
	on, known := v.Label(0)
	require.False(t, on)
	require.True(t, known)
	_, known = v.Label(1)
	require.False(t, known)
	x, known := v.Covariate(s.CovariateIndex("age"))
	require.True(t, known)
	require.Equal(t, 60.0, x)
	x, known = v.Rows[1].Value(s.VariableIndex("ph"))
	require.True(t, known)
	require.Equal(t, 7.35, x)
	_, known = v.Rows[0].Value(1)
	require.False(t, known)
	require.EqualValues(t, -1, s.VariableIndex("PH"))
	require.EqualValues(t, 1, s.SystemIndex("ATC", Drug))
	require.EqualValues(t, -1, s.SystemIndex("ATC", Procedure))
	require.EqualValues(t, 1, s.LabelIndex("sepsis"))
	require.Equal(t, 2+1+2+3, v.Events())
	require.Equal(t, 7.35, s.Variables[1].Round(7.3512))
	require.Negative(t, Code{0, "B"}.Compare(Code{1, "A"}))
}

func TestSplitsDependOnIdAndSeedAlone(t *testing.T) {
	people := func(n int) *Cohort {
		c := &Cohort{}
		for i := range n {
			c.Patients = append(c.Patients, Patient{ID: fmt.Sprint(i)})
		}
		return c
	}
	of := func(c *Cohort) map[string]Split {
		out := map[string]Split{}
		for _, p := range c.Patients {
			out[p.ID] = p.Split
		}
		return out
	}
	c := people(1000)
	c.AssignSplits(7, DefaultShares)
	require.Len(t, c.Only(Train).Patients, 700)
	require.Len(t, c.Only(Tuning).Patients, 100)
	require.Len(t, c.Only(HeldOut).Patients, 200)
	turned := people(1000)
	slices.Reverse(turned.Patients)
	turned.AssignSplits(7, DefaultShares)
	require.Equal(t, of(c), of(turned))
	other := people(1000)
	other.AssignSplits(8, DefaultShares)
	require.NotEqual(t, of(c), of(other))
	for n := 3; n < 12; n++ {
		c := people(n)
		c.AssignSplits(1, DefaultShares)
		for _, s := range []Split{Train, Tuning, HeldOut} {
			require.NotEmpty(t, c.Only(s).Patients, "%d patients, %s", n, s)
		}
	}
	for _, s := range []Split{Train, Tuning, HeldOut} {
		back, ok := ParseSplit(s.String())
		require.True(t, ok)
		require.Equal(t, s, back)
	}
	_, ok := ParseSplit("")
	require.False(t, ok)
}
