// Package ehr is the record that every other room works on: a patient, the visits of that patient, and what was written
// down during each visit, together with the schema that gives the numbers their meaning.
//
// Nothing here knows where a record came from or where it goes. All times are whole minutes, relative to the start of the
// visit they belong to; a cohort holds no calendar date.
package ehr

import (
	"math"
	"slices"
	"strings"
)

// Unknown marks a time that the source does not tell: a stay without a discharge, a visit whose distance from the previous
// one is not recorded.
const Unknown int64 = math.MinInt64

// Split says which part of a cohort a patient belongs to. The names on disk are those of MEDS.
type Split uint8

// The parts of a cohort. Everything that is fitted is fitted on Train alone; Tuning chooses (early stopping); HeldOut judges.
const (
	NoSplit Split = iota
	Train
	Tuning
	HeldOut
)

var splitNames = [...]string{"", "train", "tuning", "held_out"}

func (s Split) String() string { return splitNames[s] }

// ParseSplit is the inverse of Split.String; ok is false for a name that is none of the three.
func ParseSplit(name string) (s Split, ok bool) {
	i := slices.Index(splitNames[1:], name)
	return Split(i + 1), i >= 0
}

// Cohort is a set of patients under one schema.
type Cohort struct {
	Schema   Schema
	Patients []Patient
}

// Patient is one person. Visits are in chronological order.
type Patient struct {
	ID     string // as the source names the person; a synthetic patient is "s" and its index
	Split  Split
	Visits []Visit
}

// Visit is one hospital admission (or, where the source has no admissions, one ICU stay).
type Visit struct {
	ID             string  // as the source names the visit; may be empty
	SinceDischarge int64   // minutes from the discharge of the previous visit to the start of this one; Unknown for a first visit
	Stay           int64   // minutes from start to discharge, or Unknown
	Covariates     []Value // what is known at the start; ascending by Var, into Schema.Covariates
	Labels         []Label // what is known about the outcome; ascending by Label, each at most once
	Codes          []Code  // in the order of the source, no code twice within a visit
	Rows           []Row   // ascending by At, no two rows at the same minute
}

// Row is everything measured at one minute of a visit.
type Row struct {
	At     int64   // minutes since the visit began, >= 0
	Values []Value // ascending by Var, each variable at most once, never empty; into Schema.Variables
}

// Value is one measurement: a number in the unit of its variable, or the index of a category.
type Value struct {
	Var int32
	X   float64
}

// Label is the known value of one label. A label that is not known is absent.
type Label struct {
	Label int32 // into Schema.Labels
	On    bool
}

// Code is one entry of a code system.
type Code struct {
	System int32 // into Schema.Systems
	Code   string
}

// Events counts what a visit says: covariates, labels, codes, and the values of its rows. Every stage that claims to lose
// nothing is held to this number.
func (v *Visit) Events() int {
	n := len(v.Covariates) + len(v.Labels) + len(v.Codes)
	for i := range v.Rows {
		n += len(v.Rows[i].Values)
	}
	return n
}

// Events is the sum over the visits of a patient.
func (p *Patient) Events() int {
	n := 0
	for i := range p.Visits {
		n += p.Visits[i].Events()
	}
	return n
}

// Events is the sum over the patients of a cohort.
func (c *Cohort) Events() int {
	n := 0
	for i := range c.Patients {
		n += c.Patients[i].Events()
	}
	return n
}

// Visits counts the visits of a cohort.
func (c *Cohort) Visits() int {
	n := 0
	for i := range c.Patients {
		n += len(c.Patients[i].Visits)
	}
	return n
}

// Only is the cohort of the patients of one split, sharing their memory.
func (c *Cohort) Only(s Split) *Cohort {
	out := &Cohort{Schema: c.Schema}
	for i := range c.Patients {
		if c.Patients[i].Split == s {
			out.Patients = append(out.Patients, c.Patients[i])
		}
	}
	return out
}

// Label returns the value of a label at a visit; known is false when the visit does not say.
func (v *Visit) Label(label int32) (on, known bool) {
	i, ok := slices.BinarySearchFunc(v.Labels, label, func(l Label, t int32) int { return int(l.Label) - int(t) })
	if !ok {
		return false, false
	}
	return v.Labels[i].On, true
}

// Covariate returns the value of a covariate at a visit.
func (v *Visit) Covariate(covariate int32) (x float64, known bool) {
	return find(v.Covariates, covariate)
}

// Value returns the value of a variable in a row.
func (r *Row) Value(variable int32) (x float64, known bool) { return find(r.Values, variable) }

func find(values []Value, v int32) (float64, bool) {
	i, ok := slices.BinarySearchFunc(values, v, func(a Value, t int32) int { return int(a.Var) - int(t) })
	if !ok {
		return math.NaN(), false
	}
	return values[i].X, true
}

// Compare orders codes by system, then by text.
func (c Code) Compare(d Code) int {
	if c.System != d.System {
		return int(c.System) - int(d.System)
	}
	return strings.Compare(c.Code, d.Code)
}
