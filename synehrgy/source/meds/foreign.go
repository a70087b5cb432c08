package meds

// How a MEDS data set that is not ours becomes a cohort.
//
// Visits. Where the data have admissions (the first of the families below that occurs), a visit begins at an admission and
// ends at the first discharge of the family before the next admission; what lies outside of every visit is dropped. Where they
// have none, a subject is one visit, from the first dated event on, whose stay is unknown.
//
// A code that carries a number in at least half of its rows is a variable: its unit is that of codes.parquet, its decimals and
// its range are those of the data. A code that carries one of at most 64 short texts in at least half of its rows is a variable
// of categories. Of several values at one minute the last wins. Any other code is a code: what stands before the first // (or,
// where there is none, the first /) is its system, and tells its kind where it speaks of diagnoses, procedures or drugs.
//
// A row without a time is a covariate of every visit of its subject: a number, or a category named by what stands behind the
// first //, or by its text. MEDS_BIRTH gives the age at each visit; MEDS_DEATH within a visit whose end is known (or that is
// all there is of a subject) the label of death.
//
// Whatever finds no place is counted, by reason, in the report: rows under "data", and under "values" the numbers and texts
// of rows that were kept.

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// families are the codes, up to the first //, that begin and end visits.
var families = [][2]string{
	{"HOSPITAL_ADMISSION", "HOSPITAL_DISCHARGE"},
	{"ADMISSION", "DISCHARGE"},
	{"VISIT_START", "VISIT_END"},
	{"ENCOUNTER_START", "ENCOUNTER_END"},
	{"VISIT", "VISIT_END"},
	{"ENCOUNTER", "ENCOUNTER_END"},
}

// The reasons of the report.
const (
	outside       = "outside of every visit"
	twiceInVisit  = "code of an earlier row of the visit"
	laterInMinute = "value that a later one of the same minute replaces"
	noNumber      = "no number where the code has numbers"
	noText        = "no text where the code has texts"
	strayStart    = "admission of the same minute"
	strayEnd      = "discharge without an admission"
	noAge         = "birth that gives no age from 0 to 130 years"
	noDeath       = "death outside of every visit whose end is known"
	replaced      = "static event, birth or death that a later one replaces"
	manyValues    = "static event with more than 64 different values"

	textOfNumber = "text beside a number"
	numberOfText = "number beside a text"
	textOfCode   = "text of a code"
	rareNumber   = "number of a code that seldom has one"
)

// foreign reads a data set that is not ours.
func (s *set) foreign(ctx context.Context, opt table.Options) (*ehr.Cohort, *table.Report, error) {
	p, err := s.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	splits, err := s.splits(ctx)
	if err != nil {
		return nil, nil, err
	}
	f := &foreigner{set: s, plan: p, splits: splits, cohort: &ehr.Cohort{Schema: p.schema}, seen: map[int64]bool{},
		report: &table.Report{Source: "meds"}}
	for _, file := range s.files {
		if err := f.file(ctx, file); err != nil {
			return nil, nil, err
		}
	}
	slices.SortFunc(f.cohort.Patients, func(a, b ehr.Patient) int {
		x, _ := strconv.ParseInt(a.ID, 10, 64)
		y, _ := strconv.ParseInt(b.ID, 10, 64)
		return cmp.Compare(x, y)
	})
	if len(f.cohort.Patients) == 0 {
		return nil, nil, &fault.Input{File: filepath.Join(s.dir, dataFolder), Found: "no subject with a visit", Expected: "events with times"}
	}
	f.report.Keep("data", "rows", f.rows, f.rows-f.report.Lost("data", ""))
	f.report.Keep("subjects", "subjects", int64(len(f.seen)), int64(len(f.cohort.Patients)))
	return f.cohort, f.report, table.Finish(f.cohort, f.report, opt.Log())
}

// foreigner is the state of reading a data set that is not ours.
type foreigner struct {
	*set
	*plan
	splits map[int64]string // nil when the data set has none
	cohort *ehr.Cohort
	report *table.Report
	seen   map[int64]bool
	rows   int64

	subject int64
	events  []foreignEvent // of the subject
}

// foreignEvent is one row of a subject, in the order of time and file.
type foreignEvent struct {
	at        int64 // microseconds since 1970
	static    bool
	code      string
	number    float64
	hasNumber bool
	text      string
	lost      bool // counted among the dropped
}

// ofPerson tells events that give an age or a death.
func (e *foreignEvent) ofPerson() bool { return e.code == birthCode || e.code == deathCode }

// file reads the subjects of one file.
func (f *foreigner) file(ctx context.Context, file dataFile) error {
	query := `SELECT subject_id::BIGINT, epoch_us("time"::TIMESTAMP), code::VARCHAR, ` + file.number() + ", " + file.text() +
		", file_row_number FROM " + parquetRows(file.path) + ` ORDER BY subject_id, "time" NULLS FIRST, file_row_number`
	err := f.each(ctx, file.path, query, func(r table.Row) error {
		f.rows++
		if r.Null(0) || r.Null(2) {
			return &fault.Input{File: file.path, Row: r.Int(5) + 1, Found: "a row without subject or code", Expected: "both in every row"}
		}
		if len(f.events) == 0 || r.Int(0) != f.subject {
			f.finish()
			if err := f.begin(r.Int(0), file.path, r.Int(5)+1); err != nil {
				return err
			}
		}
		f.events = append(f.events, foreignEvent{at: r.Int(1), static: r.Null(1), code: r.Text(2), number: r.Real(3), hasNumber: !r.Null(3), text: r.Text(4)})
		return nil
	})
	if err == nil {
		f.finish()
	}
	return err
}

// begin goes on to a subject that was met at a row of a file.
func (f *foreigner) begin(subject int64, path string, row int64) error {
	if f.seen[subject] {
		return &fault.Input{File: path, Row: row, Found: "a subject of another file", Expected: "every subject in one file"}
	}
	if _, there := f.splits[subject]; f.splits != nil && !there {
		return &fault.Input{File: path, Row: row, Found: "a subject without a split", Expected: "every subject in " + filepath.ToSlash(splitsFile)}
	}
	f.subject, f.seen[subject] = subject, true
	return nil
}

// number is the SQL of numeric_value, which may be absent; a number that is not finite is none.
func (d *dataFile) number() string {
	if _, there := d.columns["numeric_value"]; !there {
		return "NULL::DOUBLE"
	}
	return "CASE WHEN isfinite(numeric_value::DOUBLE) THEN numeric_value::DOUBLE END"
}

// text is the SQL of text_value, which may be absent.
func (d *dataFile) text() string {
	if _, there := d.columns["text_value"]; !there {
		return "NULL::VARCHAR"
	}
	return "text_value::VARCHAR"
}

func (f *foreigner) drop(reason string, n int) { f.report.Drop("data", reason, int64(n)) }

// finish makes a patient of the events of a subject.
func (f *foreigner) finish() {
	if len(f.events) == 0 {
		return
	}
	defer func() { f.events = f.events[:0] }()
	spans := f.spans()
	if len(spans) == 0 {
		for i := range f.events {
			if !f.events[i].lost {
				f.drop(outside, 1)
			}
		}
		f.report.Drop("subjects", "no visit", 1)
		return
	}
	p := ehr.Patient{ID: strconv.FormatInt(f.subject, 10), Split: f.split()}
	for i := range spans {
		p.Visits = append(p.Visits, spans[i].visit(spans[:i]))
	}
	f.statics(p.Visits)
	f.persons(p.Visits, spans)
	f.dated(p.Visits, spans)
	f.cohort.Patients = append(f.cohort.Patients, p)
}

// split is that of the subject. MEDS allows splits of any name; those that we do not know are none.
func (f *foreigner) split() ehr.Split {
	if f.splits == nil {
		return ehr.NoSplit
	}
	split, known := ehr.ParseSplit(f.splits[f.subject])
	if !known {
		f.report.Keep("subject_splits", "subjects", 1, 0)
		f.report.Drop("subject_splits", "split of another name", 1)
		return ehr.NoSplit
	}
	f.report.Keep("subject_splits", "subjects", 1, 1)
	return split
}

// span is when a visit was, in microseconds since 1970.
type span struct {
	start, end int64
	ended      bool
}

func (s span) holds(at int64) bool { return at >= s.start && (!s.ended || at <= s.end) }

// visit is the empty visit of a span that follows others.
func (s span) visit(before []span) ehr.Visit {
	v := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown}
	if s.ended {
		v.Stay = (s.end - s.start) / minute
	}
	if n := len(before); n > 0 && before[n-1].ended {
		v.SinceDischarge = (s.start - before[n-1].end) / minute
	}
	return v
}

// spans finds the visits of the subject, ascending, and counts the admissions and discharges that make none.
func (f *foreigner) spans() []span {
	var spans []span
	for i := range f.events {
		e := &f.events[i]
		n := len(spans)
		switch {
		case e.static:
		case f.family == nil:
			if !e.ofPerson() {
				return []span{{start: e.at}}
			}
		case f.begins(e.code) && n > 0 && spans[n-1].start/minute == e.at/minute:
			f.drop(strayStart, 1)
			e.lost = true
		case f.begins(e.code):
			spans = append(spans, span{start: e.at})
		case f.ends(e.code) && (n == 0 || spans[n-1].ended):
			f.drop(strayEnd, 1)
			e.lost = true
		case f.ends(e.code):
			spans[n-1].end, spans[n-1].ended = e.at, true
		}
	}
	return spans
}

// visitAt is the last visit that began by a time, if it holds it, or -1.
func visitAt(spans []span, at int64) int {
	n, _ := slices.BinarySearchFunc(spans, at, func(s span, at int64) int {
		if s.start <= at {
			return -1
		}
		return 1
	})
	if n--; n < 0 || !spans[n].holds(at) {
		return -1
	}
	return n
}

// cut splits a code into its system and the rest; a code without a separator is a system and no rest.
func cut(code string) (system, rest string) {
	if system, rest, found := strings.Cut(code, "//"); found {
		return system, rest
	}
	system, rest, _ = strings.Cut(code, "/")
	return system, rest
}
