package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// This file draws patients: a line of time with all visits, and of the visit with most measurements the covariates, labels
// and codes as lists and the measurements as small curves. Patients drawn together share variables and axes, so that they
// compare at sight.

//go:embed chart.css
var chartCSS string

const (
	patientInner = 322.0 // the room for text and curves
	patientEdge  = 9.0
	textRow      = 15.0
	maxCurves    = 6
	maxCodeRows  = 8
)

// scene is what the patients of a picture share.
type scene struct {
	schema    *ehr.Schema
	shown     []int   // for each patient the visit that is drawn, -1 for a patient without visits
	variables []int32 // the curves, from the top
	minutes   float64 // length of the axis of time of the curves
	days      float64 // length of the line of all visits
	level     float64 // where the curves begin, below the longest of the lists
}

func newScene(e *Examples) (*scene, error) {
	s := &scene{schema: &e.Schema}
	for i := range e.Patients {
		p := &e.Patients[i].Patient
		if err := e.Schema.Check(p); err != nil {
			return nil, fmt.Errorf("example %d cannot be drawn: %w", i+1, err)
		}
		s.shown = append(s.shown, fullest(p))
		s.days = max(s.days, lifeline(p).days)
		if v := s.visit(e, i); v != nil && len(v.Rows) > 0 {
			s.minutes = max(s.minutes, float64(v.Rows[len(v.Rows)-1].At))
		}
	}
	s.minutes = max(s.minutes, 60)
	s.days = max(s.days, 1)
	s.choose(e)
	for i := range e.Patients {
		s.level = max(s.level, s.facts(&drawing{}, e, i))
	}
	return s, nil
}

// visit is the visit of patient i that is drawn, nil when there is none.
func (s *scene) visit(e *Examples, i int) *ehr.Visit {
	if s.shown[i] < 0 {
		return nil
	}
	return &e.Patients[i].Patient.Visits[s.shown[i]]
}

// fullest is the first of the visits with most measurements.
func fullest(p *ehr.Patient) int {
	best, most := -1, -1
	for i := range p.Visits {
		n := 0
		for _, r := range p.Visits[i].Rows {
			n += len(r.Values)
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}

// choose takes the numeric variables that are best measured in the patient who has the fewest of them, then by the sum.
func (s *scene) choose(e *Examples) {
	type ranked struct {
		v           int32
		fewest, all int
	}
	var rank []ranked
	for v := range s.schema.Variables {
		if s.schema.Variables[v].Kind != ehr.Number {
			continue
		}
		r := ranked{v: int32(v), fewest: -1}
		for i := range e.Patients {
			n := 0
			if visit := s.visit(e, i); visit != nil {
				xs, _ := measurements(visit, int32(v))
				n = len(xs)
			}
			if r.fewest < 0 || n < r.fewest {
				r.fewest = n
			}
			r.all += n
		}
		if r.all > 0 {
			rank = append(rank, r)
		}
	}
	slices.SortStableFunc(rank, func(a, b ranked) int {
		if a.fewest != b.fewest {
			return b.fewest - a.fewest
		}
		return b.all - a.all
	})
	for _, r := range rank[:min(len(rank), maxCurves)] {
		s.variables = append(s.variables, r.v)
	}
	slices.Sort(s.variables)
}

// measurements are the times in minutes and the values of a variable during a visit.
func measurements(v *ehr.Visit, variable int32) (at, x []float64) {
	for i := range v.Rows {
		if value, ok := v.Rows[i].Value(variable); ok {
			at, x = append(at, float64(v.Rows[i].At)), append(x, value)
		}
	}
	return at, x
}

// patient draws patient i at the origin of d and returns the height it took.
func (s *scene) patient(d *drawing, e *Examples, i int) float64 {
	y := s.facts(d, e, i)
	v := s.visit(e, i)
	if v == nil {
		return y
	}
	return s.curves(d, e, v, s.level) + 8
}

// facts draws all but the curves and returns where that ends.
func (s *scene) facts(d *drawing, e *Examples, i int) float64 {
	p := &e.Patients[i].Patient
	y := 24.0
	d.text("heading", "start", patientEdge, y, clip(e.Patients[i].Title, 50*glyph))
	y = s.timeline(d, p, s.shown[i], y+20)
	v := s.visit(e, i)
	if v == nil {
		d.text("name", "start", patientEdge, y+textRow, "No visits.")
		return y + 2*textRow
	}
	y = s.list(d, y+12, "Known at admission", s.covariates(v), 3)
	y = s.list(d, y, "Outcome", s.labels(v), 3)
	return s.codes(d, y, v)
}

// list writes a heading and the items in at most rows lines.
func (s *scene) list(d *drawing, y float64, heading string, items []string, rows int) float64 {
	y += textRow
	d.text("sub", "start", patientEdge, y, heading)
	if len(items) == 0 {
		d.text("tick", "start", patientEdge, y+textRow, "nothing recorded")
		return y + textRow + 6
	}
	lines := wrap(items, patientInner)
	if len(lines) > rows {
		lines = append(lines[:rows-1], clip(lines[rows-1], patientInner-3*glyph)+" …")
	}
	for _, line := range lines {
		y += textRow
		d.text("name", "start", patientEdge, y, line)
	}
	return y + 6
}

func (s *scene) covariates(v *ehr.Visit) []string {
	var out []string
	for _, c := range v.Covariates {
		def := &s.schema.Covariates[c.Var]
		out = append(out, caption(def)+" "+reading(def, c.X))
	}
	return out
}

func (s *scene) labels(v *ehr.Visit) []string {
	var out []string
	for _, l := range v.Labels {
		def := s.schema.Labels[l.Label]
		switch name := spoken(def.Name); {
		case l.Label == s.schema.Mortality && l.On:
			out = append(out, "died during this visit")
		case l.Label == s.schema.Mortality:
			out = append(out, "survived this visit")
		case l.On:
			out = append(out, name)
		case !def.PositiveOnly:
			out = append(out, "not "+name)
		}
	}
	return out
}

// codes lists the codes of a visit in the order of the source, in two columns.
func (s *scene) codes(d *drawing, y float64, v *ehr.Visit) float64 {
	y += textRow
	d.text("sub", "start", patientEdge, y, "Codes ("+count(int64(len(v.Codes)))+")")
	if len(v.Codes) == 0 {
		d.text("tick", "start", patientEdge, y+textRow, "nothing recorded")
		return y + textRow + 6
	}
	shown := len(v.Codes)
	if shown > 2*maxCodeRows {
		shown = 2*maxCodeRows - 1
	}
	rows := (min(len(v.Codes), 2*maxCodeRows) + 1) / 2
	column := patientInner / 2
	for i, c := range v.Codes[:shown] {
		x := patientEdge + column*float64(i/rows)
		at := y + textRow*float64(i%rows+1)
		system := clip(s.schema.Systems[c.System].Name, 9*glyph)
		d.text("name", "start", x, at, clip(c.Code, column-width(system)-10))
		d.text("tick", "end", x+column-10, at, system)
	}
	if rest := len(v.Codes) - shown; rest > 0 {
		d.text("tick", "start", patientEdge+column, y+textRow*float64(rows), fmt.Sprintf("and %d more", rest))
	}
	return y + textRow*float64(rows) + 6
}

// curves draws the small multiples, one below the other, over a common axis of time since the start of the visit.
func (s *scene) curves(d *drawing, e *Examples, v *ehr.Visit, y float64) float64 {
	y += textRow
	d.text("sub", "start", patientEdge, y, "Measured during the visit")
	if len(s.variables) == 0 {
		d.text("tick", "start", patientEdge, y+textRow, "nothing recorded")
		return y + textRow
	}
	const left, tall, row = 142.0, 34.0, 46.0
	unit, per := "hours", 60.0
	if s.minutes > 96*60 {
		unit, per = "days", 24*60.0
	}
	x := axis{0, s.minutes / per, false, left, patientEdge + patientInner - 4}
	first := y + 8
	bottom := first + row*float64(len(s.variables)) - (row - tall) + 6
	for _, t := range x.ticks(5) {
		d.line("grid", t.at, first, t.at, bottom)
		d.below(t, bottom+13)
	}
	for k, variable := range s.variables {
		top := first + row*float64(k)
		s.curve(d, e, v, variable, x, per, axis{from: top + tall, to: top + 4})
	}
	d.line("axis", x.from, bottom, x.to, bottom)
	d.text("label", "end", x.to, bottom+28, unit+" since the start of the visit")
	return bottom + 30
}

// curve draws one variable; the caption holds the unit and the range of the axis, which all patients of the picture share.
func (s *scene) curve(d *drawing, e *Examples, v *ehr.Visit, variable int32, x axis, per float64, y axis) {
	def := &s.schema.Variables[variable]
	var all []float64
	for i := range e.Patients {
		if visit := s.visit(e, i); visit != nil {
			_, values := measurements(visit, variable)
			all = append(all, values...)
		}
	}
	low, high, _ := span(false, all)
	y.low, y.high = low, high
	if low == high {
		y.low, y.high = low-1, high+1
	}
	const text = 128.0
	d.text("name", "start", patientEdge, y.to+9, clip(caption(def), text))
	d.text("tick", "start", patientEdge, y.to+23, clip(fixed(low, def.Decimals)+" to "+reading(def, high), text))
	d.line("grid", x.from, y.from, x.to, y.from)
	at, values := measurements(v, variable)
	for i := range at {
		at[i] /= per
	}
	if len(at) == 0 {
		d.text("tick", "start", x.from+6, (y.from+y.to)/2+4, "not measured")
		return
	}
	d.path("l thin s0", curve(x, y, at, values))
	if len(at) > 60 {
		return // markers would hide the curve
	}
	var dots strings.Builder
	for i := range at {
		dots.WriteString(marker(0, x.at(at[i]), y.at(values[i]), 1.6))
	}
	d.path("m s0", dots.String())
}

// caption is the name of a variable for people.
func caption(v *ehr.Variable) string { return orElse(v.Title, spoken(v.Name)) }

func spoken(name string) string { return strings.ReplaceAll(name, "_", " ") }

// reading is a value with its unit.
func reading(v *ehr.Variable, x float64) string {
	if v.Kind == ehr.Category {
		return v.Categories[int(x)]
	}
	return strings.TrimSpace(fixed(x, v.Decimals) + " " + v.Unit)
}

// pictures are the patients as one SVG each, for the page.
func (e *Examples) pictures() ([]template.HTML, error) {
	s, err := newScene(e)
	if err != nil {
		return nil, err
	}
	var out []template.HTML
	for i := range e.Patients {
		d := &drawing{}
		height := s.patient(d, e, i)
		out = append(out, d.svg(fmt.Sprintf("patient-%d", i+1), pictureWidth, height, e.Patients[i].Title, s.describe(e, i)))
	}
	return out, nil
}

func (s *scene) describe(e *Examples, i int) string {
	v := s.visit(e, i)
	if v == nil {
		return "A patient without visits."
	}
	var names []string
	for _, variable := range s.variables {
		names = append(names, caption(&s.schema.Variables[variable]))
	}
	return fmt.Sprintf("Visit %d of %d with %d codes and %d times of measurement. Curves: %s.",
		s.shown[i]+1, len(e.Patients[i].Patient.Visits), len(v.Codes), len(v.Rows), orElse(strings.Join(names, ", "), "none"))
}

// RenderPatients writes the patients side by side as an SVG file of its own, readable in light and in dark mode. The error is
// that of w, or says which patient breaks the promises of its schema.
func RenderPatients(w io.Writer, e Examples) error {
	s, err := newScene(&e)
	if err != nil {
		return err
	}
	const between = 12.0
	var body bytes.Buffer
	tallest, titles := 0.0, []string{}
	for i := range e.Patients {
		d := &drawing{}
		tallest = max(tallest, s.patient(d, &e, i))
		titles = append(titles, e.Patients[i].Title)
		fmt.Fprintf(&body, "<g transform=\"translate(%s 0)\">%s</g>\n", coordinate(float64(i)*(pictureWidth+between)), d.b.String())
	}
	whole := float64(len(e.Patients))*(pictureWidth+between) - between
	_, err = fmt.Fprintf(w, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %[1]s %[2]s\" width=\"%[1]s\" height=\"%[2]s\" role=\"img\" aria-labelledby=\"t d\">\n"+
		"<title id=\"t\">%[3]s</title>\n<desc id=\"d\">%[4]s</desc>\n<style>%[5]s</style>\n<rect class=\"sheet\" width=\"%[1]s\" height=\"%[2]s\" rx=\"6\"/>\n%[6]s</svg>\n",
		coordinate(whole), coordinate(tallest), escape(strings.Join(titles, " beside ")), escape(s.describe(&e, 0)), chartCSS, body.String())
	return err
}

// WritePatients writes what RenderPatients renders to path, whole or not at all.
func WritePatients(path string, e Examples) error {
	return checkpoint.WriteStream(path, func(w io.Writer) error { return RenderPatients(w, e) })
}
