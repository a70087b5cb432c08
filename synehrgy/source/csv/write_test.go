package csv_test

import (
	"context"
	stdcsv "encoding/csv"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/csv"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
)

func small() *ehr.Cohort {
	return &ehr.Cohort{
		Schema: ehr.Schema{
			Source: "test",
			Covariates: []ehr.Variable{{Name: "age", Title: "Age", Unit: "a", Kind: ehr.Number, Low: ehr.Bound(0)},
				{Name: "visit", Kind: ehr.Category, Categories: []string{"first, planned", "again"}}},
			Labels:    []ehr.LabelDef{{Name: "died"}, {Name: "sepsis", PositiveOnly: true}},
			Systems:   []ehr.System{{Name: "ICD9CM", Kind: ehr.Diagnosis}},
			Variables: []ehr.Variable{{Name: "ph", Kind: ehr.Number, Decimals: 2, Low: ehr.Bound(-1), High: ehr.Bound(7.8)}, {Name: "device", Unit: "u", Kind: ehr.Category, Categories: []string{"a \"b\"", "c"}}},
			Mortality: 0,
		},
		Patients: []ehr.Patient{
			{ID: "O'Hara, \"x\"\n", Split: ehr.HeldOut, Visits: []ehr.Visit{
				{ID: "1", SinceDischarge: ehr.Unknown, Stay: 90, Covariates: []ehr.Value{{Var: 0, X: 7}, {Var: 1, X: 0}}, Labels: []ehr.Label{{Label: 0}, {Label: 1, On: true}},
					Codes: []ehr.Code{{Code: "0066"}, {Code: "428.0"}},
					Rows:  []ehr.Row{{At: 3, Values: []ehr.Value{{Var: 0, X: 7.4}, {Var: 1, X: 0}}}, {At: 5, Values: []ehr.Value{{Var: 0, X: math.Copysign(0, -1)}}}}},
				{SinceDischarge: 5, Stay: ehr.Unknown, Covariates: []ehr.Value{{Var: 1, X: 1}}},
			}},
			{ID: "2"},
		},
	}
}

func text(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}

func TestEveryFileIsAsDocumented(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, csv.Write(t.Context(), dir, small()))
	const hara = "\"O'Hara, \"\"x\"\"\n\""
	for name, want := range map[string]string{
		"patients.csv": "patient,split,visits\n" + hara + ",held_out,2\n2,,0\n",
		"visits.csv": "patient,visit,visit_id,since_discharge_minutes,stay_minutes,age,visit_2,label_died,label_sepsis\n" +
			hara + ",1,1,,90,7,\"first, planned\",0,1\n" + hara + ",2,,5,,,again,,0\n",
		"codes.csv":  "patient,visit,position,kind,system,code\n" + hara + ",1,1,diagnosis,ICD9CM,0066\n" + hara + ",1,2,diagnosis,ICD9CM,428.0\n",
		"events.csv": "patient,visit,minute,variable,value,unit\n" + hara + ",1,3,ph,7.40,\n" + hara + ",1,3,device,\"a \"\"b\"\"\",u\n" + hara + ",1,5,ph,0.00,\n",
		"variables.csv": "role,name,title,unit,decimals,low,high,categories\ncovariate,age,Age,a,0,0,,\ncovariate,visit,,,,,,\"first, planned|again\"\n" +
			"variable,ph,,,2,-1.00,7.80,\nvariable,device,,u,,,,\"a \"\"b\"\"|c\"\nlabel,died,,,,,,0|1\nlabel,sepsis,,,,,,0|1\n",
	} {
		require.Equal(t, want, text(t, dir, name), name)
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestEveryEventIsALine(t *testing.T) {
	c, err := simulate.Cohort(simulate.Options{Patients: 200, Seed: 1})
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, csv.Write(t.Context(), dir, c))
	lines := func(name string) int {
		f, err := os.Open(filepath.Join(dir, name))
		require.NoError(t, err)
		defer f.Close()
		records, err := stdcsv.NewReader(f).ReadAll()
		require.NoError(t, err)
		return len(records) - 1
	}
	require.Equal(t, len(c.Patients), lines("patients.csv"))
	require.Equal(t, c.Visits(), lines("visits.csv"))
	covariatesAndLabels := 0
	for i := range c.Patients {
		for v := range c.Patients[i].Visits {
			covariatesAndLabels += len(c.Patients[i].Visits[v].Covariates) + len(c.Patients[i].Visits[v].Labels)
		}
	}
	require.Equal(t, c.Events(), lines("codes.csv")+lines("events.csv")+covariatesAndLabels)
}

func TestAFailureLeavesNothing(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := small()
	broken.Patients[0].Visits[0].Rows[0].Values[0].X = 735
	taken := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(taken, "mine"), nil, 0o600))
	var input *fault.Input
	var usage *fault.Usage
	parent := t.TempDir()
	require.ErrorIs(t, csv.Write(cancelled, filepath.Join(parent, "out"), small()), context.Canceled)
	require.ErrorAs(t, csv.Write(t.Context(), filepath.Join(parent, "out"), broken), &input)
	require.NotContains(t, input.Error(), "735")
	require.ErrorAs(t, csv.Write(t.Context(), taken, small()), &usage)
	for dir, files := range map[string]int{parent: 0, taken: 1} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, files)
	}
}
