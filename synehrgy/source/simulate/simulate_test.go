package simulate_test

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
)

// drawn is a cohort large enough for the laws to show, with what lay behind it.
var drawn = sync.OnceValue(func() sample {
	const patients = 12000
	s := sample{truths: make([][]simulate.Truth, patients)}
	s.cohort = &ehr.Cohort{Schema: simulate.Schema(), Patients: make([]ehr.Patient, patients)}
	for i := range patients {
		s.cohort.Patients[i], s.truths[i] = simulate.Patient(3, i)
	}
	return s
})

type sample struct {
	cohort *ehr.Cohort
	truths [][]simulate.Truth
}

var law = sync.OnceValue(simulate.ConditionLaw)

// within asks that an observed share of n draws lies within five standard errors of its probability.
func within(t *testing.T, p, observed float64, n int, what string) {
	t.Helper()
	require.InDelta(t, p, observed, 5*math.Sqrt(p*(1-p)/float64(n))+1e-9, what)
}

func TestConditionsHaveThePrevalenceOfTheLaw(t *testing.T) {
	s, l := drawn(), law()
	n := len(s.cohort.Patients)
	for k, code := range l.Codes {
		count := 0
		for i := range s.cohort.Patients {
			if slices.Contains(s.cohort.Patients[i].Visits[0].Codes, ehr.Code{Code: code}) {
				count++
			}
		}
		within(t, l.Prevalence[k], float64(count)/float64(n), n, code)
	}
}

func TestConditionsRaiseEachOtherAsTheLawSays(t *testing.T) {
	s, l := drawn(), law()
	n := len(s.cohort.Patients)
	strongest := 0.0
	for j := range l.Codes {
		for k := range j {
			both := 0
			for i := range s.truths {
				if has := s.truths[i][0].Conditions; has>>j&1 == 1 && has>>k&1 == 1 {
					both++
				}
			}
			within(t, l.Pair[j][k], float64(both)/float64(n), n, l.Codes[j]+" with "+l.Codes[k])
			require.Equal(t, l.Pair[j][k], l.Pair[k][j])
			strongest = max(strongest, l.Lift(j, k))
		}
	}
	require.Greater(t, strongest, 4.0, "some conditions go together far more often than chance")
}

func TestTheLawIsAProbability(t *testing.T) {
	l := law()
	total, mean, expected := 0.0, 0.0, 0.0
	for b, p := range l.Burden {
		total += p
		mean += float64(b) * p
	}
	require.InDelta(t, 1, total, 1e-9)
	// Mean burden once more, from the prevalences and the weights that Patient shows.
	weights := conditionWeights()
	for k, p := range l.Prevalence {
		expected += weights[k] * p
	}
	require.InDelta(t, expected, mean, 1e-9)
}

// conditionWeights solves for the weights from drawn patients: burdens of persons that differ in one condition.
func conditionWeights() map[int]float64 {
	byConditions := map[uint32]int{}
	for _, truths := range drawn().truths {
		byConditions[truths[0].Conditions] = truths[0].Burden
	}
	weights := map[int]float64{}
	for has, b := range byConditions {
		for k := range 16 {
			if other, ok := byConditions[has|1<<k]; ok && has>>k&1 == 0 {
				weights[k] = float64(other - b)
			}
		}
	}
	return weights
}

func TestBurdenFollowsTheLaw(t *testing.T) {
	s, l := drawn(), law()
	counts := make([]int, len(l.Burden))
	for i := range s.truths {
		counts[s.truths[i][0].Burden]++
	}
	for b, p := range l.Burden {
		within(t, p, float64(counts[b])/float64(len(s.truths)), len(s.truths), "burden")
	}
}

func TestReasonsFollowTheConditions(t *testing.T) {
	s := drawn()
	codes, _ := simulate.ReasonProbabilities(0)
	expected, observed := make([]float64, len(codes)), make([]float64, len(codes))
	for i := range s.truths {
		_, p := simulate.ReasonProbabilities(s.truths[i][0].Conditions)
		for r := range p {
			expected[r] += p[r]
		}
		observed[s.truths[i][0].Reason]++
		require.Equal(t, codes[s.truths[i][0].Reason], s.cohort.Patients[i].Visits[0].Codes[0].Code)
	}
	n := len(s.truths)
	for r := range codes {
		within(t, expected[r]/float64(n), observed[r]/float64(n), n, codes[r])
	}
}

func TestMortalityIsCalibratedByDecile(t *testing.T) {
	s := drawn()
	type visit struct {
		p    float64
		died bool
	}
	var visits []visit
	for i := range s.truths {
		for v, truth := range s.truths[i] {
			died, known := s.cohort.Patients[i].Visits[v].Label(s.cohort.Schema.Mortality)
			require.True(t, known)
			p := simulate.MortalityProbability(truth.Age, truth.Burden, truth.Final())
			require.Equal(t, truth.Mortality, p)
			visits = append(visits, visit{p, died})
		}
	}
	slices.SortFunc(visits, func(a, b visit) int { return cmp.Compare(a.p, b.p) })
	var rates []float64
	for d := range 10 {
		part := visits[d*len(visits)/10 : (d+1)*len(visits)/10]
		expected, variance, died := 0.0, 0.0, 0.0
		for _, v := range part {
			expected += v.p
			variance += v.p * (1 - v.p)
			if v.died {
				died++
			}
		}
		require.InDelta(t, expected, died, 4*math.Sqrt(variance), "decile %d", d+1)
		rates = append(rates, died/float64(len(part)))
	}
	t.Logf("deaths by decile: %.3f", rates)
	require.Greater(t, rates[9], 20*rates[0]+0.2, "the model separates the dying from the rest")
}

func TestSeverityHasTheMomentsOfItsProcess(t *testing.T) {
	s := drawn()
	for _, hours := range []int{1, 12, 36} {
		n, sumZ, sumZ2 := 0.0, 0.0, 0.0
		for i := range s.truths {
			truth := s.truths[i][0]
			if len(truth.Severity) <= hours {
				continue
			}
			mean, variance := simulate.SeverityMoments(truth.Severity[0], truth.Level, hours)
			z := (truth.Severity[hours] - mean) / math.Sqrt(variance)
			n, sumZ, sumZ2 = n+1, sumZ+z, sumZ2+z*z
		}
		require.Greater(t, n, 5000.0)
		require.InDelta(t, 0, sumZ/n, 5/math.Sqrt(n))
		require.InDelta(t, 1, sumZ2/n, 5*math.Sqrt(2/n))
	}
}

// The number of laboratory panels in an hour is Poisson with the rate of its severity, so its sum over the hours of a band of
// severity has the sum of the rates as mean and variance.
func TestTheSickerTheMoreIsMeasured(t *testing.T) {
	s := drawn()
	lactate, ph := s.cohort.Schema.VariableIndex("lactate"), s.cohort.Schema.VariableIndex("ph")
	bands := []float64{math.Inf(-1), -0.5, 0, 0.5, 1, math.Inf(1)}
	perHour := make([]float64, len(bands)-1)
	for b := range perHour {
		expected, seen, hours := 0.0, 0.0, 0.0
		for i := range s.truths {
			for v, truth := range s.truths[i] {
				visit := &s.cohort.Patients[i].Visits[v]
				in := func(h int64) bool { return truth.Severity[h] >= bands[b] && truth.Severity[h] < bands[b+1] }
				for h := range visit.Stay / 60 {
					if in(h) {
						hours++
						expected += simulate.BloodGasRate(truth.Severity[h])
					}
				}
				for _, row := range visit.Rows {
					_, hasLactate := row.Value(lactate)
					_, hasPH := row.Value(ph)
					if h := row.At / 60; h < visit.Stay/60 && in(h) && (hasLactate || hasPH) {
						seen++
					}
				}
			}
		}
		// An order shows unless both of its readings fail (0.1·0.03); two orders in one minute show once, far more rarely.
		expected *= 1 - 0.1*0.03
		require.InDelta(t, expected, seen, 5*math.Sqrt(expected)+0.003*expected, "band %d", b)
		perHour[b] = seen / hours
	}
	require.True(t, slices.IsSorted(perHour))
	require.Greater(t, perHour[4], 3*perHour[0])
}

func TestValuesFollowSeverity(t *testing.T) {
	s := drawn()
	for name, sign := range map[string]float64{"heart_rate": 1, "systolic_pressure": -1, "lactate": 1, "bicarbonate": -1, "gcs_eye_opening": -1} {
		variable := s.cohort.Schema.VariableIndex(name)
		var n, sx, sy, sxy, sxx, syy float64
		for i := range s.truths {
			for v, truth := range s.truths[i] {
				for _, row := range s.cohort.Patients[i].Visits[v].Rows {
					if y, ok := row.Value(variable); ok {
						x := truth.Severity[row.At/60]
						n, sx, sy, sxy, sxx, syy = n+1, sx+x, sy+y, sxy+x*y, sxx+x*x, syy+y*y
					}
				}
			}
		}
		r := (sxy - sx*sy/n) / math.Sqrt((sxx-sx*sx/n)*(syy-sy*sy/n))
		require.Greater(t, sign*r, 0.25, name)
	}
}

func TestRoomAirHoldsExactly21PercentOxygen(t *testing.T) {
	s := drawn()
	device, fio2 := s.cohort.Schema.VariableIndex("oxygen_device"), s.cohort.Schema.VariableIndex("fio2")
	atoms, others := 0, 0
	for i := range s.cohort.Patients {
		for _, visit := range s.cohort.Patients[i].Visits {
			for _, row := range visit.Rows {
				d, hasDevice := row.Value(device)
				f, hasFiO2 := row.Value(fio2)
				require.Equal(t, hasDevice, hasFiO2, "they are charted together")
				if !hasDevice {
					continue
				}
				require.Equal(t, d == 0, f == 21)
				if f == 21 {
					atoms++
				} else {
					others++
				}
			}
		}
	}
	require.Greater(t, atoms, 10000)
	require.Greater(t, others, 10000)
}

func TestPressuresAreInOrder(t *testing.T) {
	s := drawn()
	systolic, diastolic := s.cohort.Schema.VariableIndex("systolic_pressure"), s.cohort.Schema.VariableIndex("diastolic_pressure")
	pairs := 0
	for i := range s.cohort.Patients {
		for _, visit := range s.cohort.Patients[i].Visits {
			for _, row := range visit.Rows {
				above, ok := row.Value(systolic)
				if below, both := row.Value(diastolic); ok && both {
					require.Greater(t, above, below)
					pairs++
				}
			}
		}
	}
	require.Greater(t, pairs, 100000)
}

func TestEveryPatientKeepsThePromisesOfTheSchema(t *testing.T) {
	s := drawn()
	longStay, sepsis := s.cohort.Schema.LabelIndex("stay_over_7_days"), s.cohort.Schema.LabelIndex("sepsis")
	for i := range s.cohort.Patients {
		p := &s.cohort.Patients[i]
		require.NoError(t, s.cohort.Schema.Check(p))
		for v := range p.Visits {
			visit := &p.Visits[v]
			require.Equal(t, v == 0, visit.SinceDischarge == ehr.Unknown)
			require.Less(t, visit.Rows[len(visit.Rows)-1].At, visit.Stay)
			on, _ := visit.Label(longStay)
			require.Equal(t, visit.Stay > 7*24*60, on)
			on, _ = visit.Label(sepsis)
			require.Equal(t, visit.Codes[0].Code == "A41.9", on)
			if died, _ := visit.Label(s.cohort.Schema.Mortality); died {
				require.Equal(t, len(p.Visits)-1, v, "no visit after death")
			}
		}
	}
}

func TestACohortIsOfTheSizeThatIsPromised(t *testing.T) {
	s := drawn()
	perPatient := float64(s.cohort.Events()) / float64(len(s.cohort.Patients))
	t.Logf("%.0f events a patient, %.2f visits a patient", perPatient, float64(s.cohort.Visits())/float64(len(s.cohort.Patients)))
	require.Greater(t, perPatient, 100.0)
	require.Less(t, perPatient, 250.0)
	several := 0
	for i := range s.cohort.Patients {
		if len(s.cohort.Patients[i].Visits) > 1 {
			several++
		}
	}
	require.Greater(t, several, len(s.cohort.Patients)/10)
}

func TestAPatientDoesNotDependOnTheOthers(t *testing.T) {
	few, err := simulate.Cohort(simulate.Options{Patients: 5, Seed: 9})
	require.NoError(t, err)
	many, err := simulate.Cohort(simulate.Options{Patients: 50, Seed: 9})
	require.NoError(t, err)
	require.Equal(t, few.Patients, many.Patients[:5])
	again, _ := simulate.Patient(9, 3)
	require.Equal(t, few.Patients[3], again)
	other, err := simulate.Cohort(simulate.Options{Patients: 5, Seed: 10})
	require.NoError(t, err)
	require.NotEqual(t, few.Patients, other.Patients)
}

func TestACohortHasAPatient(t *testing.T) {
	_, err := simulate.Cohort(simulate.Options{})
	require.EqualError(t, err, "a simulated cohort has at least one patient, not 0")
}

func BenchmarkPatient(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		simulate.Patient(1, i)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "patients/s")
}
