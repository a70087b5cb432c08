// Package mimic3 reads MIMIC-III 1.4, the full release or the demo, as the folder of CSV files that PhysioNet publishes.
//
// Tables: PATIENTS, ADMISSIONS, DIAGNOSES_ICD, PROCEDURES_ICD, CHARTEVENTS, LABEVENTS; plain or gzip, names of files and
// columns in any case. A patient is a subject_id, a visit a hadm_id. A visit begins at the admission, or at the registration in
// the emergency department where that is earlier, because the first blood is drawn there. It ends at the discharge; measurements
// up to 12 hours later are still of it (results of the last samples). The distance between visits is known, and 0 where an
// admission begins before the discharge from the one before. A discharge before the admission (organ donors) is an unknown stay.
//
// Covariates: age in whole years at admission, gender, ethnicity in six groups, insurance, admission type. Everyone above 89
// has the age 90: the release moves their birth dates by some 300 years. Label: in_hospital_death is hospital_expire_flag, not
// the date of death, which also tells deaths long after. The 25 phenotypes of the benchmark are not read: they are a function
// of the diagnoses and need the CCS tables.
//
// Codes are ICD-9 without a decimal point, as text, so that a leading zero stays; no code twice in a visit.
//
// Measurements are the items of items.csv. CareVue and MetaVision have different ids for one concept, and are merged where they
// mean the same; what only sounds the same stays apart: blood and urine glucose, blood and urine pH, INR and prothrombin time,
// cuff and arterial line, spontaneous and total respiratory rate. Fahrenheit and pounds are told by the item, not guessed from
// the number; FiO2 is in percent throughout. Rows marked as an error, and values that no living body has, are dropped. A
// laboratory row without hadm_id goes to the visit that was under way. Of several values of a variable at one minute the last
// wins, laboratory after chart, then by row_id.
package mimic3

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// tolerance is how many hours after discharge a measurement still belongs to the visit.
const tolerance = 12

var specs = []table.Spec{
	{Name: "PATIENTS", Unique: []string{"subject_id"}, Columns: []table.Column{
		{Name: "subject_id", Type: table.Integer, Demand: table.Present},
		{Name: "gender"},
		{Name: "dob", Type: table.Time, Demand: table.Present}}},
	{Name: "ADMISSIONS", Unique: []string{"hadm_id"}, Columns: []table.Column{
		{Name: "subject_id", Type: table.Integer, Demand: table.Present},
		{Name: "hadm_id", Type: table.Integer, Demand: table.Present},
		{Name: "admittime", Type: table.Time, Demand: table.Present},
		{Name: "dischtime", Type: table.Time, Demand: table.Present},
		{Name: "edregtime", Type: table.Time, Demand: table.Converts, Optional: true},
		{Name: "admission_type"}, {Name: "insurance"}, {Name: "ethnicity"},
		{Name: "hospital_expire_flag", Type: table.Integer, Demand: table.Present}}},
	{Name: "DIAGNOSES_ICD", Columns: codeColumns},
	{Name: "PROCEDURES_ICD", Columns: codeColumns},
	{Name: "CHARTEVENTS", Stream: true, Columns: append(slices.Clone(eventColumns), table.Column{Name: "error", Type: table.Integer})},
	{Name: "LABEVENTS", Stream: true, Columns: append(slices.Clone(eventColumns), table.Column{Name: "error", Type: table.Integer, Optional: true})},
}

var codeColumns = []table.Column{
	{Name: "hadm_id", Type: table.Integer, Demand: table.Present},
	{Name: "seq_num", Type: table.Integer},
	{Name: "icd9_code"},
}

var eventColumns = []table.Column{
	{Name: "row_id", Type: table.Integer}, {Name: "subject_id", Type: table.Integer}, {Name: "hadm_id", Type: table.Integer},
	{Name: "itemid", Type: table.Integer}, {Name: "charttime", Type: table.Time}, {Name: "value"}, {Name: "valuenum", Type: table.Real},
}

//go:embed visits.sql
var visitsSQL string

//go:embed codes.sql
var codesSQL string

//go:embed events.sql
var eventsSQL string

// Read reads the release in dir. Patients are in ascending order of subject_id, visits in that of time. What is wrong with the
// files is a *fault.Input.
func Read(ctx context.Context, dir string, opt table.Options) (*ehr.Cohort, *table.Report, error) {
	db, err := table.Open(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	for _, spec := range specs {
		if err := db.CSV(ctx, dir, spec); err != nil {
			return nil, nil, err
		}
	}
	schema := newSchema()
	r := &reader{db: db, schema: &schema, report: &table.Report{Source: schema.Source}}
	for _, step := range []func(context.Context, string) error{r.orphans, r.visits, r.codes, r.events} {
		if err := step(ctx, dir); err != nil {
			return nil, nil, err
		}
	}
	cohort := r.cohort()
	if err := table.Finish(cohort, r.report, opt.Log()); err != nil {
		return nil, nil, err
	}
	return cohort, r.report, nil
}

// reader holds one reading.
type reader struct {
	db       *table.DB
	schema   *ehr.Schema
	report   *table.Report
	patients []int64 // subject_id of every visit
	all      []ehr.Visit
}

// orphans refuses an admission of a patient that PATIENTS does not know.
func (r *reader) orphans(ctx context.Context, dir string) error {
	return r.db.Each(ctx, `SELECT file_row FROM ADMISSIONS ANTI JOIN PATIENTS USING (subject_id) ORDER BY file_row LIMIT 1`,
		func(row table.Row) error {
			path, err := table.Find(dir, "ADMISSIONS")
			if err != nil {
				return err
			}
			return &fault.Input{File: path, Row: row.Int(0), Found: "a subject_id that is not in PATIENTS", Expected: "a patient of that table"}
		})
}

// visits makes the visits, with their covariates and labels.
func (r *reader) visits(ctx context.Context, _ string) error {
	if err := r.db.Exec(ctx, fill(visitsSQL, "")); err != nil {
		return err
	}
	var before time.Time // discharge from the visit before
	err := r.db.Each(ctx, `SELECT subject_id, hadm_id, start_time, end_time, age, gender, ethnicity, insurance, admission_type,
		hospital_expire_flag FROM visit ORDER BY visit`, func(row table.Row) error {
		v := ehr.Visit{ID: strconv.FormatInt(row.Int(1), 10), SinceDischarge: ehr.Unknown, Stay: ehr.Unknown,
			Labels: []ehr.Label{{Label: 0, On: row.Int(9) == 1}}}
		start, end := row.Time(2), row.Time(3)
		if !end.Before(start) {
			v.Stay = int64(end.Sub(start) / time.Minute)
		}
		if n := len(r.patients); n > 0 && r.patients[n-1] == row.Int(0) {
			v.SinceDischarge = max(0, int64(start.Sub(before)/time.Minute))
		}
		before = end
		r.covariates(&v, row)
		r.patients = append(r.patients, row.Int(0))
		r.all = append(r.all, v)
		return nil
	})
	n := int64(len(r.all))
	r.report.Keep("ADMISSIONS", "rows", n, n)
	if err != nil {
		return err
	}
	persons, err := r.db.Count(ctx, "SELECT count(*) FROM PATIENTS")
	kept := int64(len(slices.Compact(slices.Clone(r.patients))))
	r.report.Keep("PATIENTS", "rows", persons, kept)
	r.report.Drop("PATIENTS", "no admission", persons-kept)
	return err
}

// covariates reads columns 4 (age) and 5 to 8 (gender, ethnicity, insurance, admission type) of a visit.
func (r *reader) covariates(v *ehr.Visit, row table.Row) {
	if age := row.Int(4); age >= 0 {
		v.Covariates = append(v.Covariates, ehr.Value{Var: ageCovariate, X: float64(min(age, oldest))})
	}
	for c := genderCovariate; c <= admissionCovariate; c++ {
		i := slices.Index(r.schema.Covariates[c].Categories, word(c, strings.ToUpper(row.Text(4+int(c)))))
		if i >= 0 {
			v.Covariates = append(v.Covariates, ehr.Value{Var: c, X: float64(i)})
		}
	}
	read := int64(1 + admissionCovariate)
	r.report.Keep("covariates", "values", read, int64(len(v.Covariates)))
	r.report.Drop("covariates", "not told, or not in a known category", read-int64(len(v.Covariates)))
}

// codes adds the diagnoses and procedures to the visits.
func (r *reader) codes(ctx context.Context, _ string) error {
	tables := [...]string{"DIAGNOSES_ICD", "PROCEDURES_ICD"}
	seen := map[ehr.Code]bool{}
	last := int64(-1)
	return r.db.Each(ctx, codesSQL, func(row table.Row) error {
		kind := row.Int(1)
		code := ehr.Code{System: int32(kind), Code: strings.ToUpper(row.Text(2))}
		if !row.Null(0) && row.Int(0) != last {
			last = row.Int(0)
			clear(seen)
		}
		reason := ""
		switch {
		case row.Null(0):
			reason = "no such admission"
		case code.Code == "":
			reason = "no code"
		case seen[code]:
			reason = "the code twice in a visit"
		}
		r.report.Drop(tables[kind], reason, min(1, int64(len(reason))))
		r.report.Keep(tables[kind], "rows", 1, 1-min(1, int64(len(reason))))
		if reason == "" {
			seen[code] = true
			r.all[last].Codes = append(r.all[last].Codes, code)
		}
		return nil
	})
}

// cohort gathers the visits into patients; visits of a patient lie side by side.
func (r *reader) cohort() *ehr.Cohort {
	c := &ehr.Cohort{Schema: *r.schema}
	for i := range r.all {
		if i == 0 || r.patients[i] != r.patients[i-1] {
			c.Patients = append(c.Patients, ehr.Patient{ID: strconv.FormatInt(r.patients[i], 10)})
		}
		p := &c.Patients[len(c.Patients)-1]
		p.Visits = append(p.Visits, r.all[i])
	}
	return c
}

// fill puts the table and the tolerance into a text of SQL.
func fill(sql, name string) string {
	return strings.NewReplacer("{{table}}", name, "{{tolerance}}", fmt.Sprint(tolerance)).Replace(sql)
}
