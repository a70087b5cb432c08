package token

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// This file makes random cohorts that use every freedom ehr allows, and holds the properties of a round trip.

// shape says what a random cohort has.
type shape struct {
	covariates, labels, systems, variables int
	patients, visits, rows                 int // most of each
}

var fullShape = shape{covariates: 4, labels: 5, systems: 2, variables: 9, patients: 60, visits: 4, rows: 12}

func randomSchema(s shape) ehr.Schema {
	schema := ehr.Schema{Source: "random", Mortality: -1}
	variable := func(i int) ehr.Variable {
		switch i % 4 {
		case 0:
			return ehr.Variable{Name: fmt.Sprintf("whole_%d", i), Unit: "bpm", Kind: ehr.Number, Low: ehr.Bound(0), High: ehr.Bound(300)}
		case 1:
			return ehr.Variable{Name: fmt.Sprintf("kind_%d", i), Kind: ehr.Category, Categories: []string{"a", "b", "c"}}
		case 2:
			return ehr.Variable{Name: fmt.Sprintf("fine_%d", i), Kind: ehr.Number, Decimals: 3}
		default:
			return ehr.Variable{Name: fmt.Sprintf("oxygen_%d", i), Unit: "%", Kind: ehr.Number, Decimals: 1, Low: ehr.Bound(21), High: ehr.Bound(100)}
		}
	}
	for i := range s.covariates {
		schema.Covariates = append(schema.Covariates, variable(i))
	}
	for i := range s.labels {
		schema.Labels = append(schema.Labels, ehr.LabelDef{Name: fmt.Sprintf("label_%d", i), PositiveOnly: i%2 == 1})
	}
	for i := range s.systems {
		schema.Systems = append(schema.Systems, ehr.System{Name: fmt.Sprintf("ICD%d", 9+i), Kind: ehr.Diagnosis})
	}
	for i := range s.variables {
		schema.Variables = append(schema.Variables, variable(i))
	}
	return schema
}

func randomValue(r *rand.Rand, v *ehr.Variable) float64 {
	if v.Kind == ehr.Category {
		return float64(r.IntN(len(v.Categories)))
	}
	low, high := v.Bounds()
	switch {
	case v.Decimals == 1 && r.IntN(3) > 0:
		return 21 // the atom: room air
	case v.Decimals == 3:
		return v.Round(r.NormFloat64() * 10)
	}
	return v.Round(low + (high-low)*r.Float64()*r.Float64())
}

func randomValues(r *rand.Rand, defs []ehr.Variable, least int) []ehr.Value {
	var out []ehr.Value
	for len(out) < least || out == nil && len(defs) > 0 && r.IntN(2) == 0 {
		out = out[:0]
		for i := range defs {
			if r.IntN(2) == 0 {
				out = append(out, ehr.Value{Var: int32(i), X: randomValue(r, &defs[i])})
			}
		}
	}
	return out
}

func randomVisit(r *rand.Rand, s shape, schema *ehr.Schema, first bool) ehr.Visit {
	v := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown, Covariates: randomValues(r, schema.Covariates, 0)}
	if !first && r.IntN(3) > 0 {
		v.SinceDischarge = int64(r.IntN(500_000)) - 1000
	}
	for i := range schema.Labels {
		if r.IntN(2) == 0 {
			v.Labels = append(v.Labels, ehr.Label{Label: int32(i), On: schema.Labels[i].PositiveOnly || r.IntN(2) == 0})
		}
	}
	if len(schema.Systems) > 0 {
		for range r.IntN(6) {
			c := ehr.Code{System: int32(r.IntN(len(schema.Systems))), Code: fmt.Sprintf("%03d", int(r.ExpFloat64()*30))}
			if !slices.Contains(v.Codes, c) {
				v.Codes = append(v.Codes, c)
			}
		}
	}
	at := int64(r.IntN(200))
	if s.variables > 0 {
		for range r.IntN(s.rows + 1) {
			v.Rows = append(v.Rows, ehr.Row{At: at, Values: randomValues(r, schema.Variables, 1)})
			at += []int64{60, 60, 60, 1 + int64(r.IntN(3000))}[r.IntN(4)]
		}
	}
	if r.IntN(4) > 0 {
		v.Stay = max(0, at+int64(r.IntN(5000))-200)
	}
	return v
}

func randomCohort(seed uint64, s shape) *ehr.Cohort {
	r := rand.New(rand.NewPCG(seed, 1))
	c := &ehr.Cohort{Schema: randomSchema(s)}
	for i := range s.patients {
		p := ehr.Patient{ID: fmt.Sprint(i), Split: ehr.Train}
		if i%4 == 3 {
			p.Split = ehr.HeldOut
		}
		for j := range 1 + r.IntN(s.visits) {
			p.Visits = append(p.Visits, randomVisit(r, s, &c.Schema, j == 0))
		}
		c.Patients = append(c.Patients, p)
	}
	return c
}

// configs are settings that between them use every branch of the grammar and the binning.
func configs() map[string]Config {
	out := map[string]Config{"default": DefaultConfig()}
	change := func(name string, f func(c *Config)) {
		c := DefaultConfig()
		f(&c)
		out[name] = c
	}
	published := func(c *Config) {
		c.Grammar = GrammarConfig{Marks: true, Gap: Last}
		c.Overflow = CutOff
		c.Values.Method, c.Values.Bins, c.Values.DistinctPerBin, c.Values.Trim, c.Values.Density = Uniform, 10, 5, true, Flat
		c.TimeEdges["gap"] = []float64{0, 30, 90, 150, 1590, 2880}
		c.Times.Density = Flat
		c.Codes = CodeRule{MinCount: 6, Count: Occurrences}
	}
	change("published", published)
	change("published whole", func(c *Config) { published(c); c.Context = 1 << 20 })
	change("marks and times", func(c *Config) { c.Grammar.Marks = true })
	change("gap last", func(c *Config) { c.Grammar.Gap = Last })
	change("gap last in chunks", func(c *Config) { c.Grammar.Gap, c.Grammar.OwnOffset, c.Grammar.Marks = Last, false, true })
	change("shared gap", func(c *Config) { c.Grammar.OwnOffset = false })
	change("no stay", func(c *Config) { c.Grammar.Stay = false })
	change("stay alone", func(c *Config) { c.Grammar.Since, c.Overflow = false, CutOff })
	change("few bins", func(c *Config) { c.Values.Bins, c.Times.Bins, c.Codes.MinCount = 3, 4, 4 })
	return out
}

// requireRoundTrip holds what Decode(Encode(p)) promises and returns the record.
func requireRoundTrip(t *testing.T, v *Vocabulary, p *ehr.Patient, seed uint64) Record {
	t.Helper()
	record, err := v.Encode(p)
	require.NoError(t, err)
	machine := v.Reading().NewMachine()
	for _, token := range record.Tokens[1:] {
		if !machine.Step(token) {
			t.Fatalf("%s is refused", v.Describe(token))
		}
	}
	require.True(t, machine.Done())

	numbers := v.Draw(record.Tokens, seed, 7)
	require.True(t, slices.Equal(numbers, v.Draw(record.Tokens, seed, 7)), "the same record draws the same numbers")
	back, err := v.Decode(record.Tokens, numbers)
	require.NoError(t, err)
	require.NoError(t, v.Schema().Check(&back))
	requireSame(t, v, p, &back)
	require.Equal(t, p.Events(), back.Events())
	require.Equal(t, p.Events(), record.Events)
	events := 0
	for _, token := range record.Tokens {
		if v.IsEvent(token) {
			events++
		}
	}
	require.Equal(t, p.Events(), events)

	again, err := v.Encode(&back)
	require.NoError(t, err)
	require.Len(t, again.Tokens, len(record.Tokens))
	for i, token := range again.Tokens {
		if token != record.Tokens[i] && v.meaning[token].kind == kindTime && v.meaning[token].index >= timeRest {
			require.True(t, slices.ContainsFunc(back.Visits, func(b ehr.Visit) bool { return b.Stay == 0 }),
				"only a discharge that bins put before the admission may move")
			continue
		}
		if token != record.Tokens[i] {
			t.Fatalf("token %d was %s and comes back as %s", i, v.Describe(record.Tokens[i]), v.Describe(token))
		}
	}
	return record
}

// requireSame compares what a patient said with what came back, bins apart.
func requireSame(t *testing.T, v *Vocabulary, want, got *ehr.Patient) {
	t.Helper()
	g := v.config.Grammar
	require.Len(t, got.Visits, len(want.Visits))
	for i := range want.Visits {
		a, b := &want.Visits[i], &got.Visits[i]
		require.Equal(t, g.Since && i > 0 && a.SinceDischarge != ehr.Unknown, b.SinceDischarge != ehr.Unknown)
		require.Equal(t, g.Stay && a.Stay != ehr.Unknown, b.Stay != ehr.Unknown)
		require.Equal(t, a.Labels, b.Labels)
		require.Len(t, b.Codes, len(a.Codes))
		for j, c := range a.Codes {
			require.Equal(t, c.System, b.Codes[j].System)
			if _, known := v.codeToken[c.System][c.Code]; known {
				require.Equal(t, c, b.Codes[j])
			}
		}
		requireSameValues(t, v.covariates, a.Covariates, b.Covariates)
		require.Len(t, b.Rows, len(a.Rows))
		for j := range a.Rows {
			requireSameValues(t, v.variables, a.Rows[j].Values, b.Rows[j].Values)
		}
	}
}

// requireSameValues does without require in its loop, which millions of values pass.
func requireSameValues(t *testing.T, fields []field, want, got []ehr.Value) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values come back as %d", len(want), len(got))
	}
	for i, a := range want {
		b, f := got[i], &fields[a.Var]
		switch {
		case a.Var != b.Var:
			t.Fatalf("variable %d comes back as %d", a.Var, b.Var)
		case f.categories > 0 && a.X != b.X:
			t.Fatalf("a category of %s changed", f.name)
		case len(f.Upper) > 0:
			bin := f.Find(f.units(a.X))
			if bin != f.Find(f.units(b.X)) {
				t.Fatalf("a value of %s left its bin", f.name)
			}
			if low, high := f.span(bin); low == high && f.units(a.X) == low && a.X != b.X {
				t.Fatalf("an atom of %s does not come back exactly", f.name)
			}
		}
	}
}

func fit(t testing.TB, c *ehr.Cohort, config Config) *Vocabulary {
	t.Helper()
	v, err := Fit(c, config)
	require.NoError(t, err)
	return v
}
