package token

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file fits a vocabulary: bins to the values, tokens to the codes of the patients of the training split, and of nobody
// else.

// Fit returns the vocabulary of the training patients of a cohort. It fails with *fault.Usage when the configuration makes no
// sense or does not fit the schema, and with *fault.Input when the cohort has nobody to train on or a schema that cannot be.
func Fit(cohort *ehr.Cohort, config Config) (*Vocabulary, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if err := checkSystems(&cohort.Schema); err != nil {
		return nil, err
	}
	v := &Vocabulary{schema: cohort.Schema, config: config}
	if err := v.readSchema(); err != nil {
		return nil, err
	}
	if err := v.checkEdges(); err != nil {
		return nil, err
	}
	sample := v.newSample()
	trained := 0
	for i := range cohort.Patients {
		if p := &cohort.Patients[i]; p.Split == ehr.Train {
			if err := sample.add(v, p, i); err != nil {
				return nil, err
			}
			trained++
		}
	}
	if trained == 0 {
		return nil, &fault.Input{File: "the cohort", Found: "no patient in the split train", Expected: "at least one to fit a vocabulary to"}
	}
	sample.fit(v)
	return v, v.finish()
}

// finish lays out the tokens and seals the vocabulary.
func (v *Vocabulary) finish() error {
	if err := v.lay(); err != nil {
		return err
	}
	if err := v.CheckContext(v.config.Context); err != nil {
		return err
	}
	return v.seal()
}

func checkSystems(s *ehr.Schema) error {
	for i := range s.Systems {
		if slices.Contains(s.Systems[:i], s.Systems[i]) {
			return &fault.Input{File: "the schema", Found: fmt.Sprintf("the code system %q twice", s.Systems[i].Name), Expected: "each once"}
		}
	}
	return nil
}

// readSchema makes the fields without bins.
func (v *Vocabulary) readSchema() error {
	read := func(from []ehr.Variable, what string) ([]field, error) {
		fields := make([]field, len(from))
		for i := range from {
			f, err := newField(&from[i])
			if err != nil {
				return nil, &fault.Input{File: "the schema", Found: "a " + what + " that cannot be: " + err.Error(), Expected: "a number or a category", Err: err}
			}
			fields[i] = f
		}
		return fields, nil
	}
	var err error
	if v.covariates, err = read(v.schema.Covariates, "covariate"); err != nil {
		return err
	}
	if v.variables, err = read(v.schema.Variables, "variable"); err != nil {
		return err
	}
	for t := range v.times {
		v.times[t] = newTime(t, &v.config.Grammar)
	}
	v.codes = make([][]string, len(v.schema.Systems))
	return nil
}

// checkEdges refuses fixed edges for something that the schema does not have: a misspelt name must not pass in silence.
func (v *Vocabulary) checkEdges() error {
	var numbers []string
	for _, f := range slices.Concat(v.covariates, v.variables) {
		if f.categories == 0 {
			numbers = append(numbers, f.name)
		}
	}
	for _, name := range sortedKeys(v.config.Edges) {
		if !slices.Contains(numbers, name) {
			return fault.Usagef("token.edges: the cohort has no number %q; the nearest one is %q", name, fault.Nearest(name, numbers))
		}
	}
	return nil
}

// sample is what the training patients say, field by field, in units of the field.
type sample struct {
	covariates [][]int64
	variables  [][]int64
	times      [timeCount][]int64
	codes      map[ehr.Code]*codeCount
}

type codeCount struct {
	patients, occurrences int
	last                  int // patient that was counted last
}

func (v *Vocabulary) newSample() *sample {
	return &sample{
		covariates: make([][]int64, len(v.covariates)),
		variables:  make([][]int64, len(v.variables)),
		codes:      map[ehr.Code]*codeCount{},
	}
}

// add takes the patient of an index into the sample.
func (s *sample) add(v *Vocabulary, p *ehr.Patient, index int) error {
	if err := v.schema.Check(p); err != nil {
		return &fault.Input{File: "the cohort", Found: fmt.Sprintf("patient %d against the schema: %v", index+1, err), Expected: "patients that keep to it", Err: err}
	}
	for i := range p.Visits {
		visit := &p.Visits[i]
		for _, x := range visit.Covariates {
			if f := &v.covariates[x.Var]; f.categories == 0 {
				s.covariates[x.Var] = append(s.covariates[x.Var], f.units(x.X))
			}
		}
		for _, c := range visit.Codes {
			s.count(c, index)
		}
		if i > 0 && visit.SinceDischarge != ehr.Unknown {
			s.time(v, timeSince, visit.SinceDischarge)
		}
		s.addRows(v, visit)
	}
	return nil
}

func (s *sample) addRows(v *Vocabulary, visit *ehr.Visit) {
	last := int64(0)
	for i := range visit.Rows {
		row := &visit.Rows[i]
		if i == 0 && v.config.Grammar.OwnOffset {
			s.time(v, timeOffset, row.At)
		} else {
			s.time(v, timeGap, row.At-last)
		}
		last = row.At
		for _, x := range row.Values {
			if f := &v.variables[x.Var]; f.categories == 0 {
				s.variables[x.Var] = append(s.variables[x.Var], f.units(x.X))
			}
		}
	}
	switch {
	case visit.Stay == ehr.Unknown:
	case len(visit.Rows) > 0:
		s.time(v, timeRest, visit.Stay-last)
	default:
		s.time(v, timeStay, visit.Stay)
	}
}

func (s *sample) time(v *Vocabulary, which int, minutes int64) {
	s.times[which] = append(s.times[which], v.times[which].units(float64(minutes)))
}

func (s *sample) count(c ehr.Code, patient int) {
	n := s.codes[c]
	if n == nil {
		n = &codeCount{last: -1}
		s.codes[c] = n
	}
	n.occurrences++
	if n.last != patient {
		n.patients++
		n.last = patient
	}
}

// fit gives every field its bins and every code that is frequent enough its place. Fields are independent of each other, so
// the result does not depend on how many are fitted at once.
func (s *sample) fit(v *Vocabulary) {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	one := func(f *field, sample []int64, rule *Binning, edges []float64) {
		scaled := make([]float64, len(edges))
		for i, e := range edges {
			scaled[i] = e * pow10[f.decimals]
		}
		g.Go(func() error {
			f.Bins = fitBins(f, sample, rule, scaled)
			return nil
		})
	}
	c := &v.config
	for i := range v.covariates {
		one(&v.covariates[i], s.covariates[i], &c.Values, c.Edges[v.covariates[i].name])
	}
	for i := range v.variables {
		one(&v.variables[i], s.variables[i], &c.Values, c.Edges[v.variables[i].name])
	}
	for t := range v.times {
		one(&v.times[t], s.times[t], &c.Times, c.TimeEdges[timeNames[t]])
	}
	s.chooseCodes(v)
	_ = g.Wait() // fitting a field cannot fail
}

// chooseCodes orders the codes of a system by falling count, then by text.
func (s *sample) chooseCodes(v *Vocabulary) {
	count := func(c ehr.Code) int {
		if v.config.Codes.Count == Occurrences {
			return s.codes[c].occurrences
		}
		return s.codes[c].patients
	}
	chosen := slices.SortedFunc(maps.Keys(s.codes), func(a, b ehr.Code) int {
		return cmp.Or(cmp.Compare(count(b), count(a)), a.Compare(b))
	})
	for _, c := range chosen {
		if count(c) >= v.config.Codes.MinCount {
			v.codes[c.System] = append(v.codes[c.System], c.Code)
		}
	}
}
