package meds_test

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/meds"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func simulated(t *testing.T, patients int) *ehr.Cohort {
	t.Helper()
	c, err := simulate.Cohort(simulate.Options{Patients: patients, Seed: 5})
	require.NoError(t, err)
	c.AssignSplits(5, ehr.DefaultShares)
	return c
}

// peculiar is a cohort of whatever a record may hold and a simple writer would lose.
func peculiar() *ehr.Cohort {
	schema := ehr.Schema{
		Source: "peculiar",
		Covariates: []ehr.Variable{
			{Name: "age", Kind: ehr.Number, Unit: "months", Decimals: 3},
			{Name: "kind", Kind: ehr.Category, Categories: []string{"", "it's \"quoted\"", "ü//b"}},
		},
		Labels:  []ehr.LabelDef{{Name: "a"}, {Name: "b", PositiveOnly: true}},
		Systems: []ehr.System{{Name: "X", Kind: ehr.Diagnosis}, {Name: "X", Kind: ehr.Procedure}, {Name: "a/b", Kind: ehr.Treatment}},
		Variables: []ehr.Variable{
			{Name: "fine", Kind: ehr.Number, Decimals: 6, Low: ehr.Bound(-1e9)},
			{Name: "coarse", Kind: ehr.Number, High: ehr.Bound(1e300)},
			{Name: "state", Kind: ehr.Category, Categories: []string{"off", "on"}},
		},
		Mortality: -1,
	}
	return &ehr.Cohort{Schema: schema, Patients: []ehr.Patient{
		{ID: "s0", Split: ehr.HeldOut, Visits: []ehr.Visit{
			{ID: "v 1", SinceDischarge: ehr.Unknown, Stay: ehr.Unknown, Covariates: []ehr.Value{{Var: 0, X: 700.125}, {Var: 1, X: 2}}},
			{SinceDischarge: ehr.Unknown, Stay: 0, Covariates: []ehr.Value{{Var: 1, X: 0}}},
			{ID: "", SinceDischarge: -90, Stay: 30, Labels: []ehr.Label{{Label: 0}, {Label: 1, On: true}},
				Codes: []ehr.Code{{System: 1, Code: "0066"}, {System: 0, Code: "428.0"}, {System: 1, Code: "z//z"}, {System: 2, Code: ""}, {System: 0, Code: "0066"}},
				Rows: []ehr.Row{
					{At: 0, Values: []ehr.Value{{Var: 0, X: 123456.789012}, {Var: 1, X: 1e300}, {Var: 2, X: 1}}},
					{At: 7, Values: []ehr.Value{{Var: 0, X: math.Copysign(0, -1)}}},
					{At: 5000, Values: []ehr.Value{{Var: 0, X: 0.1}, {Var: 1, X: 16777217}}},
				}},
			{ID: "long after", SinceDischarge: 50 * 365 * 24 * 60, Stay: 1},
		}},
		{ID: "", Split: ehr.NoSplit},
		{ID: "O'Hara \"x\", y", Split: ehr.Tuning, Visits: []ehr.Visit{{SinceDischarge: 12, Stay: 3}}},
		{ID: "17", Split: ehr.Train, Visits: []ehr.Visit{{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown, Labels: []ehr.Label{{Label: 0, On: true}}}}},
	}}
}

func write(t *testing.T, c *ehr.Cohort) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cohort")
	require.NoError(t, meds.Write(t.Context(), dir, c, meds.WriteOptions{PatientsPerFile: 40}))
	return dir
}

func read(t *testing.T, dir string) (*ehr.Cohort, *table.Report) {
	t.Helper()
	c, report, err := meds.Read(t.Context(), dir, table.Options{})
	require.NoError(t, err)
	require.NoError(t, report.Check())
	return c, report
}

func TestACohortComesBackExactly(t *testing.T) {
	backwards := simulated(t, 20)
	for i := range backwards.Patients {
		backwards.Patients[i].ID = fmt.Sprint(1000 - 7*i)
	}
	for name, c := range map[string]*ehr.Cohort{
		"simulated": simulated(t, 150), "peculiar": peculiar(), "ids in descending order": backwards,
	} {
		t.Run(name, func(t *testing.T) {
			got, report := read(t, write(t, c))
			require.Equal(t, c, got)
			require.Zero(t, report.Lost("data", ""))
			for i := range c.Patients { // Equal takes 0 and -0 for the same
				for v := range c.Patients[i].Visits {
					for r, row := range c.Patients[i].Visits[v].Rows {
						for x, value := range row.Values {
							require.Equal(t, math.Float64bits(value.X), math.Float64bits(got.Patients[i].Visits[v].Rows[r].Values[x].X))
						}
					}
				}
			}
		})
	}
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		if entry.IsDir() {
			require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), name)
			return nil
		}
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		files[name] = string(data)
		return nil
	}))
	return files
}

func TestTheSameCohortGivesTheSameBytes(t *testing.T) {
	c := simulated(t, 300)
	one, two := tree(t, write(t, c)), tree(t, write(t, c))
	require.Equal(t, one, two)
	require.Contains(t, one, "data/train/5.parquet", "210 patients by forties are six files")
	require.Contains(t, one, "data/tuning/0.parquet")
	require.Contains(t, one, "data/held_out/1.parquet")
}

func database(t *testing.T) *table.DB {
	t.Helper()
	db, err := table.Open(t.Context(), table.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestWhatIsWrittenIsMEDS(t *testing.T) {
	c := simulated(t, 100)
	dir, db := write(t, c), database(t)
	data := table.Quote(dir + "/data/*/*.parquet")
	types := map[string]string{}
	require.NoError(t, db.Each(t.Context(), "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+data+")", func(r table.Row) error {
		types[r.Text(0)] = r.Text(1)
		return nil
	}))
	require.Equal(t, map[string]string{"subject_id": "BIGINT", "time": "TIMESTAMP", "code": "VARCHAR", "numeric_value": "FLOAT", "text_value": "VARCHAR",
		"visit": "INTEGER", "ordinal": "INTEGER", "exact_value": "DOUBLE"}, types)
	for what, query := range map[string]string{
		"a null where MEDS has none": "SELECT count(*) FROM " + data + " WHERE subject_id IS NULL OR code IS NULL",
		"a subject that is not contiguous and in order of time": `SELECT count(*) FROM (SELECT subject_id, "time", lag(subject_id) OVER w AS s, lag("time") OVER w AS t
			FROM read_parquet(` + data + `, filename=true, file_row_number=true) WINDOW w AS (PARTITION BY filename ORDER BY file_row_number))
			WHERE s > subject_id OR s = subject_id AND t > "time"`,
		"a subject in two files": "SELECT count(*) FROM (SELECT subject_id FROM read_parquet(" + data + ", filename=true) GROUP BY 1 HAVING count(DISTINCT filename) > 1)",
		"a code that codes.parquet lacks": "SELECT count(*) FROM (SELECT DISTINCT code FROM " + data + ") ANTI JOIN " +
			table.Quote(dir+"/metadata/codes.parquet") + " USING (code)",
		"a subject in another split than its file": `SELECT count(*) FROM read_parquet(` + data + `, filename=true) JOIN ` + table.Quote(dir+"/metadata/subject_splits.parquet") +
			` AS s USING (subject_id) WHERE NOT contains(read_parquet.filename, '/' || split || '/')`,
	} {
		n, err := db.Count(t.Context(), query)
		require.NoError(t, err)
		require.Zero(t, n, what)
	}
	rows, err := db.Count(t.Context(), "SELECT count(*) FROM "+data)
	require.NoError(t, err)
	died := 0
	for i := range c.Patients {
		if on, _ := c.Patients[i].Visits[len(c.Patients[i].Visits)-1].Label(c.Schema.Mortality); on {
			died++
		}
	}
	require.EqualValues(t, c.Events()+2*c.Visits()+len(c.Patients)+died, rows, "events, admissions and discharges, births, deaths")
}

func TestOtherToolsSeeTheSameVisits(t *testing.T) {
	c := simulated(t, 60)
	dir := write(t, c)
	require.NoError(t, os.Remove(filepath.Join(dir, "metadata", "synehrgy.json")))
	got, report := read(t, dir)
	require.Zero(t, report.Lost("data", ""))
	require.Len(t, got.Patients, len(c.Patients))
	lactate := got.Schema.VariableIndex("measurement_lactate")
	require.Equal(t, "mmol/L", got.Schema.Variables[lactate].Unit)
	require.Equal(t, 1, got.Schema.Variables[lactate].Decimals)
	for i := range c.Patients {
		want, have := &c.Patients[i], &got.Patients[i]
		require.Equal(t, want.ID, have.ID)
		require.Equal(t, want.Split, have.Split)
		require.Len(t, have.Visits, len(want.Visits))
		for v := range want.Visits {
			require.Equal(t, want.Visits[v].Stay, have.Visits[v].Stay)
			require.Equal(t, want.Visits[v].SinceDischarge, have.Visits[v].SinceDischarge)
			died, _ := want.Visits[v].Label(c.Schema.Mortality)
			diedToo, _ := have.Visits[v].Label(got.Schema.Mortality)
			require.Equal(t, died, diedToo)
			age, known := have.Visits[v].Covariate(got.Schema.CovariateIndex("age"))
			require.True(t, known)
			require.InDelta(t, want.Visits[v].Covariates[0].X, age, 1)
		}
	}
}

func TestATakenFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	var usage *fault.Usage
	require.ErrorAs(t, meds.Write(t.Context(), dir, peculiar(), meds.WriteOptions{}), &usage)
	require.Len(t, tree(t, dir), 1)
}

func TestABrokenCohortLeavesNothing(t *testing.T) {
	for name, spoil := range map[string]func(c *ehr.Cohort){
		"value out of range":    func(c *ehr.Cohort) { c.Patients[0].Visits[0].Covariates[1].X = 9 },
		"text not UTF-8":        func(c *ehr.Cohort) { c.Patients[0].Visits[2].Codes[0].Code = "\xff" },
		"time of no life":       func(c *ehr.Cohort) { c.Patients[3].Visits[0].Stay = math.MaxInt64 },
		"name twice":            func(c *ehr.Cohort) { c.Schema.Variables[1].Name = "fine" },
		"system that is a path": func(c *ehr.Cohort) { c.Schema.Systems[0].Name = "a//b" },
	} {
		t.Run(name, func(t *testing.T) {
			parent, c := t.TempDir(), peculiar()
			spoil(c)
			var input *fault.Input
			require.ErrorAs(t, meds.Write(t.Context(), filepath.Join(parent, "cohort"), c, meds.WriteOptions{}), &input)
			entries, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func TestACohortWithoutPatientsIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cohort")
	var input *fault.Input
	require.ErrorAs(t, meds.Write(t.Context(), dir, &ehr.Cohort{Schema: simulate.Schema()}, meds.WriteOptions{}), &input)
	require.NoDirExists(t, dir)
}

func TestCancelLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	require.ErrorIs(t, meds.Write(ctx, filepath.Join(parent, "cohort"), simulated(t, 3), meds.WriteOptions{}), context.Canceled)
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, entries)
	_, _, err = meds.Read(ctx, write(t, peculiar()), table.Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// rewrite replaces a Parquet file by the result of a query, in which FILE is the file as it was.
func rewrite(t *testing.T, path, query string) {
	t.Helper()
	next := path + ".next"
	query = strings.ReplaceAll(query, "FILE", "read_parquet("+table.Quote(path)+", file_row_number=true)")
	require.NoError(t, database(t).Exec(t.Context(), "COPY ("+query+") TO "+table.Quote(next)+" (FORMAT parquet)"))
	require.NoError(t, os.Rename(next, path))
}

func TestWhatIsWrongWithADataSetIsOneSentence(t *testing.T) {
	const train = "data/train/0.parquet"
	edit := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, "metadata", "synehrgy.json")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Contains(t, string(data), old)
			require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o600))
		}
	}
	change := func(file, query string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { rewrite(t, filepath.Join(dir, file), query) }
	}
	cut := func(file string, share float64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			info, err := os.Stat(filepath.Join(dir, file))
			require.NoError(t, err)
			require.NoError(t, os.Truncate(filepath.Join(dir, file), int64(share*float64(info.Size()))))
		}
	}
	remove := func(file string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, file))) }
	}
	const keep = "subject_id, \"time\", code, numeric_value, text_value, visit, ordinal, exact_value"
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		says  string
	}{
		{"no data folder", remove("data"), "found no folder data, expected a MEDS data set"},
		{"no data file", func(t *testing.T, dir string) {
			remove("data")(t, dir)
			require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
		}, "data: found no Parquet file"},
		{"column missing", change(train, `SELECT * EXCLUDE (code, file_row_number) FROM FILE`), train + ": found columns subject_id, time, numeric_value"},
		{"our column missing", change(train, `SELECT * EXCLUDE (ordinal, file_row_number) FROM FILE`), "expected a column ordinal"},
		{"wrong type", change(train, `SELECT * EXCLUDE file_row_number REPLACE (subject_id::VARCHAR AS subject_id) FROM FILE`), "found column subject_id of type VARCHAR, expected integers"},
		{"time as text", change(train, `SELECT * EXCLUDE file_row_number REPLACE ("time"::VARCHAR AS "time") FROM FILE`), "found column time of type VARCHAR, expected timestamps"},
		{"number as text", change(train, `SELECT * EXCLUDE file_row_number REPLACE (numeric_value::VARCHAR AS numeric_value) FROM FILE`), "found column numeric_value of type VARCHAR"},
		{"truncated", cut(train, 0.7), train + ": found a file that is truncated, damaged or not Parquet, expected a whole Parquet file"},
		{"empty file", cut(train, 0), train + ": found a file that is truncated"},
		{"truncated patients", cut("metadata/synehrgy_patients.parquet", 0.5), "synehrgy_patients.parquet: found a file that is truncated"},
		{"truncated splits", cut("metadata/subject_splits.parquet", 0.5), "subject_splits.parquet: found a file that is truncated"},
		{"no patients", remove("metadata/synehrgy_patients.parquet"), "synehrgy_patients.parquet: found no file that can be read"},
		{"no splits", remove("metadata/subject_splits.parquet"), "row 1: found a subject whose split metadata/subject_splits.parquet does not tell"},
		{"subject without split", change("metadata/subject_splits.parquet", "SELECT subject_id, split FROM FILE WHERE subject_id != 3"), "row 4: found a subject whose split"},
		{"subject in two splits", change("metadata/subject_splits.parquet", "SELECT subject_id, split FROM FILE UNION ALL SELECT 0, 'elsewhere'"), "found a subject of an earlier row in another split"},
		{"split of another name", change("metadata/subject_splits.parquet", "SELECT subject_id, 'test' AS split FROM FILE"), "expected train, tuning, held_out or none"},
		{"patient twice", change("metadata/synehrgy_patients.parquet", "SELECT * EXCLUDE file_row_number FROM (SELECT * FROM FILE UNION ALL SELECT * FROM FILE WHERE position = 2)"), "found a position or a subject that is missing or not for the first time"},
		{"unknown subject", change("metadata/synehrgy_patients.parquet", "SELECT * EXCLUDE file_row_number FROM FILE WHERE position < 3"), "found a subject that metadata/synehrgy_patients.parquet does not know"},
		{"row lost", change(train, "SELECT "+keep+" FROM FILE WHERE ordinal IS NULL OR NOT (visit = 1 AND ordinal = 5)"), "found an ordinal that does not follow the one before"},
		{"last rows lost", change(train, "SELECT "+keep+" FROM FILE WHERE ordinal IS NULL OR ordinal < 30"), "events of patient"},
		{"row twice", change(train, "SELECT "+keep+" FROM FILE UNION ALL (SELECT "+keep+" FROM FILE WHERE ordinal = 5 LIMIT 1)"), "found an ordinal that does not follow the one before"},
		{"visit lost", change(train, "SELECT "+keep+" FROM FILE WHERE visit IS NULL OR visit != 1"), "found a visit that does not follow the one before"},
		{"admission lost", change(train, "SELECT * EXCLUDE file_row_number REPLACE (CASE WHEN code = 'HOSPITAL_ADMISSION' THEN 'HOSPITAL_DISCHARGE' ELSE code END AS code) FROM FILE"), "found an event out of the order of its visit"},
		{"unknown code", change(train, "SELECT * EXCLUDE file_row_number REPLACE (replace(code, 'lactate', 'lactat') AS code) FROM FILE"), "found a code that metadata/synehrgy.json does not know"},
		{"unknown category", change(train, "SELECT * EXCLUDE file_row_number REPLACE (CASE WHEN text_value = 'male' THEN 'secret' ELSE text_value END AS text_value) FROM FILE"), "found a category that metadata/synehrgy.json does not know"},
		{"number lost", change(train, "SELECT * EXCLUDE file_row_number REPLACE (NULL::FLOAT AS numeric_value) FROM FILE"), "found nothing where a number belongs"},
		{"label of two", change(train, "SELECT * EXCLUDE file_row_number REPLACE (CASE WHEN code LIKE 'LABEL%' THEN 2::FLOAT ELSE numeric_value END AS numeric_value) FROM FILE"), "found a label that is neither 0 nor 1"},
		{"time moved", change(train, `SELECT * EXCLUDE file_row_number REPLACE (CASE WHEN ordinal = 9 THEN "time" + INTERVAL 1 SECOND ELSE "time" END AS "time") FROM FILE`), "found a time between two minutes of its visit"},
		{"before the visit", change(train, `SELECT * EXCLUDE file_row_number REPLACE (CASE WHEN code LIKE 'MEAS%' THEN "time" - INTERVAL 1 YEAR ELSE "time" END AS "time") FROM FILE`), "lies before the visit"},
		{"out of range", change(train, "SELECT * EXCLUDE file_row_number REPLACE (CASE WHEN code = 'MEASUREMENT//ph' THEN 735 ELSE numeric_value END AS numeric_value) FROM FILE"), `variable "ph" outside its range`},
		{"schema not JSON", edit("{", "["), "synehrgy.json: found no schema"},
		{"schema with unknown key", edit(`"source"`, `"sauce"`), `found no schema (json: unknown field "sauce")`},
		{"schema of a later layout", edit(`"layout": 1`, `"layout": 2`), "found layout 2, expected layout 1"},
		{"schema of an odd kind", edit(`"kind": "number"`, `"kind": "numbre"`), `of the unknown kind "numbre"`},
		{"schema with an empty range", edit(`"high": 120`, `"high": 17`), `covariate "age" with a range from 18 to 17`},
		{"schema with nine decimals", edit(`"decimals": 0`, `"decimals": 9`), "with 9 decimals"},
		{"schema without categories", edit(`"male"`, `"female"`), `with the category "female" twice`},
		{"schema with a label outside", edit(`"mortality": 0`, `"mortality": 3`), "found mortality as label 3 of 3"},
		{"schema renamed", edit(`"heart_rate"`, `"pulse"`), "found a code that metadata/synehrgy.json does not know"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cohort")
			require.NoError(t, meds.Write(t.Context(), dir, simulated(t, 12), meds.WriteOptions{}))
			c.spoil(t, dir)
			_, _, err := meds.Read(t.Context(), dir, table.Options{})
			var input *fault.Input
			require.ErrorAs(t, err, &input)
			require.Contains(t, err.Error(), c.says)
			require.Contains(t, err.Error(), dir)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func BenchmarkWriteAndRead(b *testing.B) {
	c, err := simulate.Cohort(simulate.Options{Patients: 5000, Seed: 1})
	require.NoError(b, err)
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "cohort")
		require.NoError(b, meds.Write(b.Context(), dir, c, meds.WriteOptions{}))
		_, _, err := meds.Read(b.Context(), dir, table.Options{})
		require.NoError(b, err)
	}
	b.ReportMetric(float64(c.Events())*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
