package evaluate

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func metricOf(t *testing.T, r *Results, id string) Metric {
	t.Helper()
	for _, s := range r.Sections {
		for _, m := range s.Metrics {
			if m.ID == id {
				return m
			}
		}
	}
	require.Fail(t, "no such metric", id)
	return Metric{}
}

func value(t *testing.T, r *Results, id string, system int) float64 {
	t.Helper()
	s := metricOf(t, r, id).Scores[system]
	require.NotNil(t, s.Value, "%s of %s: %s", id, s.System, s.Note)
	return *s.Value
}

func evaluated(t *testing.T, in Input, opt Options) *Results {
	t.Helper()
	r, err := Run(t.Context(), in, opt)
	require.NoError(t, err)
	requireWellFormed(t, r)
	return r
}

// requireWellFormed holds every result to its contract: a score for each system in order, no value without an end of its
// interval on the right side, no undefined value without a reason, no number that JSON cannot hold.
func requireWellFormed(t *testing.T, r *Results) {
	t.Helper()
	_, err := json.Marshal(r)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, s := range r.Sections {
		for _, m := range s.Metrics {
			require.False(t, seen[m.ID], m.ID)
			seen[m.ID] = true
			require.NotEmpty(t, m.About, m.ID)
			require.Len(t, m.Scores, len(r.Systems), m.ID)
			for i, score := range m.Scores {
				require.Equal(t, r.Systems[i].ID, score.System)
				if score.Value == nil {
					require.NotEmpty(t, score.Note, m.ID)
				}
				if score.Low != nil {
					require.LessOrEqual(t, *score.Low, *score.High, m.ID)
				}
			}
		}
		for _, f := range s.Figures {
			for _, line := range f.Series {
				if f.Kind == "heatmap" {
					require.Len(t, line.Y, len(f.Labels)*len(f.Labels), f.ID)
				} else if f.Kind == "bars" {
					require.Len(t, line.Y, len(f.Labels), f.ID)
				} else {
					require.Len(t, line.X, len(line.Y), f.ID)
				}
			}
		}
	}
	for _, v := range r.Verdicts {
		require.Contains(t, []string{statePass, stateWarn, stateFail, stateBlind}, v.State)
		require.NotEmpty(t, v.Text)
	}
}

func wardInput(synthetic *ehr.Cohort) Input {
	return Input{Train: ward(400, 11), HeldOut: ward(300, 12), Synthetic: synthetic}
}

func TestFreshPatientsOfTheSameWardPass(t *testing.T) {
	r := evaluated(t, wardInput(ward(400, 13)), Options{Seed: 1, Threads: 2, Trees: logistic{}})
	for _, id := range []string{"fidelity.codes", "fidelity.values", "fidelity.marginals", "fidelity.records", "utility.mortality", "fidelity.above_ceiling",
		"privacy.nearest_neighbour", "control.planted_copies", "control.copy", "control.ceiling"} {
		v := verdictOf(t, r, id)
		require.Equal(t, statePass, v.State, "%s: %s", id, v.Text)
	}
	require.Zero(t, value(t, r, "values.out_of_range", atSynthetic))
	require.Greater(t, value(t, r, "utility.tstr_auroc", atSynthetic), 0.75)
	require.Less(t, value(t, r, "utility.tstr_auroc", atIndependent)+0.08, value(t, r, "utility.tstr_auroc", atSynthetic))
	require.Greater(t, value(t, r, "values.tcd", atIndependent), 3*value(t, r, "values.tcd", atSynthetic))
	for _, id := range []string{"values.ks_median", "values.w1_worst", "values.tcd", "missingness.cooccurrence", "missingness.row_rate", "records.ks_mean", "records.labels_worst"} {
		require.Zero(t, value(t, r, id, atCopy), id)
	}
	require.Equal(t, value(t, r, "utility.tstr_auroc", atCeiling), value(t, r, "utility.tstr_auroc", atCopy))
}

func TestIndependentMarginalsFailWhereStructureIsJudged(t *testing.T) {
	in := wardInput(nil)
	in.Synthetic = SampleIndependent(in.Train, 400, 99)
	r := evaluated(t, in, Options{Threads: 2, Trees: logistic{}})
	for _, id := range []string{"fidelity.codes", "fidelity.values"} {
		v := verdictOf(t, r, id)
		require.Equal(t, stateFail, v.State, v.Text)
	}
	require.Equal(t, stateFail, verdictOf(t, r, "utility.mortality").State)
	require.Equal(t, statePass, verdictOf(t, r, "privacy.nearest_neighbour").State)
}

func TestCopyOfTheTrainingSetIsCalledALeak(t *testing.T) {
	in := wardInput(nil)
	in.Synthetic = in.Train
	r := evaluated(t, in, Options{Threads: 2})
	require.Equal(t, stateFail, verdictOf(t, r, "privacy.nearest_neighbour").State)
	for i := range audits {
		require.Equal(t, stateFail, verdictOf(t, r, audits[i].id).State)
	}
	require.Equal(t, 1.0, value(t, r, "privacy.exact_copies", atSynthetic))
	require.Equal(t, 1.0, value(t, r, "privacy.membership_tpr", atCopy))
}

func TestTenthOfCopiesIsCalledALeak(t *testing.T) {
	in := wardInput(ward(400, 13))
	copy(in.Synthetic.Patients, in.Train.Patients[:40])
	r := evaluated(t, in, Options{Threads: 2})
	v := verdictOf(t, r, "privacy.nearest_neighbour")
	require.Equal(t, stateFail, v.State, v.Text)
	require.InDelta(t, 0.1, value(t, r, "privacy.exact_copies", atSynthetic), 1e-12)
}

func TestAuditThatCannotSeePlantedCopiesIsBlind(t *testing.T) {
	in := Input{Train: ward(16, 1), HeldOut: ward(16, 2), Synthetic: ward(16, 3)}
	r := evaluated(t, in, Options{Threads: 2})
	v := verdictOf(t, r, "privacy.nearest_neighbour")
	require.Equal(t, stateBlind, v.State, v.Text)
	require.Contains(t, v.Text, "nothing may be called private")
	require.Equal(t, stateBlind, verdictOf(t, r, "control.planted_copies").State)
}

func TestThreadsDoNotChangeResults(t *testing.T) {
	in := Input{Train: ward(120, 1), HeldOut: ward(80, 2), Synthetic: ward(100, 3)}
	var want []byte
	for _, threads := range []int{1, 2, 3, 7} {
		r := evaluated(t, in, Options{Seed: 5, Threads: threads, Bootstrap: 40, Trees: logistic{}})
		got, err := json.Marshal(r)
		require.NoError(t, err)
		if want == nil {
			want = got
		}
		require.Equal(t, string(want), string(got), threads)
	}
	r := evaluated(t, in, Options{Seed: 6, Threads: 2, Bootstrap: 40, Trees: logistic{}})
	other, err := json.Marshal(r)
	require.NoError(t, err)
	require.NotEqual(t, string(want), string(other), "another seed, other resamples")
}

func TestDegenerateCohortsAreUndefinedWithReasons(t *testing.T) {
	bare := func(change func(*ehr.Visit)) *ehr.Cohort {
		c := ward(12, 4)
		for i := range c.Patients {
			for v := range c.Patients[i].Visits {
				change(&c.Patients[i].Visits[v])
			}
		}
		return c
	}
	for _, c := range []struct {
		name      string
		in        Input
		undefined []string
	}{
		{"one patient", Input{ward(1, 1), ward(1, 2), ward(1, 3)}, []string{"privacy.nnaa_loss"}},
		{"one empty patient", Input{&ehr.Cohort{Schema: wardSchema(), Patients: make([]ehr.Patient, 1)}, ward(1, 2), ward(1, 3)}, []string{"codes.unigram_r2_record", "values.tcd", "values.ks_median", "missingness.cooccurrence"}},
		{"no codes", Input{bare(func(v *ehr.Visit) { v.Codes = nil }), ward(12, 2), ward(12, 3)}, []string{"codes.unigram_r2_record", "codes.bigram_r2_visit", "codes.coverage", "codes.published_bigram_pearson"}},
		{"no rows", Input{bare(func(v *ehr.Visit) { v.Rows = nil }), ward(12, 2), ward(12, 3)}, []string{"values.tcd", "missingness.row_rate", "records.gap_ks"}},
		{"no rows in the synthetic patients", Input{ward(12, 2), ward(12, 3), bare(func(v *ehr.Visit) { v.Rows = nil })}, []string{"values.tcd", "missingness.row_rate"}},
		{"no labels", Input{bare(func(v *ehr.Visit) { v.Labels = nil }), ward(12, 2), ward(12, 3)}, []string{"utility.tstr_gap", "utility.tsrtr_gain_with_codes"}},
		{"nobody died", Input{ward(12, 2), ward(12, 3), bare(func(v *ehr.Visit) { v.Labels = []ehr.Label{{Label: 0}} })}, []string{"utility.tstr_auroc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := evaluated(t, c.in, Options{Threads: 2, Bootstrap: 20, Trees: logistic{}})
			for _, id := range c.undefined {
				s := metricOf(t, r, id).Scores[atSynthetic]
				require.Nil(t, s.Value, id)
				require.NotEmpty(t, s.Note, id)
			}
		})
	}
	t.Run("a schema of nothing", func(t *testing.T) {
		nothing := func() *ehr.Cohort {
			return &ehr.Cohort{Schema: ehr.Schema{Mortality: -1}, Patients: []ehr.Patient{{Visits: make([]ehr.Visit, 1)}, {}}}
		}
		r := evaluated(t, Input{nothing(), nothing(), nothing()}, Options{Bootstrap: 20})
		require.Contains(t, metricOf(t, r, "utility.tstr_auroc").Scores[0].Note, "no label")
		require.Zero(t, value(t, r, "privacy.exact_copies", atCopy), "empty records are no copies")
	})
	t.Run("no trees", func(t *testing.T) {
		r := evaluated(t, Input{ward(12, 1), ward(12, 2), ward(12, 3)}, Options{Bootstrap: 20})
		require.Contains(t, metricOf(t, r, "utility.tstr_auroc").Scores[0].Note, "trees")
	})
	t.Run("single visits", func(t *testing.T) {
		single := func(seed uint64) *ehr.Cohort {
			c := ward(12, seed)
			for i := range c.Patients {
				c.Patients[i].Visits = c.Patients[i].Visits[:1]
			}
			return c
		}
		r := evaluated(t, Input{single(1), single(2), single(3)}, Options{Bootstrap: 20})
		require.Contains(t, metricOf(t, r, "codes.sequential_r2_visit").Scores[0].Note, "consecutive visits")
		require.Nil(t, metricOf(t, r, "records.pause_ks").Scores[0].Value)
	})
}

func TestCohortsThatCannotBeComparedAreRefused(t *testing.T) {
	other := ward(3, 1)
	other.Schema.Variables = other.Schema.Variables[:2]
	broken := ward(3, 1)
	broken.Patients[1].Visits[0].Rows[0].Values[0].Var = 77
	for what, in := range map[string]Input{
		"held-out cohort holds no patient":               {ward(3, 1), &ehr.Cohort{Schema: wardSchema()}, ward(3, 2)},
		"synthetic cohort holds no patient":              {ward(3, 1), ward(3, 1), nil},
		"other variables":                                {ward(3, 1), ward(3, 2), other},
		"patient 2 of the synthetic cohort does not fit": {ward(3, 1), ward(3, 2), broken},
	} {
		_, err := Run(t.Context(), in, Options{})
		var usage *fault.Usage
		require.ErrorAs(t, err, &usage)
		require.Contains(t, err.Error(), what)
	}
}

func TestImpossibleValuesAreCounted(t *testing.T) {
	in := Input{ward(30, 1), ward(30, 2), ward(30, 3)}
	for i := range in.Synthetic.Patients {
		in.Synthetic.Patients[i].Visits[0].Rows[0].Values[0].X = -1
		in.Synthetic.Patients[i].Visits[0].Covariates[1].X = 7 // no such sex
	}
	r := evaluated(t, in, Options{Bootstrap: 20, Trees: logistic{}})
	total := in.Synthetic.Events()
	for i := range in.Synthetic.Patients {
		for _, v := range in.Synthetic.Patients[i].Visits {
			total -= len(v.Codes) + len(v.Labels)
		}
	}
	require.InDelta(t, 60/float64(total), value(t, r, "values.out_of_range", atSynthetic), 1e-12)
}

func TestCancelledEvaluationStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in := Input{ward(60, 1), ward(60, 2), ward(60, 3)}
	_, err := Run(ctx, in, Options{Progress: func(done, _ int, _ string) {
		if done == 2 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
}

func TestResultsSurviveTheDisk(t *testing.T) {
	r := evaluated(t, Input{ward(20, 1), ward(20, 2), ward(20, 3)}, Options{Bootstrap: 20})
	path := filepath.Join(t.TempDir(), "results.json")
	require.NoError(t, r.WriteJSON(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	back, err := ReadResults(path)
	require.NoError(t, err)
	a, err := json.Marshal(r)
	require.NoError(t, err)
	b, err := json.Marshal(back)
	require.NoError(t, err)
	require.Equal(t, string(a), string(b))

	require.NoError(t, os.WriteFile(path, []byte(`{"format": 1, "sect`), 0o600))
	_, err = ReadResults(path)
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.NoError(t, os.WriteFile(path, []byte(`{"format": 9}`), 0o600))
	_, err = ReadResults(path)
	require.ErrorContains(t, err, "format 9")

	folder := filepath.Join(t.TempDir(), "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "results.json"), 0o700)) // a folder is in the way of the rename
	require.Error(t, r.WriteJSON(filepath.Join(folder, "results.json")))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing half-written is left")
}

func TestIndependentSamplerKeepsMarginalsAndBreaksCorrelation(t *testing.T) {
	train := ward(1500, 1)
	drawn := SampleIndependent(train, 1500, 2)
	for i := range drawn.Patients {
		require.NoError(t, drawn.Schema.Check(&drawn.Patients[i]))
	}
	r := evaluated(t, Input{train, ward(1500, 3), drawn}, Options{Bootstrap: 20, Threads: 2})
	for _, id := range []string{"values.ks_worst", "values.tv_worst", "missingness.row_rate", "records.visits_ks", "records.rows_ks", "records.codes_ks", "records.stay_ks", "records.gap_ks", "records.pause_ks", "records.labels_worst"} {
		require.Less(t, value(t, r, id, atSynthetic), 0.045, id)
	}
	require.Greater(t, value(t, r, "codes.unigram_r2_visit", atSynthetic), 0.97)
	require.Less(t, value(t, r, "codes.bigram_r2_record", atSynthetic), 0.5)
	require.Greater(t, value(t, r, "values.tcd", atSynthetic), 5*value(t, r, "values.tcd", atCeiling))

	again, err := json.Marshal(SampleIndependent(train, 20, 2))
	require.NoError(t, err)
	first, err := json.Marshal(&ehr.Cohort{Schema: drawn.Schema, Patients: drawn.Patients[:20]})
	require.NoError(t, err)
	require.Equal(t, string(first), string(again), "a smaller draw of the same seed is a prefix")
}

func TestRowsOfOneValueStayRowsOfOneValue(t *testing.T) {
	train := ward(40, 1)
	for i := range train.Patients {
		for v := range train.Patients[i].Visits {
			for r := range train.Patients[i].Visits[v].Rows {
				row := &train.Patients[i].Visits[v].Rows[r]
				row.Values = row.Values[len(row.Values)-1:]
			}
		}
	}
	drawn := SampleIndependent(train, 200, 1)
	rows, values := 0, 0
	for i := range drawn.Patients {
		for _, v := range drawn.Patients[i].Visits {
			rows += len(v.Rows)
			for _, r := range v.Rows {
				values += len(r.Values)
			}
		}
	}
	require.InDelta(t, 1.02, float64(values)/float64(rows), 0.03)
}

func TestFeaturesLookAt48HoursAndNotAtCodes(t *testing.T) {
	schema := wardSchema()
	v := &ehr.Visit{Covariates: []ehr.Value{{Var: 0, X: 70}, {Var: 1, X: 1}}, Codes: []ehr.Code{{System: 0, Code: "C0"}},
		Labels: []ehr.Label{{Label: 0, On: true}},
		Rows:   []ehr.Row{{At: 0, Values: []ehr.Value{{Var: 0, X: 80}}}, {At: 2879, Values: []ehr.Value{{Var: 0, X: 100}, {Var: 2, X: 1}}}, {At: 2880, Values: []ehr.Value{{Var: 0, X: 1}}}}}
	p := []*ehr.Patient{{Visits: []ehr.Visit{*v}}}
	plain, coded := newFeatures(&schema, p, false), newFeatures(&schema, p, true)
	require.Equal(t, plain.width+1, coded.width)
	got := plain.of(p).x.Row(0)
	nan := float32(math.NaN())
	want := []float32{80, 100, 90, 100, 2, nan, nan, nan, nan, 0, 0, 1, 0, 1, nan, nan, nan, nan, 0, 70, 0, 1}
	require.Len(t, got, len(want))
	for i := range want {
		if want[i] != want[i] {
			require.True(t, got[i] != got[i], i)
		} else {
			require.Equal(t, want[i], got[i], i)
		}
	}
	require.Equal(t, float32(1), coded.of(p).x.Row(0)[plain.width])
}

func TestDistanceOfPatientsByHand(t *testing.T) {
	schema := wardSchema()
	one := &ehr.Patient{Visits: []ehr.Visit{{Stay: ehr.Unknown, Codes: []ehr.Code{{Code: "a"}, {Code: "b"}}, Covariates: []ehr.Value{{Var: 1, X: 0}}}}}
	two := &ehr.Patient{Visits: []ehr.Visit{{Stay: ehr.Unknown, Codes: []ehr.Code{{Code: "b"}, {System: 1, Code: "b"}}, Covariates: []ehr.Value{{Var: 0, X: 50}, {Var: 1, X: 1}}, Labels: []ehr.Label{{Label: 1, On: true}}}}}
	both := []*ehr.Patient{one, two}
	m := newSpace(&schema, both, both).points(both)
	// Codes a and (1, b), label 1, sex: 4. Age is known once, so z = 0; nothing is measured.
	require.InDelta(t, 4, squaredDistance(m.Row(0), m.Row(1), math.Inf(1)), 1e-6)
	require.Equal(t, fingerprint(one), fingerprint(&ehr.Patient{ID: "x", Visits: []ehr.Visit{{Stay: ehr.Unknown, Codes: []ehr.Code{{Code: "b"}, {Code: "a"}}, Covariates: []ehr.Value{{Var: 1, X: 0}}}}}), "the order of codes is no difference")
	require.NotEqual(t, fingerprint(one), fingerprint(two))
}

func TestNoPatientValueInAnyFaultOrNote(t *testing.T) {
	in := Input{ward(5, 1), ward(5, 2), ward(5, 3)}
	in.Train.Patients[0].Visits[0].Covariates[0].X = math.NaN()
	in.Train.Patients[0].ID = "Jane Roe"
	_, err := Run(t.Context(), in, Options{})
	require.ErrorContains(t, err, "patient 1 of the training cohort")
	require.False(t, strings.Contains(err.Error(), "Jane"))
}
