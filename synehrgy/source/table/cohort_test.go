package table_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

func TestRowsAreSortedAndTheLastValueWins(t *testing.T) {
	rows, repeated := table.Rows([]table.Measurement{{5, 1, 50}, {0, 2, 1}, {5, 0, 7}, {5, 1, 51}, {5, 1, 52}, {0, 0, 3}})
	require.EqualValues(t, 2, repeated)
	require.Equal(t, []ehr.Row{
		{At: 0, Values: []ehr.Value{{Var: 0, X: 3}, {Var: 2, X: 1}}},
		{At: 5, Values: []ehr.Value{{Var: 0, X: 7}, {Var: 1, X: 52}}},
	}, rows)
	rows, repeated = table.Rows(nil)
	require.Nil(t, rows)
	require.Zero(t, repeated)
}

func TestFinishRefusesABrokenCohortAndAnUnevenReport(t *testing.T) {
	c := &ehr.Cohort{Patients: []ehr.Patient{{ID: "1", Visits: []ehr.Visit{{Rows: []ehr.Row{{At: 3}}}}}}}
	r := &table.Report{Source: "x"}
	require.ErrorContains(t, table.Finish(c, r, slog.New(slog.DiscardHandler)), "patient 1 of 1: visit 1: row 1 is empty")
	c.Patients[0].Visits[0].Rows = nil
	r.Keep("a", "rows", 1, 0)
	require.ErrorContains(t, table.Finish(c, r, slog.New(slog.DiscardHandler)), "x: a: 1 rows read")
	r.Drop("a", "late", 1)
	require.NoError(t, table.Finish(c, r, slog.New(slog.DiscardHandler)))
}
