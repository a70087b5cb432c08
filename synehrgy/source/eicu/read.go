// Package eicu reads the eICU Collaborative Research Database 2.0, its demo, or a selection of them, from a folder of CSV files,
// plain or gzip, names in any case.
//
// Tables: patient, diagnosis, treatment and medication must be there. Of the measurements those are read that are there:
// vitalPeriodic, vitalAperiodic, lab (or lab_subset), respiratoryCharting, respiratoryCare, and yaib_hourly, the hourly grid
// that the YAIB benchmark derives from the same database.
//
// A patient is a uniquepid, a visit a hospital stay (patienthealthsystemstayid) with all its ICU stays on one clock. Offsets in
// the files are minutes from the admission to each unit (seconds in yaib_hourly); hospitaladmitoffset ties them together. A
// visit begins with the admission to hospital, or to the unit where a record has that earlier. Of the anchors that keep time
// from running backwards this one loses least: 1,557 of 314,379 rows of the demo's selection lie before it, 1,603 before the
// admission to hospital, 7,554 before the first unit. Measurements up to 12 hours after discharge are still of the visit. Hospital stays of a patient have no dates: they are ordered by year of
// discharge, age and id, and the time between them is unknown.
//
// Covariates are those of the first unit: age ("> 89" is 90), gender, ethnicity, height, weight, type of unit. Label:
// in_hospital_death, absent where hospitaldischargestatus is empty.
//
// Codes: icd9code is often a list of an ICD-9 and an ICD-10 code ("428.0, I50.9"); they are told apart by their form and
// written without decimal points; the few ICD-9 procedures among them go to their own system. Diagnoses come by priority
// (primary, major, other), then by time; treatments are the paths of treatmentstring; drugs the HICL numbers of the orders in
// medication that were not cancelled: drug names are free text in hundreds of spellings and missing in a third of the orders,
// while the number names the ingredients. admissiondrug is what the patient took before, and is not read. No code comes
// twice in a visit.
//
// Measurements are those of measurements.csv. FiO2 is in percent, ionized calcium in mmol/L, a base deficit is a negative
// base excess. Values that no living body has are dropped. Where a variable of a visit is read at the minute it was
// measured, the hourly grid, which is made from those values, is not read for it. Of several values at one minute the last
// wins, by the name of the table, then by the time of entry or revision.
package eicu

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// tolerance is how many hours after discharge a measurement still belongs to the visit.
const tolerance = 12

//go:embed visits.sql
var visitsSQL string

//go:embed events.sql
var eventsSQL string

// Read reads the tables in dir. Patients are in ascending order of uniquepid. What is wrong with the files is a *fault.Input.
func Read(ctx context.Context, dir string, opt table.Options) (*ehr.Cohort, *table.Report, error) {
	db, err := table.Open(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	for _, spec := range append([]table.Spec{patientSpec}, codeTables...) {
		if err := db.CSV(ctx, dir, spec); err != nil {
			return nil, nil, err
		}
	}
	schema := newSchema()
	r := &reader{db: db, dir: dir, schema: &schema, report: &table.Report{Source: schema.Source}}
	for _, step := range []func(context.Context) error{r.onePatientEach, r.visits, r.codes, r.events} {
		if err := step(ctx); err != nil {
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
	dir      string
	schema   *ehr.Schema
	report   *table.Report
	patients []string // uniquepid of every visit
	all      []ehr.Visit
}

// onePatientEach refuses a hospital stay that belongs to two patients.
func (r *reader) onePatientEach(ctx context.Context) error {
	return r.db.Each(ctx, `SELECT file_row FROM patient
		QUALIFY uniquepid <> first_value(uniquepid) OVER (PARTITION BY patienthealthsystemstayid ORDER BY file_row)
		ORDER BY file_row LIMIT 1`, func(row table.Row) error {
		path, err := table.Find(r.dir, "patient")
		if err != nil {
			return err
		}
		return &fault.Input{File: path, Row: row.Int(0), Found: "a hospital stay that an earlier row gives to another uniquepid",
			Expected: "one patient for every patienthealthsystemstayid"}
	})
}

// visits makes the visits, with their covariates and labels.
func (r *reader) visits(ctx context.Context) error {
	if err := r.db.Exec(ctx, fill(visitsSQL, "", "")); err != nil {
		return err
	}
	err := r.db.Each(ctx, `SELECT uniquepid, patienthealthsystemstayid, length, lower(hospitaldischargestatus), years, gender, ethnicity,
		admissionheight, admissionweight, unittype FROM visit ORDER BY visit`, func(row table.Row) error {
		v := ehr.Visit{ID: strconv.FormatInt(row.Int(1), 10), SinceDischarge: ehr.Unknown, Stay: ehr.Unknown}
		if row.Int(2) >= 0 {
			v.Stay = row.Int(2)
		}
		if status := row.Text(3); status == "expired" || status == "alive" {
			v.Labels = []ehr.Label{{Label: 0, On: status == "expired"}}
		}
		v.Covariates = r.covariates(row, 4)
		r.patients = append(r.patients, row.Text(0))
		r.all = append(r.all, v)
		return nil
	})
	if err != nil {
		return err
	}
	stays, err := r.db.Count(ctx, "SELECT count(*) FROM stay")
	r.report.Keep("patient", "rows", stays, stays)
	return err
}

// events adds the measurements to the visits, in rows.
func (r *reader) events(ctx context.Context) error {
	ms, err := measurements(r.schema)
	if err != nil {
		return err
	}
	if err := r.measurementTable(ctx, ms); err != nil {
		return err
	}
	if err := r.db.Exec(ctx, table.EventTable); err != nil {
		return err
	}
	for i := range eventTables {
		e := &eventTables[i]
		there, err := e.register(ctx, r.db, r.dir, ms)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := r.db.Exec(ctx, fill(eventsSQL, e.name, e.rows(ms))); err != nil {
			return err
		}
		read, err := r.db.Count(ctx, "SELECT count(*) FROM ("+e.rows(ms)+")")
		if err != nil {
			return err
		}
		if err := r.db.Balance(ctx, r.report, e.name, e.unit(), read); err != nil {
			return err
		}
	}
	return r.db.Fill(ctx, r.schema, r.all, r.report, func(i int64, x float64, isNumber bool, text string) (int32, float64, bool) {
		m := &ms[i]
		y, ok := m.value(&r.schema.Variables[m.variable], x, isNumber, text)
		return m.variable, y, ok
	})
}

// measurementTable writes the measurements into the database; item is the place in ms.
func (r *reader) measurementTable(ctx context.Context, ms []measurement) error {
	values := make([]string, len(ms))
	for i, m := range ms {
		values[i] = fmt.Sprintf("(%d, %s, %s, %d)", i, table.Quote(m.table), table.Quote(m.label), m.variable)
	}
	return r.db.Exec(ctx, "CREATE TABLE measurement AS SELECT * FROM (VALUES "+strings.Join(values, ", ")+") t(item, source, label, variable)")
}

// cohort gathers the visits into patients; visits of a patient lie side by side.
func (r *reader) cohort() *ehr.Cohort {
	c := &ehr.Cohort{Schema: *r.schema}
	for i := range r.all {
		if i == 0 || r.patients[i] != r.patients[i-1] {
			c.Patients = append(c.Patients, ehr.Patient{ID: r.patients[i]})
		}
		p := &c.Patients[len(c.Patients)-1]
		p.Visits = append(p.Visits, r.all[i])
	}
	return c
}

// fill puts the name of a table, the SQL of its rows and the constants of this package into a text of SQL.
func fill(sql, name, rows string) string {
	return strings.NewReplacer("{{table}}", name, "{{rows}}", rows, "{{tolerance}}", fmt.Sprint(tolerance), "{{oldest}}", fmt.Sprint(oldest)).Replace(sql)
}
