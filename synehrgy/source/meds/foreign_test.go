package meds_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/meds"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// dataset writes a MEDS data set: the rows of data/<name>.parquet as SQL values of (subject_id, time, code, numeric_value,
// text_value), and metadata files as queries.
func dataset(t *testing.T, data, metadata map[string]string) string {
	t.Helper()
	dir, db := t.TempDir(), database(t)
	for _, folder := range []string{"data", "metadata"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	for name, rows := range data {
		query := fmt.Sprintf(`SELECT s::BIGINT AS subject_id, t::TIMESTAMP AS "time", c AS code, n::FLOAT AS numeric_value, x::VARCHAR AS text_value FROM (VALUES %s) v(s, t, c, n, x)`, rows)
		require.NoError(t, db.Exec(t.Context(), fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet)", query, table.Quote(filepath.Join(dir, "data", name+".parquet")))))
	}
	for name, query := range metadata {
		require.NoError(t, db.Exec(t.Context(), fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet)", query, table.Quote(filepath.Join(dir, "metadata", name+".parquet")))))
	}
	return dir
}

func TestAnyMEDSDataSetBecomesACohort(t *testing.T) {
	dir := dataset(t, map[string]string{"0": `
		(7, NULL, 'GENDER//F', NULL, NULL),
		(7, NULL, 'HEIGHT', 171.5, NULL),
		(7, NULL, 'SMOKER', NULL, NULL),
		(7, '1950-06-01', 'MEDS_BIRTH', NULL, NULL),
		(7, '2010-01-01 00:00:00', 'LAB//K//mmol', 4.0, NULL),
		(7, '2010-06-02 10:00:30', 'HOSPITAL_ADMISSION//EMERGENCY', NULL, NULL),
		(7, '2010-06-02 10:00:45', 'LAB//K//mmol', 4.1, 'comment'),
		(7, '2010-06-02 10:05:00', 'LAB//K//mmol', 4.2, NULL),
		(7, '2010-06-02 10:05:20', 'LAB//K//mmol', 4.3, NULL),
		(7, '2010-06-02 10:06:00', 'LAB//K//mmol', NULL, 'haemolysed'),
		(7, '2010-06-02 10:06:00', 'LAB//K//mmol', 'nan'::FLOAT, NULL),
		(7, '2010-06-02 11:00:00', 'MEDICATION//aspirin', 100, 'by mouth'),
		(7, '2010-06-02 12:00:00', 'MEDICATION//aspirin', NULL, NULL),
		(7, '2010-06-02 12:00:00', 'MEDICATION//aspirin', NULL, NULL),
		(7, '2010-06-02 12:30:00', 'RHYTHM', NULL, 'sinus'),
		(7, '2010-06-02 12:31:00', 'RHYTHM', NULL, 'flutter'),
		(7, '2010-06-02 12:32:00', 'RHYTHM', NULL, NULL),
		(7, '2010-06-03 10:00:30', 'DIAGNOSIS//ICD//9//4280', NULL, NULL),
		(7, '2010-06-03 10:00:30', 'HOSPITAL_DISCHARGE//HOME', NULL, NULL),
		(7, '2010-06-03 10:00:31', 'HOSPITAL_DISCHARGE//HOME', NULL, NULL),
		(7, '2010-06-04 00:00:00', 'LAB//K//mmol', 9.9, NULL),
		(7, '2010-06-05 10:00:30', 'HOSPITAL_ADMISSION', NULL, NULL),
		(7, '2010-06-05 10:00:40', 'HOSPITAL_ADMISSION', NULL, NULL),
		(7, '2010-06-06 09:00:00', 'ICD10PCS/0BH17EZ', NULL, NULL),
		(7, '2010-06-06 10:00:30', 'MEDS_DEATH', NULL, NULL),
		(7, '2010-06-06 10:00:30', 'HOSPITAL_DISCHARGE//DIED', NULL, NULL)`,
		"1": `
		(3, NULL, 'GENDER//M', NULL, NULL),
		(3, NULL, 'GENDER//F', NULL, NULL),
		(3, '1850-01-01', 'MEDS_BIRTH', NULL, NULL),
		(3, '2010-01-01 00:00:00', 'HOSPITAL_ADMISSION//PLANNED', NULL, NULL),
		(3, '2010-01-01 01:00:00', 'LAB//K//mmol', 5, NULL),
		(3, '2012-01-01 01:00:00', 'MEDS_DEATH', NULL, NULL),
		(4, NULL, 'GENDER//M', NULL, NULL),
		(4, '2010-01-01 00:00:00', 'HOSPITAL_DISCHARGE', NULL, NULL)`,
	}, map[string]string{
		"codes":          "SELECT 'LAB//K//mmol' AS code, 'Potassium' AS description, 'mmol/L' AS unit",
		"subject_splits": "SELECT * FROM (VALUES (3::BIGINT, 'held_out'), (4, 'train'), (7, 'validation')) v(subject_id, split)",
	})
	c, report := read(t, dir)
	require.Equal(t, ehr.Schema{
		Source: "meds",
		Covariates: []ehr.Variable{
			{Name: "age", Title: "Age at the visit", Unit: "a", Kind: ehr.Number, Low: ehr.Bound(0), High: ehr.Bound(130)},
			{Name: "height", Title: "HEIGHT", Kind: ehr.Number, Decimals: 1, Low: ehr.Bound(171.5), High: ehr.Bound(171.5)},
			{Name: "gender", Title: "GENDER", Kind: ehr.Category, Categories: []string{"F", "M"}},
			{Name: "smoker", Title: "SMOKER", Kind: ehr.Category, Categories: []string{"present"}},
		},
		Labels: []ehr.LabelDef{{Name: "in_hospital_mortality"}},
		Systems: []ehr.System{{Name: "DIAGNOSIS", Kind: ehr.Diagnosis}, {Name: "HOSPITAL_ADMISSION", Kind: ehr.Treatment}, {Name: "HOSPITAL_DISCHARGE", Kind: ehr.Treatment},
			{Name: "ICD10PCS", Kind: ehr.Procedure}, {Name: "MEDICATION", Kind: ehr.Drug}},
		Variables: []ehr.Variable{
			{Name: "lab_k_mmol", Title: "Potassium", Unit: "mmol/L", Kind: ehr.Number, Decimals: 1, Low: ehr.Bound(4), High: ehr.Bound(9.9)},
			{Name: "rhythm", Title: "RHYTHM", Kind: ehr.Category, Categories: []string{"flutter", "sinus"}},
		},
		Mortality: 0,
	}, c.Schema)
	require.Equal(t, []ehr.Patient{
		{ID: "3", Split: ehr.HeldOut, Visits: []ehr.Visit{{
			SinceDischarge: ehr.Unknown, Stay: ehr.Unknown,
			Covariates: []ehr.Value{{Var: 2, X: 0}},
			Codes:      []ehr.Code{{System: 1, Code: "PLANNED"}},
			Rows:       []ehr.Row{{At: 60, Values: []ehr.Value{{Var: 0, X: 5}}}},
		}}},
		{ID: "7", Visits: []ehr.Visit{
			{SinceDischarge: ehr.Unknown, Stay: 24 * 60,
				Covariates: []ehr.Value{{Var: 0, X: 60}, {Var: 1, X: 171.5}, {Var: 2, X: 0}, {Var: 3, X: 0}},
				Labels:     []ehr.Label{{Label: 0}},
				Codes:      []ehr.Code{{System: 1, Code: "EMERGENCY"}, {System: 4, Code: "aspirin"}, {System: 0, Code: "ICD//9//4280"}, {System: 2, Code: "HOME"}},
				Rows: []ehr.Row{{At: 0, Values: []ehr.Value{{Var: 0, X: 4.1}}}, {At: 4, Values: []ehr.Value{{Var: 0, X: 4.3}}},
					{At: 149, Values: []ehr.Value{{Var: 1, X: 1}}}, {At: 150, Values: []ehr.Value{{Var: 1, X: 0}}}}},
			{SinceDischarge: 48 * 60, Stay: 24 * 60,
				Covariates: []ehr.Value{{Var: 0, X: 60}, {Var: 1, X: 171.5}, {Var: 2, X: 0}, {Var: 3, X: 0}},
				Labels:     []ehr.Label{{Label: 0, On: true}},
				Codes:      []ehr.Code{{System: 3, Code: "0BH17EZ"}, {System: 2, Code: "DIED"}}},
		}},
	}, c.Patients)
	require.Equal(t, []table.Drop{
		{Table: "data", Reason: "admission of the same minute", Count: 1},
		{Table: "data", Reason: "birth that gives no age from 0 to 130 years", Count: 1},
		{Table: "data", Reason: "code of an earlier row of the visit", Count: 2},
		{Table: "data", Reason: "death outside of every visit whose end is known", Count: 1},
		{Table: "data", Reason: "discharge without an admission", Count: 2},
		{Table: "data", Reason: "no number where the code has numbers", Count: 2},
		{Table: "data", Reason: "no text where the code has texts", Count: 1},
		{Table: "data", Reason: "outside of every visit", Count: 3},
		{Table: "data", Reason: "static event, birth or death that a later one replaces", Count: 1},
		{Table: "data", Reason: "value that a later one of the same minute replaces", Count: 1},
		{Table: "subject_splits", Reason: "split of another name", Count: 1},
		{Table: "subjects", Reason: "no visit", Count: 1},
		{Table: "values", Reason: "number of a code that seldom has one", Count: 1},
		{Table: "values", Reason: "text beside a number", Count: 1},
		{Table: "values", Reason: "text of a code", Count: 1},
	}, report.Dropped)
}

func TestWithoutAdmissionsASubjectIsOneVisit(t *testing.T) {
	dir := dataset(t, map[string]string{"a": `
		(12, '1980-01-01', 'MEDS_BIRTH', NULL, NULL),
		(12, '2020-01-01 00:00:00', 'HR', 80, NULL),
		(12, '2020-01-01 02:00:00', 'HR', 90, NULL),
		(12, '2020-01-02 00:00:00', 'MEDS_DEATH', NULL, NULL),
		(2, '2020-01-01 00:00:00', 'HR', 0.125, NULL),
		(2, '2020-01-01 00:00:00', 'X-RAY', NULL, NULL)`}, nil)
	c, report := read(t, dir)
	require.Zero(t, report.Lost("data", ""))
	require.Equal(t, []string{"2", "12"}, []string{c.Patients[0].ID, c.Patients[1].ID}, "by number")
	require.Equal(t, []ehr.Visit{{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown, Covariates: []ehr.Value{{X: 40}}, Labels: []ehr.Label{{On: true}},
		Rows: []ehr.Row{{At: 0, Values: []ehr.Value{{X: 80}}}, {At: 120, Values: []ehr.Value{{X: 90}}}}}}, c.Patients[1].Visits)
	require.Equal(t, ehr.Variable{Name: "hr", Title: "HR", Kind: ehr.Number, Decimals: 3, Low: ehr.Bound(0.125), High: ehr.Bound(90)}, c.Schema.Variables[0])
	require.Equal(t, []ehr.Code{{Code: "X-RAY"}}, c.Patients[0].Visits[0].Codes)
	require.Equal(t, ehr.NoSplit, c.Patients[0].Split)
}

func TestOptionalColumnsMayBeAbsentAndTypesDiffer(t *testing.T) {
	dir := dataset(t, map[string]string{"a": "(1, '2020-01-01', 'DIAGNOSIS//X', NULL, NULL)"}, nil)
	rewrite(t, filepath.Join(dir, "data", "a.parquet"), `SELECT subject_id::INTEGER AS subject_id, "time"::TIMESTAMP_NS AS "time", code FROM FILE`)
	c, _ := read(t, dir)
	require.Equal(t, []ehr.Code{{Code: "X"}}, c.Patients[0].Visits[0].Codes)
}

func TestDecimalsAreThoseOfTheFloats(t *testing.T) {
	for text, decimals := range map[string]int{"7": 0, "7.4": 1, "7.41": 2, "98.6": 1, "0.001": 3, "123456.7": 1, "0.333333": 6, "16777216": 0, "-2.25": 2, "0": 0} {
		dir := dataset(t, map[string]string{"a": fmt.Sprintf("(1, '2020-01-01', 'V', %s, NULL)", text)}, nil)
		c, _ := read(t, dir)
		require.Equal(t, decimals, c.Schema.Variables[0].Decimals, text)
		require.Equal(t, text, fmt.Sprintf("%.*f", decimals, c.Patients[0].Visits[0].Rows[0].Values[0].X))
	}
}

func TestWhatIsWrongWithAForeignDataSetIsOneSentence(t *testing.T) {
	good := "(1, '2020-01-01', 'HR', 80, NULL), (2, '2020-01-01', 'HR', 81, NULL)"
	for _, c := range []struct {
		name           string
		data, metadata map[string]string
		says           string
	}{
		{"subject without split", map[string]string{"a": good}, map[string]string{"subject_splits": "SELECT 1::BIGINT AS subject_id, 'train' AS split"},
			"data/a.parquet, row 2: found a subject without a split, expected every subject in metadata/subject_splits.parquet"},
		{"splits without split", map[string]string{"a": good}, map[string]string{"subject_splits": "SELECT 1::BIGINT AS subject_id"}, "expected a column split"},
		{"subject in two files", map[string]string{"a": good, "b": "(3, '2020-01-01', 'HR', 80, NULL), (2, '2020-01-01', 'HR', 80, NULL)"}, nil,
			"data/b.parquet, row 2: found a subject of another file"},
		{"row without subject", map[string]string{"a": good + ", (NULL, '2020-01-01', 'HR', 80, NULL)"}, nil, "row 3: found a row without subject or code"},
		{"row without code", map[string]string{"a": good + ", (1, '2020-01-01', NULL, 80, NULL)"}, nil, "row 3: found a row without subject or code"},
		{"nothing dated", map[string]string{"a": "(1, NULL, 'GENDER//F', NULL, NULL)"}, nil, "found no subject with a visit, expected events with times"},
		{"codes without code", map[string]string{"a": good}, map[string]string{"codes": "SELECT 'x' AS description"}, "codes.parquet: found columns description, expected a column code"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := dataset(t, c.data, c.metadata)
			_, _, err := meds.Read(t.Context(), dir, table.Options{})
			var input *fault.Input
			require.ErrorAs(t, err, &input)
			require.Contains(t, err.Error(), c.says)
		})
	}
}
