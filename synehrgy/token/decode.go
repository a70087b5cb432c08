package token

import (
	"fmt"
	"strconv"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// This file turns tokens back into a patient.

// Decode returns the patient that a record tells of. numbers holds for each token its number in units of 10^-decimals
// (NoNumber where it has none), as the sampler made them; nil stands for Draw(tokens, 0, 0). The result keeps to the schema
// and, encoded again, gives the same tokens. Codes without a token of their own come back as "unknown-1", "unknown-2" … in
// each visit. Where bins would put a discharge before the admission, the stay is 0. ID and Split are the caller's to fill.
//
// A record that the grammar does not accept, or that is not complete, is an error that names the position.
func (v *Vocabulary) Decode(tokens []int32, numbers []int64) (ehr.Patient, error) {
	if numbers == nil {
		numbers = v.Draw(tokens, 0, 0)
	}
	if len(numbers) != len(tokens) {
		return ehr.Patient{}, fmt.Errorf("%d numbers for %d tokens", len(numbers), len(tokens))
	}
	if len(tokens) == 0 || tokens[0] != v.full.StartToken {
		return ehr.Patient{}, fmt.Errorf("the record does not begin with the start token")
	}
	d := decoder{v: v, unknown: make([]int, len(v.codes)), values: make([]ehr.Value, 0, v.countValues(tokens))}
	machine := v.full.NewMachine()
	for i, t := range tokens[1:] {
		if !machine.Step(t) {
			return ehr.Patient{}, fmt.Errorf("token %d of %d is not allowed where it stands", i+2, len(tokens))
		}
		if err := d.take(v.meaning[t], t, numbers[i+1]); err != nil {
			return ehr.Patient{}, fmt.Errorf("token %d of %d: %w", i+2, len(tokens), err)
		}
	}
	if !machine.Done() {
		return ehr.Patient{}, fmt.Errorf("the record of %d tokens ends before its end token", len(tokens))
	}
	d.closeVisit()
	return d.patient, nil
}

func (v *Vocabulary) countValues(tokens []int32) int {
	n := 0
	for _, t := range tokens {
		if t >= 0 && int(t) < len(v.meaning) && v.meaning[t].kind == kindVariable {
			n++
		}
	}
	return n
}

// decoder builds a patient token by token.
type decoder struct {
	v       *Vocabulary
	patient ehr.Patient
	visit   *ehr.Visit  // open, or nil
	values  []ehr.Value // of all rows; rows are slices of it
	row     int         // where in values the open row begins
	at      int64       // minutes of the open row
	rest    int64       // minutes from the last row to the discharge, Unknown until said
	unknown []int       // unknown codes so far in the visit, by system
}

func (d *decoder) take(m meaning, token int32, number int64) error {
	if knots := d.v.full.knots(token); len(knots) > 0 && (number < knots[0] || number > knots[len(knots)-1]) {
		return fmt.Errorf("a number outside its bin")
	}
	switch m.kind {
	case kindFirst:
		d.openVisit(ehr.Unknown)
	case kindTime:
		if m.bin < 0 {
			number = ehr.Unknown
		}
		d.time(int(m.index), number)
	case kindCovariate:
		v := d.open()
		v.Covariates = append(v.Covariates, d.v.covariates[m.index].value(m, number))
	case kindLabel:
		v := d.open()
		v.Labels = append(v.Labels, ehr.Label{Label: m.index, On: m.bin == 1})
	case kindCode:
		v := d.open()
		v.Codes = append(v.Codes, ehr.Code{System: m.index, Code: d.v.codes[m.index][m.bin]})
	case kindUnknownCode:
		v := d.open()
		v.Codes = append(v.Codes, ehr.Code{System: m.index, Code: d.nameUnknown(m.index)})
	case kindVariable:
		d.open()
		d.values = append(d.values, d.v.variables[m.index].value(m, number))
	case kindEndCovariates, kindEndLabels, kindEndCodes:
		d.open()
	case kindEndVisit:
		d.closeVisit()
	}
	return nil
}

// value is the value of a covariate or variable that a token and its number stand for.
func (f *field) value(m meaning, number int64) ehr.Value {
	if f.categories > 0 {
		return ehr.Value{Var: m.index, X: float64(m.bin)}
	}
	return ehr.Value{Var: m.index, X: f.number(number)}
}

func (d *decoder) time(which int, minutes int64) {
	switch g := &d.v.config.Grammar; which {
	case timeSince:
		d.closeVisit()
		d.openVisit(minutes)
	case timeGap, timeOffset:
		v := d.open()
		if g.Gap == First {
			d.closeRow()
		}
		if d.at += minutes; minutes < 1 && len(v.Rows) > 0 {
			d.at += 1 - minutes // tokens shared with the first row may say 0, two rows at one minute may not be
		}
		if g.Gap == Last {
			d.closeRow()
		}
	case timeRest, timeStay:
		d.open()
		d.rest = minutes
		if !g.Marks { // otherwise </adm> ends the visit
			d.closeVisit()
		}
	}
}

// open returns the visit at hand; where no token says that a visit begins, whatever is said first does.
func (d *decoder) open() *ehr.Visit {
	if d.visit == nil {
		d.openVisit(ehr.Unknown)
	}
	return d.visit
}

func (d *decoder) openVisit(since int64) {
	d.patient.Visits = append(d.patient.Visits, ehr.Visit{SinceDischarge: since, Stay: ehr.Unknown})
	d.visit = &d.patient.Visits[len(d.patient.Visits)-1]
	d.at, d.rest = 0, ehr.Unknown
	clear(d.unknown)
}

// closeRow ends the row that is open, if it has values.
func (d *decoder) closeRow() {
	if n := len(d.values); n > d.row {
		d.visit.Rows = append(d.visit.Rows, ehr.Row{At: d.at, Values: d.values[d.row:n:n]})
		d.row = n
	}
}

func (d *decoder) closeVisit() {
	if d.visit == nil {
		return
	}
	d.closeRow()
	if d.rest != ehr.Unknown {
		d.visit.Stay = max(0, d.at+d.rest)
	}
	d.visit = nil
}

// nameUnknown returns a name for the next unknown code of a system in the visit that is no code of the vocabulary.
func (d *decoder) nameUnknown(system int32) string {
	for {
		d.unknown[system]++
		name := "unknown-" + strconv.Itoa(d.unknown[system])
		if _, taken := d.v.codeToken[system][name]; !taken {
			return name
		}
	}
}
