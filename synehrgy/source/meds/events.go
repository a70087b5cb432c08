package meds

import (
	"database/sql/driver"
	"errors"
	"math"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// event is one row of the data. visit 0 is none: the event is there for other tools.
type event struct {
	subject int64
	at      int64 // microseconds since 1970
	code    string
	number  float64 // NaN: none
	exact   float64 // NaN: none
	text    string  // empty: none
	visit   int32
	ordinal int32
}

func (e *event) values() []driver.Value {
	out := []driver.Value{e.subject, time.UnixMicro(e.at).UTC(), e.code, nil, orNil(e.text), nil, nil, nil}
	if !math.IsNaN(e.number) {
		out[3] = float32(e.number)
	}
	if e.visit > 0 {
		out[5], out[6] = e.visit, e.ordinal
	}
	if !math.IsNaN(e.exact) {
		out[7] = e.exact
	}
	return out
}

var errCalendar = errors.New("a time that is no time of a life")

// events lays the visits of a patient on the calendar.
func (w *writer) events(p *ehr.Patient, subject int64) ([]event, error) {
	l := &line{words: &w.words, schema: &w.cohort.Schema, events: make([]event, 0, p.Events()+2*len(p.Visits)+2), subject: subject}
	died := false
	end := int64(0) // of the previous visit, in minutes of the calendar
	for i := range p.Visits {
		v := &p.Visits[i]
		start := end
		switch {
		case i == 0:
		case v.SinceDischarge == ehr.Unknown:
			start += someGap
		default:
			start += l.span(v.SinceDischarge)
		}
		if i == 0 {
			l.birth(v, start)
		}
		end = l.visit(v, int32(i+1), start)
		if on, _ := v.Label(w.cohort.Schema.Mortality); on && !died {
			died = true
			l.visitNumber = 0
			l.put(end, deathCode, math.NaN(), math.NaN(), "")
		}
		if l.beyond {
			return nil, errCalendar
		}
	}
	return l.events, nil
}

// line collects the events of one patient.
type line struct {
	words       *words
	schema      *ehr.Schema
	events      []event
	subject     int64
	visitNumber int32
	ordinal     int32
	beyond      bool // some time was out of the calendar
}

func (l *line) put(at int64, code string, number, exact float64, text string) {
	l.events = append(l.events, event{l.subject, calendar + l.span(at)*minute, code, number, exact, text, l.visitNumber, l.ordinal})
	l.ordinal++
}

// visit writes one visit that begins at a minute of the calendar, and returns the minute of its end.
func (l *line) visit(v *ehr.Visit, number int32, start int64) int64 {
	none := math.NaN()
	l.visitNumber, l.ordinal = number, 0
	since := none
	if v.SinceDischarge != ehr.Unknown {
		since = float64(v.SinceDischarge)
	}
	end := start
	if v.Stay != ehr.Unknown {
		end += l.span(v.Stay)
	} else if n := len(v.Rows); n > 0 {
		end += l.span(v.Rows[n-1].At)
	}
	l.put(start, admissionCode, none, since, v.ID)
	for _, c := range v.Covariates {
		l.value(start, l.words.covariates[c.Var], &l.schema.Covariates[c.Var], c.X)
	}
	for _, x := range v.Labels {
		on := 0.0
		if x.On {
			on = 1
		}
		l.put(end, l.words.labels[x.Label], on, none, "")
	}
	for _, c := range v.Codes {
		l.put(end, l.words.systems[c.System]+c.Code, none, none, "")
	}
	for i := range v.Rows {
		for _, x := range v.Rows[i].Values {
			l.value(start+l.span(v.Rows[i].At), l.words.measurements[x.Var], &l.schema.Variables[x.Var], x.X)
		}
	}
	if v.Stay != ehr.Unknown {
		l.put(end, dischargeCode, none, none, "")
	}
	return end
}

// value writes a number, exactly too where its float forgets it, or the name of a category.
func (l *line) value(at int64, code string, v *ehr.Variable, x float64) {
	if v.Kind == ehr.Category {
		l.put(at, code, math.NaN(), math.NaN(), v.Categories[int(x)])
		return
	}
	exact := math.NaN()
	if math.Float64bits(v.Round(float64(float32(x)))) != math.Float64bits(x) {
		exact = x
	}
	l.put(at, code, x, exact, "")
}

// birth writes when a patient was born who tells an age in years at the first visit.
func (l *line) birth(v *ehr.Visit, start int64) {
	i := l.schema.CovariateIndex("age")
	if i < 0 || l.schema.Covariates[i].Kind != ehr.Number {
		return
	}
	switch l.schema.Covariates[i].Unit {
	case "a", "year", "years", "":
		if age, known := v.Covariate(i); known {
			l.put(start-int64(age*365.25*24*60), birthCode, math.NaN(), math.NaN(), "")
		}
	}
}

// span holds a number of minutes within the calendar, and remembers when that changed it.
func (l *line) span(minutes int64) int64 {
	held := min(max(minutes, -mostMinute), mostMinute)
	l.beyond = l.beyond || held != minutes
	return held
}
