package evaluate

// The sampler without a model: every field of a record is drawn from its own distribution in the training patients, without
// regard to any other field. It keeps the marginals and loses what joins them, so a generator that does not beat it has
// learnt nothing joint.

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// field is a value that may be absent: present at its rate, then any of the values seen.
type field struct {
	rate   float64
	values []float64
}

func (f *field) draw(r *rand.Rand) (x float64, present bool) {
	if len(f.values) == 0 || r.Float64() >= f.rate {
		return 0, false
	}
	return f.values[r.IntN(len(f.values))], true
}

// marginals is what Independent knows about the training patients. A pool holds every value that was seen, as often as it
// was seen.
type marginals struct {
	visits, codeCounts, rowCounts []int
	first, gaps                   []int64 // minutes: visit start to first row, row to row
	stays, pauses                 []int64 // Unknown included
	covariates, variables         []field
	labels                        []field // 1 on, 0 off
	codes                         []ehr.Code
	distinctCodes                 int
	boost                         float64 // factor on the rates of variables, see rowBoost
}

// SampleIndependent draws n patients under the schema of train whose fields are independent of each other, the same for the same
// seed. Training patients that hold nothing give patients that hold nothing; an empty training cohort gives an empty one.
func SampleIndependent(train *ehr.Cohort, n int, seed uint64) *ehr.Cohort {
	out := &ehr.Cohort{Schema: train.Schema}
	if len(train.Patients) == 0 {
		return out
	}
	m := newMarginals(train)
	r := stream(seed, "independent marginals")
	for i := range n {
		p := ehr.Patient{ID: "s" + strconv.Itoa(i), Visits: make([]ehr.Visit, one(r, m.visits))}
		for v := range p.Visits {
			p.Visits[v] = m.visit(r, v > 0)
		}
		out.Patients = append(out.Patients, p)
	}
	return out
}

func one[T any](r *rand.Rand, pool []T) (x T) {
	if len(pool) == 0 {
		return x
	}
	return pool[r.IntN(len(pool))]
}

func newMarginals(train *ehr.Cohort) *marginals {
	schema := &train.Schema
	m := &marginals{covariates: make([]field, len(schema.Covariates)), variables: make([]field, len(schema.Variables)), labels: make([]field, len(schema.Labels))}
	visits, rows := 0, 0
	for i := range train.Patients {
		p := &train.Patients[i]
		m.visits = append(m.visits, len(p.Visits))
		for v := range p.Visits {
			visits++
			rows += len(p.Visits[v].Rows)
			m.see(&p.Visits[v], schema, v > 0)
		}
	}
	for i := range m.covariates {
		m.covariates[i].rate = float64(len(m.covariates[i].values)) / float64(max(visits, 1))
	}
	for i := range m.labels {
		m.labels[i].rate = float64(len(m.labels[i].values)) / float64(max(visits, 1))
	}
	for i := range m.variables {
		m.variables[i].rate = float64(len(m.variables[i].values)) / float64(max(rows, 1))
	}
	m.boost = rowBoost(m.variables)
	sorted := slices.Clone(m.codes)
	slices.SortFunc(sorted, ehr.Code.Compare)
	m.distinctCodes = len(slices.Compact(sorted))
	return m
}

// see takes in one visit. Values outside their range are left out: a sampled patient satisfies the schema.
func (m *marginals) see(v *ehr.Visit, schema *ehr.Schema, later bool) {
	m.stays = append(m.stays, v.Stay)
	if later {
		m.pauses = append(m.pauses, v.SinceDischarge)
	}
	for _, x := range v.Covariates {
		if schema.Covariates[x.Var].InRange(x.X) {
			m.covariates[x.Var].values = append(m.covariates[x.Var].values, x.X)
		}
	}
	for _, l := range v.Labels {
		x := 0.0
		if l.On {
			x = 1
		}
		m.labels[l.Label].values = append(m.labels[l.Label].values, x)
	}
	m.codeCounts = append(m.codeCounts, len(v.Codes))
	m.codes = append(m.codes, v.Codes...)
	m.rowCounts = append(m.rowCounts, len(v.Rows))
	for r := range v.Rows {
		if r == 0 {
			m.first = append(m.first, v.Rows[r].At)
		} else {
			m.gaps = append(m.gaps, v.Rows[r].At-v.Rows[r-1].At)
		}
		for _, x := range v.Rows[r].Values {
			if schema.Variables[x.Var].InRange(x.X) {
				m.variables[x.Var].values = append(m.variables[x.Var].values, x.X)
			}
		}
	}
}

// rowBoost is the factor c by which presence rates r_i shrink before a row is drawn. Empty rows are drawn again, which
// raises every rate by 1/(1 - prod(1 - c r_i)); c solves c = 1 - prod(1 - c r_i), so that the rates come out as they were.
// When the sum of the rates is at most 1 only c = 0 does (each row has exactly one value); c stops at 1/16, where a row
// holds two values in about three of a hundred cases.
func rowBoost(variables []field) float64 {
	excess := func(c float64) float64 { // > 0: the root is higher
		empty := 1.0
		for i := range variables {
			empty *= 1 - c*variables[i].rate
		}
		return 1 - empty - c
	}
	low, high := 1.0/16, 1.0
	if excess(low) <= 0 {
		return low
	}
	for range 50 {
		if c := (low + high) / 2; excess(c) > 0 {
			low = c
		} else {
			high = c
		}
	}
	return high
}

func (m *marginals) visit(r *rand.Rand, later bool) ehr.Visit {
	v := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: one(r, m.stays)}
	if later {
		v.SinceDischarge = one(r, m.pauses)
	}
	for i := range m.covariates {
		if x, ok := m.covariates[i].draw(r); ok {
			v.Covariates = append(v.Covariates, ehr.Value{Var: int32(i), X: x})
		}
	}
	for i := range m.labels {
		if x, ok := m.labels[i].draw(r); ok {
			v.Labels = append(v.Labels, ehr.Label{Label: int32(i), On: x == 1})
		}
	}
	v.Codes = m.codeList(r)
	v.Rows = m.rows(r)
	return v
}

// codeList draws from the pooled codes; a code that the list already has is drawn again.
func (m *marginals) codeList(r *rand.Rand) []ehr.Code {
	n := min(one(r, m.codeCounts), m.distinctCodes)
	if n == 0 {
		return nil
	}
	list, has := make([]ehr.Code, 0, n), make(map[ehr.Code]bool, n)
	// A list that asks for nearly every code there is waits long for the rare ones: it then stays a little shorter.
	for tries := 0; len(list) < n && tries < 1000*n; tries++ {
		if c := one(r, m.codes); !has[c] {
			has[c] = true
			list = append(list, c)
		}
	}
	return list
}

func (m *marginals) rows(r *rand.Rand) []ehr.Row {
	n := one(r, m.rowCounts)
	if n == 0 || !slices.ContainsFunc(m.variables, func(f field) bool { return len(f.values) > 0 }) {
		return nil
	}
	rows := make([]ehr.Row, n)
	at := one(r, m.first)
	for i := range rows {
		if i > 0 {
			step := one(r, m.gaps)
			if at > math.MaxInt64-step {
				return rows[:i]
			}
			at += step
		}
		rows[i] = ehr.Row{At: at, Values: m.row(r)}
	}
	return rows
}

func (m *marginals) row(r *rand.Rand) []ehr.Value {
	const patience = 10_000 // draws until a row of hardly any rates is given a value outright
	var out []ehr.Value
	for range patience {
		for i := range m.variables {
			f := &m.variables[i]
			if r.Float64() < m.boost*f.rate {
				out = append(out, ehr.Value{Var: int32(i), X: one(r, f.values)})
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	i := mostFrequent(m.variables)
	return []ehr.Value{{Var: int32(i), X: one(r, m.variables[i].values)}}
}

func mostFrequent(fields []field) int {
	best := 0
	for i := range fields {
		if cmp.Less(fields[best].rate, fields[i].rate) {
			best = i
		}
	}
	return best
}
