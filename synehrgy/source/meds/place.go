package meds

// Where the events of a subject of a foreign data set go, once its visits are known.

import (
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// statics gives every visit the covariates of the rows without a time.
func (f *foreigner) statics(visits []ehr.Visit) {
	values := map[int32]float64{}
	for i := range f.events {
		e := &f.events[i]
		if !e.static {
			continue
		}
		x, v, reason := f.static(e)
		if reason != "" {
			f.drop(reason, 1)
			continue
		}
		if _, twice := values[v]; twice {
			f.drop(replaced, 1)
		}
		values[v] = x
	}
	for v := range int32(len(f.schema.Covariates)) {
		if x, there := values[v]; there {
			for i := range visits {
				visits[i].Covariates = append(visits[i].Covariates, ehr.Value{Var: v, X: x})
			}
		}
	}
}

// static decodes a row without a time, or says why it cannot be kept.
func (f *foreigner) static(e *foreignEvent) (x float64, v int32, reason string) {
	v, known := f.covariates[e.code]
	if !known {
		head, _ := cut(e.code)
		if v, known = f.covariates[head]; !known {
			return 0, 0, manyValues
		}
	}
	d := &f.schema.Covariates[v]
	if d.Kind == ehr.Category {
		return float64(slices.Index(d.Categories, staticCategory(e.code, e.text))), v, ""
	}
	if !e.hasNumber {
		return 0, 0, noNumber
	}
	return d.Round(e.number), v, ""
}

// staticCategory names the category that a row without a time stands for.
func staticCategory(code, text string) string {
	_, rest := cut(code)
	switch {
	case rest != "":
		return rest
	case text != "":
		return text
	}
	return "present"
}

// persons gives every visit the age and, where its end is known, the label of death. Of several births or deaths the last counts.
func (f *foreigner) persons(visits []ehr.Visit, spans []span) {
	var birth, death *foreignEvent
	for i := range f.events {
		e := &f.events[i]
		of := &birth
		switch {
		case e.static || !e.ofPerson():
			continue
		case e.code == deathCode:
			of = &death
		}
		if *of != nil {
			f.drop(replaced, 1)
		}
		*of = e
	}
	aged, placed := birth == nil, death == nil
	for i := range visits {
		if birth != nil && spans[i].start >= birth.at {
			if years := (spans[i].start - birth.at) / year; years <= oldest {
				visits[i].Covariates = slices.Insert(visits[i].Covariates, 0, ehr.Value{Var: 0, X: float64(years)})
				aged = true
			}
		}
		if f.schema.Mortality >= 0 && (spans[i].ended || f.family == nil) { // of an open visit nobody knows whether a later death was in it
			on := death != nil && visitAt(spans, death.at) == i
			visits[i].Labels = []ehr.Label{{Label: f.schema.Mortality, On: on}}
			placed = placed || on
		}
	}
	if !aged {
		f.drop(noAge, 1)
	}
	if !placed {
		f.drop(noDeath, 1)
	}
}

// dated gives the visits their codes and rows.
func (f *foreigner) dated(visits []ehr.Visit, spans []span) {
	measured := make([][]table.Measurement, len(visits))
	seen := make([]map[ehr.Code]bool, len(visits))
	for i := range seen {
		seen[i] = map[ehr.Code]bool{}
	}
	for i := range f.events {
		e := &f.events[i]
		if e.static || e.lost || e.ofPerson() {
			continue
		}
		head, rest := cut(e.code)
		boundary := f.begins(e.code) || f.ends(e.code)
		n := visitAt(spans, e.at)
		v, variable := f.variables[e.code]
		switch {
		case boundary && rest == "": // spans has taken it in
		case n < 0:
			f.drop(outside, 1)
		case variable:
			x, reason := f.measured(e, v)
			if reason != "" {
				f.drop(reason, 1)
				continue
			}
			measured[n] = append(measured[n], table.Measurement{At: (e.at - spans[n].start) / minute, Var: v, X: x})
		default:
			c := ehr.Code{System: f.systems[head], Code: rest}
			if rest == "" {
				c.Code = e.code
			}
			if seen[n][c] {
				f.drop(twiceInVisit, 1)
				continue
			}
			seen[n][c] = true
			visits[n].Codes = append(visits[n].Codes, c)
			f.values(e, textOfCode, rareNumber)
		}
	}
	for i := range visits {
		var repeated int64
		visits[i].Rows, repeated = table.Rows(measured[i])
		f.report.Drop("data", laterInMinute, repeated)
	}
}

// measured decodes a value of a variable, or says why it has none.
func (f *foreigner) measured(e *foreignEvent, v int32) (x float64, reason string) {
	d := &f.schema.Variables[v]
	switch {
	case d.Kind == ehr.Category && e.text == "":
		return 0, noText
	case d.Kind == ehr.Category:
		f.values(e, "", numberOfText)
		return float64(slices.Index(d.Categories, e.text)), ""
	case !e.hasNumber:
		return 0, noNumber
	}
	f.values(e, textOfNumber, "")
	return d.Round(e.number), ""
}

// values counts the text and the number of a row that was kept; a reason says that the one or the other was not.
func (f *foreigner) values(e *foreignEvent, text, number string) {
	count := func(there bool, reason string) {
		switch {
		case !there:
		case reason == "":
			f.report.Keep("values", "values", 1, 1)
		default:
			f.report.Keep("values", "values", 1, 0)
			f.report.Drop("values", reason, 1)
		}
	}
	count(e.text != "", text)
	count(e.hasNumber, number)
}
