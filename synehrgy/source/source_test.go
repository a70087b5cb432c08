package source_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/meds"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table/tabletest"
)

func TestAnUnknownFormatNamesTheNearest(t *testing.T) {
	require.True(t, slices.IsSorted(source.Formats()))
	for format, near := range map[string]string{"eICU ": "eicu", "mimic4": "mimic3", "med": "meds", "Challenge-2012": "challenge2012"} {
		_, _, err := source.Read(t.Context(), format, t.TempDir(), table.Options{})
		var usage *fault.Usage
		require.ErrorAs(t, err, &usage)
		require.ErrorContains(t, err, "did you mean "+near+"? Known are challenge2012, eicu, meds, mimic3")
	}
}

// Every format that can be read becomes a MEDS data set that reads back as the same cohort.
func TestRealCohortsSurviveMEDS(t *testing.T) {
	for format, folder := range map[string]string{"challenge2012": "challenge-2012-set-a", "eicu": "eicu-demo-2.0.1-part1", "mimic3": "mimic-iii-demo-1.4"} {
		t.Run(format, func(t *testing.T) {
			c, report, err := source.Read(t.Context(), format, tabletest.Folder(t, folder), table.Options{})
			require.NoError(t, err)
			require.NoError(t, report.Check())
			require.Greater(t, c.Events(), 10000)
			c.AssignSplits(1, ehr.DefaultShares)
			dir := filepath.Join(t.TempDir(), "cohort")
			require.NoError(t, meds.Write(t.Context(), dir, c, meds.WriteOptions{}))
			again, _, err := source.Read(t.Context(), "meds", dir, table.Options{})
			require.NoError(t, err)
			require.Equal(t, c.Schema, again.Schema)
			require.Len(t, again.Patients, len(c.Patients))
			for i := range c.Patients {
				require.Equal(t, c.Patients[i], again.Patients[i], "patient %d", i)
			}
		})
	}
}
