package token

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/challenge2012"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/eicu"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/mimic3"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table/tabletest"
)

type reader func(ctx context.Context, dir string, opt table.Options) (*ehr.Cohort, *table.Report, error)

// TestOpenDataSurviveTheRoundTrip: every patient of every data set that the project reads, under our settings and the
// published ones, in one piece and in chunks.
func TestOpenDataSurviveTheRoundTrip(t *testing.T) {
	for folder, read := range map[string]reader{
		"eicu-demo-2.0.1-part1": eicu.Read,
		"mimic-iii-demo-1.4":    mimic3.Read,
		"challenge-2012-set-a":  challenge2012.Read,
	} {
		t.Run(folder, func(t *testing.T) {
			cohort, _, err := read(t.Context(), tabletest.Folder(t, folder), tabletest.Options(t))
			require.NoError(t, err)
			requireCohortRoundTrip(t, cohort)
		})
	}
	t.Run("simulate", func(t *testing.T) {
		cohort, err := simulate.Cohort(simulate.Options{Patients: 500, Seed: 1})
		require.NoError(t, err)
		requireCohortRoundTrip(t, cohort)
	})
}

func requireCohortRoundTrip(t *testing.T, cohort *ehr.Cohort) {
	t.Helper()
	cohort.AssignSplits(1, ehr.DefaultShares)
	reference := readReference(t)
	for name, config := range map[string]Config{"default": DefaultConfig(), "reference": reference} {
		v := fit(t, cohort, config)
		var loss Loss
		tokens, longest, events, chunked := 0, 0, 0, 0
		for i := range cohort.Patients {
			record := requireRoundTrip(t, v, &cohort.Patients[i], uint64(i))
			tokens += len(record.Tokens)
			longest = max(longest, len(record.Tokens))
			events += record.Events
			loss.Add(&record.Loss)
			if config.Overflow == InChunks && len(record.Tokens) > config.Context {
				chunked++
				requireTargets(t, v, &record, config.Context)
				requireTargets(t, v, &record, v.MinContext())
			}
		}
		require.Equal(t, cohort.Events(), events)
		t.Logf("%s: %d patients, %d events, %d tokens, longest %d, %d in chunks, vocabulary %d, least context %d, loss %+v",
			name, len(cohort.Patients), events, tokens, longest, chunked, v.Size(), v.MinContext(), loss)
		worst, mean, clock, median := distances(t, v, cohort)
		t.Logf("%s: Kolmogorov-Smirnov distance of decoded to real numbers, worst %.4f, mean %.4f; minutes the clock is off at the last row: mean %.1f, median %.1f", name, worst, mean, clock, median)
		if name == "default" {
			require.Less(t, worst, 0.02, "a variable lost its distribution")
		}
	}
}

// distances compares the numbers of the training patients with those that come back: over the variables with 2,000 numbers
// or more the worst and the mean Kolmogorov-Smirnov distance, and over the visits with two rows or more the mean and the
// median of the absolute error of the minute of the last row.
func distances(t *testing.T, v *Vocabulary, cohort *ehr.Cohort) (worst, mean, clock, median float64) {
	t.Helper()
	real, drawn := make([][]float64, len(v.variables)), make([][]float64, len(v.variables))
	var off []float64
	collect := func(to [][]float64, visit *ehr.Visit) {
		for i := range visit.Rows {
			for _, x := range visit.Rows[i].Values {
				to[x.Var] = append(to[x.Var], x.X)
			}
		}
	}
	for i := range cohort.Patients {
		p := &cohort.Patients[i]
		if p.Split != ehr.Train {
			continue
		}
		record, err := v.Encode(p)
		require.NoError(t, err)
		back, err := v.Decode(record.Tokens, v.Draw(record.Tokens, 1, uint64(i)))
		require.NoError(t, err)
		for j := range p.Visits {
			a, b := &p.Visits[j], &back.Visits[j]
			collect(real, a)
			collect(drawn, b)
			if n := len(a.Rows); n >= 2 {
				off = append(off, math.Abs(float64(a.Rows[n-1].At-b.Rows[n-1].At)))
				clock += off[len(off)-1]
			}
		}
	}
	variables := 0
	for k := range real {
		if n := len(real[k]); n >= 2000 && v.variables[k].categories == 0 {
			d := kolmogorov(real[k], drawn[k])
			worst, mean, variables = max(worst, d), mean+d, variables+1
		}
	}
	require.NotEmpty(t, off)
	slices.Sort(off)
	return worst, mean / float64(max(variables, 1)), clock / float64(len(off)), off[len(off)/2]
}

// kolmogorov is the greatest difference of two empirical distribution functions. It sorts the samples.
func kolmogorov(a, b []float64) float64 {
	slices.Sort(a)
	slices.Sort(b)
	worst, j := 0.0, 0
	for i := range a {
		if i+1 < len(a) && a[i+1] == a[i] {
			continue
		}
		for j < len(b) && b[j] <= a[i] {
			j++
		}
		worst = max(worst, math.Abs(float64(i+1)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return worst
}

// requireTargets holds that every token but the first is a target once.
func requireTargets(t *testing.T, v *Vocabulary, record *Record, context int) {
	t.Helper()
	chunks, _, err := v.AppendChunks(nil, record, context)
	require.NoError(t, err)
	at := 1
	for _, c := range chunks {
		require.Equal(t, record.Tokens[at:at+len(c.Tokens)-c.Prefix], c.Tokens[c.Prefix:])
		at += len(c.Tokens) - c.Prefix
	}
	require.Equal(t, len(record.Tokens), at)
}
