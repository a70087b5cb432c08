package eicu

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

var patientSpec = table.Spec{Name: "patient", Unique: []string{"patientunitstayid"}, Columns: []table.Column{
	{Name: "patientunitstayid", Type: table.Integer, Demand: table.Present},
	{Name: "patienthealthsystemstayid", Type: table.Integer, Demand: table.Present},
	{Name: "uniquepid", Demand: table.Present},
	{Name: "hospitaladmitoffset", Type: table.Integer, Demand: table.Present},
	{Name: "hospitaldischargeoffset", Type: table.Integer, Demand: table.Present},
	{Name: "hospitaldischargeyear", Type: table.Integer, Demand: table.Converts},
	{Name: "unitvisitnumber", Type: table.Integer, Demand: table.Converts},
	{Name: "age"}, {Name: "gender"}, {Name: "ethnicity"}, {Name: "unittype"}, {Name: "hospitaldischargestatus"},
	{Name: "admissionheight", Type: table.Real}, {Name: "admissionweight", Type: table.Real},
}}

// codeTables are in the order of kind in codes.sql.
var codeTables = []table.Spec{
	{Name: "diagnosis", Columns: []table.Column{
		{Name: "diagnosisid", Type: table.Integer},
		{Name: "patientunitstayid", Type: table.Integer, Demand: table.Present},
		{Name: "diagnosisoffset", Type: table.Integer},
		{Name: "icd9code"}, {Name: "diagnosispriority"}}},
	{Name: "treatment", Columns: []table.Column{
		{Name: "treatmentid", Type: table.Integer},
		{Name: "patientunitstayid", Type: table.Integer, Demand: table.Present},
		{Name: "treatmentoffset", Type: table.Integer},
		{Name: "treatmentstring"}}},
	{Name: "medication", Columns: []table.Column{
		{Name: "medicationid", Type: table.Integer},
		{Name: "patientunitstayid", Type: table.Integer, Demand: table.Present},
		{Name: "drugorderoffset", Type: table.Integer},
		{Name: "drugordercancelled"}, {Name: "drughiclseqno", Type: table.Integer}}},
}

// eventTable is a table of measurements, which may be absent. A wide one has a column a variable, a long one a label and a value.
type eventTable struct {
	name  string
	files []string // the first that is there
	stay  string   // column of the ICU stay
	since string   // SQL: minutes from the admission to the unit
	nth   string   // SQL: order among the rows of a minute
	needs []table.Column
	label string // column of a long table; "" for a wide one
	x     string // SQL: the value of a long table as a number
	text  string // SQL: and as text
}

// eventTables are in the order in which they are read: the hourly grid last, because it repeats the others.
var eventTables = []eventTable{
	{name: "vitalPeriodic", files: []string{"vitalPeriodic"}, stay: "patientunitstayid", since: "observationoffset", nth: "vitalperiodicid",
		needs: integers("vitalperiodicid", "observationoffset")},
	{name: "vitalAperiodic", files: []string{"vitalAperiodic"}, stay: "patientunitstayid", since: "observationoffset", nth: "vitalaperiodicid",
		needs: integers("vitalaperiodicid", "observationoffset")},
	{name: "lab", files: []string{"lab", "lab_subset"}, stay: "patientunitstayid", since: "labresultoffset", label: "labname",
		nth: "coalesce(labresultrevisedoffset, labresultoffset)", x: "labresult", text: "NULL",
		needs: append(integers("labresultoffset", "labresultrevisedoffset"), table.Column{Name: "labname"},
			table.Column{Name: "labresult", Type: table.Real})},
	{name: "respiratoryCharting", files: []string{"respiratoryCharting"}, stay: "patientunitstayid", since: "respchartoffset",
		nth: "coalesce(respchartentryoffset, respchartoffset)", label: "respchartvaluelabel",
		x: "TRY_CAST(rtrim(respchartvalue, '% ') AS DOUBLE)", text: "NULL",
		needs: append(integers("respchartoffset", "respchartentryoffset"), table.Column{Name: "respchartvaluelabel"},
			table.Column{Name: "respchartvalue"})},
	{name: "respiratoryCare", files: []string{"respiratoryCare"}, stay: "patientunitstayid", since: "respcarestatusoffset", nth: "respcareid",
		label: "'airwaytype'", x: "NULL", text: "airwaytype",
		needs: append(integers("respcareid", "respcarestatusoffset"), table.Column{Name: "airwaytype"})},
	{name: "yaib_hourly", files: []string{"yaib_hourly"}, stay: "stay_id", since: "time // 60", nth: "time", needs: integers("time")},
}

func integers(names ...string) []table.Column {
	out := make([]table.Column, len(names))
	for i, name := range names {
		out[i] = table.Column{Name: name, Type: table.Integer}
	}
	return out
}

// register opens the table in dir; there is false where the folder does not have it.
func (e *eventTable) register(ctx context.Context, db *table.DB, dir string, ms []measurement) (there bool, err error) {
	i := slices.IndexFunc(e.files, func(name string) bool { return table.Has(dir, name) })
	if i < 0 {
		return false, nil
	}
	path, err := table.Find(dir, e.files[i])
	if err != nil {
		return false, err
	}
	columns := append(integers(e.stay), e.needs...)
	if e.label == "" {
		for _, m := range ms {
			if m.table == e.name {
				columns = append(columns, table.Column{Name: m.label}) // as text: what is no number is counted, not NULL
			}
		}
	}
	return true, db.CSV(ctx, dir, table.Spec{Name: e.name, Path: path, Columns: columns, Stream: true})
}

// rows is the SQL that gives the measurements of the table for events.sql: of a wide table the cells, of its columns that are
// read, with something in them.
func (e *eventTable) rows(ms []measurement) string {
	name := table.Ident(e.name)
	if e.label != "" {
		return fmt.Sprintf("SELECT %s AS patientunitstayid, %s AS since, %s AS nth, %s AS label, %s AS x, %s::VARCHAR AS text FROM %s",
			e.stay, e.since, e.nth, e.label, e.x, e.text, name)
	}
	var labels []string
	for _, m := range ms {
		if m.table == e.name {
			labels = append(labels, table.Ident(m.label))
		}
	}
	return fmt.Sprintf("SELECT %s AS patientunitstayid, %s AS since, %s AS nth, label, TRY_CAST(v AS DOUBLE) AS x, NULL::VARCHAR AS text FROM (UNPIVOT %s ON %s INTO NAME label VALUE v)",
		e.stay, e.since, e.nth, name, strings.Join(labels, ", "))
}

// unit is what the balance of the table counts.
func (e *eventTable) unit() string {
	if e.label == "" {
		return "values"
	}
	return "rows"
}
