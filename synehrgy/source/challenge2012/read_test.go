package challenge2012_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/challenge2012"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table/tabletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSetAIsReadWholeAndAlike(t *testing.T) {
	dir := tabletest.Folder(t, "challenge-2012-set-a")
	c, r, err := challenge2012.Read(t.Context(), dir, tabletest.Options(t))
	require.NoError(t, err)
	require.Len(t, c.Patients, 4000)
	require.Equal(t, 4000, c.Visits())
	require.Len(t, c.Schema.Variables, 37)
	deaths, unknownStay, kept := 0, 0, 4000 // the RecordID rows
	var noRows []string
	for i := range c.Patients {
		v := &c.Patients[i].Visits[0]
		if on, known := v.Label(c.Schema.Mortality); known && on {
			deaths++
		}
		if v.Stay == ehr.Unknown {
			unknownStay++
		}
		if len(v.Rows) == 0 {
			noRows = append(noRows, v.ID)
		}
		kept += v.Events() - len(v.Labels)
	}
	require.Equal(t, 554, deaths)
	require.Equal(t, 60, unknownStay)
	require.Equal(t, []string{"140501", "140936", "141264"}, noRows)
	records := tabletest.Kept(t, r, "records")
	require.EqualValues(t, 1757980, records.Read)
	require.EqualValues(t, kept, records.Kept, "every row that is kept is an event of the cohort or a RecordID")
	require.EqualValues(t, 1894+3+326, r.Lost("records", "missing (-1)"), "Height, Gender, Weight")
	require.Zero(t, r.Lost("records", "not a parameter of the challenge"))

	again, r2, err := challenge2012.Read(t.Context(), dir, tabletest.Options(t))
	require.NoError(t, err)
	require.Equal(t, c, again)
	require.Equal(t, r, r2)
}

const (
	outcomes = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n7,6,1,5,-1,0\n8,6,1,-1,3,1\n"
	header   = "Time,Parameter,Value\n"
	head     = header + "00:00,RecordID,7\n00:00,Age,54\n00:00,Gender,1\n00:00,Height,-1\n00:00,ICUType,4\n00:00,Weight,70\n"
	eight    = header + "00:00,RecordID,8\n00:00,Age,91\n00:00,Gender,0\n00:00,Height,431.8\n00:00,ICUType,1\n00:00,Weight,-1\n00:00,Weight,81.5\n"
	series   = "00:00,Weight,71\n00:07,HR,73\n00:07,HR,74\n00:07,pH,735\n00:07,pH,7.35\n00:09,MechVent,1\n47:59,NIMAP,92.33\n47:59,HR,-1\n" +
		"47:59,HR,fast\n47:59,Mood,3\n47:59,HR,0\n47:59,Height,170\n"
)

func TestTrapsOfARecord(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"folder of records": {"Outcomes-a.txt": outcomes, "8.txt": eight, "7.txt": strings.ReplaceAll(head+series, "\n", "\r\n")},
		"set-b beside":      {"Outcomes-b.txt": outcomes, "set-b/8.txt": eight, "set-b/7.txt": head + series},
		"archive":           {"Outcomes-a.txt": outcomes, "set-a.tar.gz": archive(t, map[string]string{"8.txt": eight, "7.txt": head + series})},
	} {
		t.Run(name, func(t *testing.T) {
			c, r, err := challenge2012.Read(t.Context(), tabletest.Write(t, files), tabletest.Options(t))
			require.NoError(t, err)
			require.Len(t, c.Patients, 2)
			v := c.Patients[0].Visits[0]
			require.Equal(t, "7", v.ID)
			require.EqualValues(t, 5*24*60, v.Stay)
			variable := func(name string) int32 { return c.Schema.VariableIndex(name) }
			require.Equal(t, []ehr.Value{{Var: 0, X: 54}, {Var: 1, X: 1}, {Var: 2, X: 170}, {Var: 3, X: 70}, {Var: 4, X: 3}}, v.Covariates)
			require.Equal(t, []ehr.Row{
				{At: 0, Values: []ehr.Value{{Var: variable("weight"), X: 71}}},
				{At: 7, Values: []ehr.Value{{Var: variable("heart_rate"), X: 74}, {Var: variable("ph"), X: 7.35}}},
				{At: 9, Values: []ehr.Value{{Var: variable("mechanical_ventilation"), X: 0}}},
				{At: 47*60 + 59, Values: []ehr.Value{{Var: variable("mean_pressure"), X: 92.33}}},
			}, v.Rows)
			w := c.Patients[1].Visits[0]
			require.Equal(t, ehr.Unknown, w.Stay)
			require.Equal(t, []ehr.Label{{Label: 0, On: true}}, w.Labels)
			require.Equal(t, []ehr.Value{{Var: 1, X: 0}, {Var: 4, X: 0}}, w.Covariates, "no age of 91, no height of 431.8, no weight of -1")
			require.Equal(t, []ehr.Row{{At: 0, Values: []ehr.Value{{Var: variable("weight"), X: 81.5}}}}, w.Rows)
			require.Equal(t, []table.Drop{
				{Table: "records", Reason: "a later value at the same minute", Count: 1},
				{Table: "records", Reason: "missing (-1)", Count: 3},
				{Table: "records", Reason: "not a number", Count: 1},
				{Table: "records", Reason: "not a parameter of the challenge", Count: 1},
				{Table: "records", Reason: "outside the physical range", Count: 4},
			}, r.Dropped)
		})
	}
}

func TestBadFilesAreOneSentence(t *testing.T) {
	good := func() map[string]string {
		return map[string]string{"Outcomes-a.txt": outcomes, "set-a/7.txt": head + series, "set-a/8.txt": eight}
	}
	packed := pack(t, map[string]string{"7.txt": head + series, "8.txt": eight})
	for _, c := range []struct {
		name, file, content string
		row                 int64
		says                string
	}{
		{"no outcomes", "Outcomes-a.txt", "gone", 0, "expected Outcomes-a.txt"},
		{"empty outcomes", "Outcomes-a.txt", "", 0, "Outcomes-a.txt: found an empty file"},
		{"other header", "Outcomes-a.txt", "id,death\n", 1, "found another header, expected RecordID,SAPS-I"},
		{"outcome with a bad length", "Outcomes-a.txt", outcomes + "9,6,1,long,-1,0\n", 4, "expected a length of stay in days"},
		{"outcome twice", "Outcomes-a.txt", outcomes + "7,6,1,5,-1,0\n", 4, "found the RecordID of an earlier row"},
		{"outcome cut off", "Outcomes-a.txt", outcomes + "9,6,1\n", 4, "found 3 fields, expected 6"},
		{"stay without an outcome", "set-a/9.txt", head, 0, "9.txt: found no row of this record among the outcomes"},
		{"record of another name", "set-a/8.txt", head, 2, "8.txt, row 2: found another RecordID"},
		{"empty record", "set-a/8.txt", "", 0, "8.txt: found an empty file"},
		{"record without a header", "set-a/8.txt", "00:00,RecordID,8\n", 1, "row 1: found another header"},
		{"time that does not parse", "set-a/7.txt", head + "7 am,HR,70\n", 8, "row 8: found something else in column Time"},
		{"minute 60", "set-a/7.txt", head + "00:60,HR,70\n", 8, "expected hours and minutes"},
		{"time before the visit", "set-a/7.txt", head + "-1:30,HR,70\n", 8, "expected hours and minutes"},
		{"two fields", "set-a/7.txt", head + "00:07,HR\n", 8, "row 8: found another number of fields"},
		{"truncated archive", "set-a.tar.gz", packed[:len(packed)/2], 0, "set-a.tar.gz: found packed data that break off"},
		{"archive without its end", "set-a.tar.gz", packed[:len(packed)-4], 0, "set-a.tar.gz: found packed data that break off"},
		{"no archive", "set-a.tar.gz", "hello", 0, "set-a.tar.gz: found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := good()
			dir := ""
			if c.file == "set-a.tar.gz" { // packed already
				dir = tabletest.Write(t, files)
				require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o600))
			} else {
				if files[c.file] = c.content; c.content == "gone" {
					delete(files, c.file)
				}
				dir = tabletest.Write(t, files)
			}
			_, _, err := challenge2012.Read(t.Context(), dir, tabletest.Options(t))
			tabletest.RequireInput(t, err, c.row, c.says)
		})
	}
	_, _, err := challenge2012.Read(t.Context(), tabletest.Write(t, map[string]string{"Outcomes-a.txt": outcomes}), tabletest.Options(t))
	tabletest.RequireInput(t, err, 0, "found no record")
}

func TestOutcomesWithoutARecordAreCounted(t *testing.T) {
	_, r, err := challenge2012.Read(t.Context(), tabletest.Write(t, map[string]string{"Outcomes-a.txt": outcomes, "7.txt": head}), tabletest.Options(t))
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Lost("outcomes", "no record of that id"))
}

// pack is archive, packed by gzip.
func pack(t *testing.T, records map[string]string) string {
	return string(tabletest.Pack(t, archive(t, records)))
}

// archive is a tar archive of records, in the folder set-a.
func archive(t *testing.T, records map[string]string) string {
	t.Helper()
	names := make([]string, 0, len(records))
	for name := range records {
		names = append(names, name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "set-a/" + name, Mode: 0o600, Size: int64(len(records[name]))}))
		_, err := w.Write([]byte(records[name]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String()
}
