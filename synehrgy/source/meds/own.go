package meds

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// own reads a cohort of ours. A row that is missing, doubled or changed so that it cannot be what was written stops it.
func (s *set) own(ctx context.Context, schema ehr.Schema, opt table.Options) (*ehr.Cohort, *table.Report, error) {
	c := &ehr.Cohort{Schema: schema}
	positions, events, err := s.ownPatients(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	r := &ownReader{set: s, cohort: c, positions: positions, meaning: meanings(&schema), codes: map[string]string{}}
	report := &table.Report{Source: "meds"}
	for _, f := range s.files {
		if err := r.file(ctx, f.path); err != nil {
			return nil, nil, err
		}
	}
	for i := range c.Patients {
		if n := int64(c.Patients[i].Events()); n != events[i] {
			return nil, nil, &fault.Input{File: filepath.Join(s.dir, dataFolder), Found: fmt.Sprintf("%d events of patient %d", n, i+1),
				Expected: fmt.Sprintf("the %d that were written", events[i])}
		}
		if err := schema.Check(&c.Patients[i]); err != nil {
			return nil, nil, &fault.Input{File: filepath.Join(s.dir, dataFolder), Found: fmt.Sprintf("patient %d with %v", i+1, err),
				Expected: "a patient that fits metadata/synehrgy.json", Err: err}
		}
	}
	report.Keep("data", "rows", r.rows, r.rows)
	return c, report, table.Finish(c, report, opt.Log())
}

// ownPatients makes the patients of the cohort, without visits, and tells where a subject stands and how many events each
// patient had.
func (s *set) ownPatients(ctx context.Context, c *ehr.Cohort) (positions map[int64]int, events []int64, err error) {
	splits, err := s.splits(ctx)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(s.dir, patientsFile)
	_, err = s.describe(ctx, path, []column{columns[0], {"position", integers, "integers", false}, {"patient_id", []string{"VARCHAR"}, "text", false},
		{"events", integers, "integers", false}})
	if err != nil {
		return nil, nil, err
	}
	positions = map[int64]int{}
	query := "SELECT position::BIGINT, subject_id::BIGINT, patient_id::VARCHAR, events::BIGINT, file_row_number FROM " + parquetRows(path) + " ORDER BY 1"
	err = s.each(ctx, path, query, func(r table.Row) error {
		_, twice := positions[r.Int(1)]
		if r.Null(0) || r.Null(1) || r.Null(2) || twice || r.Int(0) != int64(len(c.Patients)) {
			return &fault.Input{File: path, Row: r.Int(4) + 1, Found: "a position or a subject that is missing or not for the first time", Expected: "positions 0, 1, 2, … and every subject once"}
		}
		name, there := splits[r.Int(1)]
		split, known := ehr.ParseSplit(name)
		if !there || !known && name != noSplit {
			return &fault.Input{File: path, Row: r.Int(4) + 1, Found: "a subject whose split " + filepath.ToSlash(splitsFile) + " does not tell",
				Expected: "train, tuning, held_out or none"}
		}
		if !known {
			split = ehr.NoSplit
		}
		positions[r.Int(1)] = len(c.Patients)
		events = append(events, r.Int(3))
		c.Patients = append(c.Patients, ehr.Patient{ID: r.Text(2), Split: split})
		return nil
	})
	return positions, events, err
}

// section is the part of a visit that a code belongs to, in the order in which they are written.
type section uint8

const (
	admission section = iota
	covariate
	label
	coded
	measurement
	discharge
)

// meaning is what a code stands for.
type meaning struct {
	section section
	index   int32
}

// meanings maps the codes of a schema; those of code systems by their prefix.
func meanings(s *ehr.Schema) map[string]meaning {
	w := wordsOf(s)
	m := map[string]meaning{admissionCode: {admission, 0}, dischargeCode: {discharge, 0}}
	for sec, codes := range map[section][]string{covariate: w.covariates, label: w.labels, coded: w.systems, measurement: w.measurements} {
		for i, code := range codes {
			m[code] = meaning{sec, int32(i)}
		}
	}
	return m
}

// ownReader is the state of reading a cohort of ours.
type ownReader struct {
	*set
	cohort    *ehr.Cohort
	positions map[int64]int
	meaning   map[string]meaning
	codes     map[string]string // one copy of the text of every code
	rows      int64

	patient *ehr.Patient
	visit   *ehr.Visit
	subject int64
	ordinal int64
	section section
	start   int64 // of the visit, microseconds
}

// The columns of the query of file, by position.
const (
	colSubject = iota
	colVisit
	colOrdinal
	colTime
	colCode
	colNumber
	colText
	colExact
	colRow
)

func (r *ownReader) file(ctx context.Context, path string) error {
	r.patient, r.visit = nil, nil
	query := `SELECT subject_id::BIGINT, visit::BIGINT, ordinal::BIGINT, epoch_us("time"::TIMESTAMP), code::VARCHAR, numeric_value::DOUBLE,
		text_value::VARCHAR, exact_value, file_row_number FROM ` + parquetRows(path) + " ORDER BY subject_id, visit NULLS FIRST, ordinal"
	return r.each(ctx, path, query, func(row table.Row) error {
		r.rows++
		if row.Null(colVisit) {
			if code := row.Text(colCode); code == birthCode || code == deathCode {
				return nil // derived from the record, for other tools
			}
		}
		if what := r.event(row); what != "" {
			return &fault.Input{File: path, Row: row.Int(colRow) + 1, Found: what, Expected: "the events of the cohort as they were written"}
		}
		return nil
	})
}

// event takes one row in, or says what is wrong with it.
func (r *ownReader) event(row table.Row) string {
	if row.Null(colSubject) || row.Null(colVisit) || row.Null(colOrdinal) || row.Null(colTime) || row.Null(colCode) {
		return "an event without subject, visit, ordinal, time or code"
	}
	if what := r.move(row); what != "" {
		return what
	}
	code := row.Text(colCode)
	m, known := r.meaning[code]
	rest := ""
	if !known || m.section == coded {
		prefix, tail := systemPrefix(code)
		if m, known = r.meaning[prefix]; !known || m.section != coded {
			return "a code that metadata/synehrgy.json does not know"
		}
		rest = tail
	}
	if m.section < r.section || m.section == discharge && r.section == discharge || (m.section == admission) != (r.ordinal == 0) {
		return "an event out of the order of its visit"
	}
	r.section = m.section
	return r.put(row, m, rest)
}

// systemPrefix cuts KIND//system//code behind the system.
func systemPrefix(code string) (prefix, rest string) {
	first := strings.Index(code, "//")
	if first < 0 {
		return "", ""
	}
	second := strings.Index(code[first+2:], "//")
	if second < 0 {
		return "", ""
	}
	at := first + 2 + second + 2
	return code[:at], code[at:]
}

// move goes on to the patient, visit and ordinal of a row.
func (r *ownReader) move(row table.Row) string {
	if r.patient == nil || row.Int(colSubject) != r.subject {
		position, known := r.positions[row.Int(colSubject)]
		if !known {
			return "a subject that metadata/synehrgy_patients.parquet does not know"
		}
		r.subject, r.patient, r.visit = row.Int(colSubject), &r.cohort.Patients[position], nil
		if len(r.patient.Visits) > 0 {
			return "a subject of another file"
		}
	}
	n := int64(len(r.patient.Visits))
	if r.visit == nil || row.Int(colVisit) != n {
		if row.Int(colVisit) != n+1 {
			return "a visit that does not follow the one before"
		}
		r.patient.Visits = append(r.patient.Visits, ehr.Visit{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown})
		r.visit, r.ordinal, r.section = &r.patient.Visits[n], -1, admission
		r.start = row.Int(colTime)
	}
	if r.ordinal++; row.Int(colOrdinal) != r.ordinal {
		return "an ordinal that does not follow the one before"
	}
	return ""
}

// put stores one event in the visit.
func (r *ownReader) put(row table.Row, m meaning, rest string) string {
	v := r.visit
	after := row.Int(colTime) - r.start
	if after%minute != 0 {
		return "a time between two minutes of its visit"
	}
	switch m.section {
	case admission:
		v.ID = row.Text(colText)
		if !row.Null(colExact) {
			v.SinceDischarge = int64(row.Real(colExact))
		}
	case covariate:
		x, what := decode(row, &r.cohort.Schema.Covariates[m.index])
		v.Covariates = append(v.Covariates, ehr.Value{Var: m.index, X: x})
		return what
	case label:
		if x := row.Real(colNumber); row.Null(colNumber) || x != 0 && x != 1 {
			return "a label that is neither 0 nor 1"
		}
		v.Labels = append(v.Labels, ehr.Label{Label: m.index, On: row.Real(colNumber) == 1})
	case coded:
		text, known := r.codes[rest]
		if !known {
			text = strings.Clone(rest)
			r.codes[text] = text
		}
		v.Codes = append(v.Codes, ehr.Code{System: m.index, Code: text})
	case measurement:
		x, what := decode(row, &r.cohort.Schema.Variables[m.index])
		if n := len(v.Rows); n == 0 || v.Rows[n-1].At != after/minute {
			v.Rows = append(v.Rows, ehr.Row{At: after / minute})
		}
		last := &v.Rows[len(v.Rows)-1]
		last.Values = append(last.Values, ehr.Value{Var: m.index, X: x})
		return what
	case discharge:
		v.Stay = after / minute
	}
	return ""
}

// decode is the inverse of line.value.
func decode(row table.Row, v *ehr.Variable) (float64, string) {
	if v.Kind == ehr.Category {
		for i, name := range v.Categories {
			if name == row.Text(colText) {
				return float64(i), ""
			}
		}
		return 0, "a category that metadata/synehrgy.json does not know"
	}
	switch {
	case !row.Null(colExact):
		return row.Real(colExact), ""
	case row.Null(colNumber):
		return 0, "nothing where a number belongs"
	}
	return v.Round(row.Real(colNumber)), ""
}
