package token

import (
	"fmt"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// This file turns a patient into tokens. Everything the patient says becomes a token; what a token says less precisely than
// the patient did is counted.

// Record is one patient in tokens.
type Record struct {
	Tokens []int32 // from the start token to the end
	Clock  []int64 // for every row, in order, its minutes since the start of its visit: chunk headers need them
	Events int     // what ehr.Patient.Events counts
	Loss   Loss
}

// Loss counts what tokens could not say as precisely as the patient. Add sums it up.
type Loss struct {
	UnknownCodes []int64 `json:"unknown_codes"` // by code system: codes without a token of their own
	Unfitted     int64   `json:"unfitted"`      // values and times of fields that training never saw
	Outside      int64   `json:"outside"`       // values and times beyond those the bins were fitted for, now in the first or last bin
	FirstSince   int64   `json:"first_since"`   // first visits that tell a time since a previous discharge
	Absent       int64   `json:"absent"`        // times that the grammar has no tokens for: since and stay, where these are off
}

// Add adds the counts of another loss.
func (l *Loss) Add(o *Loss) {
	if l.UnknownCodes == nil {
		l.UnknownCodes = make([]int64, len(o.UnknownCodes))
	}
	for i, n := range o.UnknownCodes {
		l.UnknownCodes[i] += n
	}
	l.Unfitted += o.Unfitted
	l.Outside += o.Outside
	l.FirstSince += o.FirstSince
	l.Absent += o.Absent
}

// Encoder encodes one patient after another, reusing its memory. One goroutine at a time may use it.
type Encoder struct {
	v       *Vocabulary
	machine *Machine
	illegal bool
}

// NewEncoder returns an encoder.
func (v *Vocabulary) NewEncoder() *Encoder { return &Encoder{v: v, machine: v.full.NewMachine()} }

// Encode turns a patient into a record of its own memory. See Encoder.Encode.
func (v *Vocabulary) Encode(p *ehr.Patient) (Record, error) {
	var r Record
	err := v.NewEncoder().Encode(p, &r)
	return r, err
}

// Encode turns a patient into tokens and puts them into r in the place of what was there. It fails when the patient has no
// visit or breaks the promises of ehr; the error holds no value of the patient.
func (e *Encoder) Encode(p *ehr.Patient, r *Record) error {
	v := e.v
	unknown := r.Loss.UnknownCodes
	if len(unknown) != len(v.codes) {
		unknown = make([]int64, len(v.codes))
	}
	clear(unknown)
	*r = Record{Tokens: append(r.Tokens[:0], v.first.mark[kindStart]), Clock: r.Clock[:0], Loss: Loss{UnknownCodes: unknown}}
	if len(p.Visits) == 0 {
		return fmt.Errorf("a patient without visits, expected at least one")
	}
	e.machine.Reset()
	e.illegal = false
	for i := range p.Visits {
		e.visit(r, &p.Visits[i], i == 0)
		if e.illegal {
			return e.explain(p, i)
		}
	}
	e.say(r, v.first.mark[kindEnd])
	return nil
}

// explain finds the sentence for a visit that the grammar refused.
func (e *Encoder) explain(p *ehr.Patient, visit int) error {
	schema := &e.v.schema
	if err := schema.Check(p); err != nil {
		return err
	}
	for _, l := range p.Visits[visit].Labels {
		if def := &schema.Labels[l.Label]; def.PositiveOnly && !l.On {
			return fmt.Errorf("visit %d: the label %q is written down as off, expected only when it holds", visit+1, def.Name)
		}
	}
	return fmt.Errorf("visit %d: the grammar does not allow what it says", visit+1)
}

// say appends a token.
func (e *Encoder) say(r *Record, token int32) {
	if !e.machine.Step(token) {
		e.illegal = true
		return
	}
	r.Tokens = append(r.Tokens, token)
}

// mark appends the mark of a section where the grammar has marks.
func (e *Encoder) mark(r *Record, k kind) {
	if token := e.v.first.mark[k]; token >= 0 {
		e.say(r, token)
	}
}

func (e *Encoder) visit(r *Record, visit *ehr.Visit, first bool) {
	v := e.v
	e.since(r, visit.SinceDischarge, first)
	for _, x := range visit.Covariates {
		e.value(r, v.covariates, v.first.covariate, x)
	}
	e.mark(r, kindEndCovariates)
	for _, l := range visit.Labels {
		e.label(r, l)
	}
	e.mark(r, kindEndLabels)
	for _, c := range visit.Codes {
		e.code(r, c)
	}
	e.mark(r, kindEndCodes)
	last := int64(0)
	for i := range visit.Rows {
		e.row(r, &visit.Rows[i], last, i == 0)
		last = visit.Rows[i].At
	}
	e.mark(r, kindEndRows)
	e.stay(r, visit, last)
	e.mark(r, kindEndVisit)
	r.Events += visit.Events()
}

func (e *Encoder) since(r *Record, since int64, first bool) {
	switch v := e.v; {
	case first && since != ehr.Unknown:
		r.Loss.FirstSince++
		fallthrough
	case first:
		if v.config.Grammar.Since {
			e.say(r, v.first.first)
		}
	case v.config.Grammar.Since:
		e.time(r, timeSince, since)
	case since != ehr.Unknown:
		r.Loss.Absent++
	}
}

func (e *Encoder) stay(r *Record, visit *ehr.Visit, last int64) {
	which, minutes := timeStay, visit.Stay
	if len(visit.Rows) > 0 {
		which = timeRest
		if minutes != ehr.Unknown {
			minutes -= last
		}
	}
	switch {
	case e.v.config.Grammar.Stay:
		e.time(r, which, minutes)
	case minutes != ehr.Unknown:
		r.Loss.Absent++
	}
}

func (e *Encoder) label(r *Record, l ehr.Label) {
	v := e.v
	if l.Label < 0 || int(l.Label) >= len(v.first.label) {
		e.illegal = true
		return
	}
	token := v.first.label[l.Label]
	switch only := v.schema.Labels[l.Label].PositiveOnly; {
	case only && !l.On:
		e.illegal = true
		return
	case !only && l.On:
		token++
	}
	e.say(r, token)
}

func (e *Encoder) code(r *Record, c ehr.Code) {
	v := e.v
	if c.System < 0 || int(c.System) >= len(v.codes) {
		e.illegal = true
		return
	}
	token, known := v.codeToken[c.System][c.Code]
	if !known {
		token = v.first.other[c.System]
		r.Loss.UnknownCodes[c.System]++
	}
	e.say(r, token)
}

func (e *Encoder) row(r *Record, row *ehr.Row, last int64, first bool) {
	which := timeGap
	if first && e.v.config.Grammar.OwnOffset {
		which = timeOffset
	}
	if row.At < last || row.At == last && !first {
		e.illegal = true
		return
	}
	r.Clock = append(r.Clock, row.At)
	if e.v.config.Grammar.Gap == First {
		e.time(r, which, row.At-last)
	}
	for _, x := range row.Values {
		e.value(r, e.v.variables, e.v.first.variable, x)
	}
	if e.v.config.Grammar.Gap == Last {
		e.time(r, which, row.At-last)
	}
}

func (e *Encoder) time(r *Record, which int, minutes int64) {
	if minutes == ehr.Unknown && e.v.first.unknown[which] >= 0 {
		e.say(r, e.v.first.unknown[which])
		return
	}
	e.number(r, &e.v.times[which], e.v.first.time[which], float64(minutes))
}

func (e *Encoder) value(r *Record, fields []field, first []int32, x ehr.Value) {
	if x.Var < 0 || int(x.Var) >= len(fields) {
		e.illegal = true
		return
	}
	f := &fields[x.Var]
	switch {
	case f.categories == 0:
		e.number(r, f, first[x.Var], x.X)
	case x.X >= 0 && x.X < float64(f.categories) && x.X == float64(int32(x.X)):
		e.say(r, first[x.Var]+int32(x.X))
	default:
		e.illegal = true
	}
}

func (e *Encoder) number(r *Record, f *field, first int32, x float64) {
	if x != x { // NaN is no number
		e.illegal = true
		return
	}
	if len(f.Upper) == 0 {
		r.Loss.Unfitted++
		e.say(r, first)
		return
	}
	q := f.units(x)
	if f.Outside(q) {
		r.Loss.Outside++
	}
	e.say(r, first+int32(f.Find(q)))
}
