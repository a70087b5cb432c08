// Package report turns an evaluation and the facts of its run into one HTML file that explains itself: no script, nothing
// loaded from elsewhere, readable on a phone, in dark mode, on paper and by a screen reader. The pictures are SVG drawn here.
//
// The report prints what it is given. The one thing it holds of patients is Page.Examples, and what may stand there is for
// the caller to know: synthetic patients, and simulated ones, never real ones.
package report

import (
	"io"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// Page is everything a report says. What is empty is left out, heading and all.
type Page struct {
	Title   string // "Synthetic patients after eICU"
	Creator string // program and version: "synehrgy 0.1.0"

	Facts      []Fact // of the run, in the order of the page: source, seed, patients, model, tokens, device, durations
	Drops      []Drop // what the reader of the source left out
	Training   *Training
	Generation *Generation
	Examples   *Examples
	Results    *evaluate.Results
}

// Fact is one line about the run. The value is printed as it is.
type Fact struct{ Key, Value string }

// Drop says how many rows of a table were left out for a reason.
type Drop struct {
	Table, Reason string
	Count         int64
}

// Training holds the loss curves, in the order of the steps.
type Training struct {
	Train, Validation []LossPoint
}

// LossPoint is the mean cross-entropy at a step of the optimizer, in bits per token.
type LossPoint struct {
	Step         int64
	BitsPerToken float64
}

// Generation says how the synthetic cohort came about.
type Generation struct {
	Patients        int64
	Tokens          int64
	Valid           int64   // patients whose tokens parse as a record
	TokensPerSecond float64 // 0: not measured
	Draws           int64
	Measured        int64   // draws on which the next one was measured
	MaskedMass      float64 // mean probability per drawn token that the grammar took away, 0 to 1
}

// Examples are one or two patients under one schema, drawn side by side with the same variables on the same axes.
type Examples struct {
	Schema   ehr.Schema
	Patients []Example
}

// Example is a patient with the heading of its picture: "A synthetic patient".
type Example struct {
	Title   string
	Patient ehr.Patient
}

// Render writes the report. Equal pages give equal bytes. The error is that of w; a figure whose data do not fit its kind is
// not an error but a sentence in its place.
func Render(w io.Writer, p Page) error {
	v, err := newView(&p)
	if err != nil {
		return err
	}
	return pageTemplate.Execute(w, v)
}

// Write writes the report to path, whole or not at all, readable by its owner alone.
func Write(path string, p Page) error {
	return checkpoint.WriteStream(path, func(w io.Writer) error { return Render(w, p) })
}
