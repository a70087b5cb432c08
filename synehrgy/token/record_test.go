package token

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// TestEveryRecordSurvivesTheRoundTrip: encode, accept, decode, check, encode again, in every grammar and for every shape of
// schema down to one without rows, codes or labels.
func TestEveryRecordSurvivesTheRoundTrip(t *testing.T) {
	shapes := map[string]shape{
		"all":      fullShape,
		"no rows":  {covariates: 3, labels: 2, systems: 1, patients: 30, visits: 5},
		"no codes": {covariates: 2, labels: 1, variables: 5, patients: 30, visits: 2, rows: 20},
		"no label": {covariates: 1, systems: 1, variables: 2, patients: 30, visits: 3, rows: 3},
		"nothing":  {patients: 10, visits: 3},
		"one":      {covariates: 4, labels: 5, systems: 2, variables: 9, patients: 1, visits: 3, rows: 5},
	}
	for config, c := range configs() {
		for name, s := range shapes {
			t.Run(config+"/"+name, func(t *testing.T) {
				cohort := randomCohort(uint64(len(name)), s)
				v := fit(t, cohort, c)
				for i := range cohort.Patients {
					requireRoundTrip(t, v, &cohort.Patients[i], uint64(i))
				}
			})
		}
	}
}

// TestEveryLegalWalkDecodes: whatever a generator may say under the grammar is a patient that keeps to the schema, also when
// the length limit closes the record.
func TestEveryLegalWalkDecodes(t *testing.T) {
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) {
			v := fit(t, randomCohort(5, fullShape), c)
			r := rand.New(rand.NewPCG(9, 9))
			closed := 0
			for walk := range 300 {
				limit := 1 + r.IntN(400)
				tokens := randomWalk(t, v.Generation(), r, limit)
				if len(tokens) > limit {
					closed++
				}
				p, err := v.Decode(tokens, v.Draw(tokens, 3, uint64(walk)))
				require.NoError(t, err)
				require.NotEmpty(t, p.Visits)
				require.NoError(t, v.Schema().Check(&p))
				for _, token := range tokens {
					require.NotEqual(t, kindUnknownCode, v.meaning[token].kind)
				}
				again, err := v.Encode(&p)
				require.NoError(t, err)
				require.Len(t, again.Tokens, len(tokens))
			}
			require.Positive(t, closed, "no walk met the length limit")
		})
	}
}

// randomWalk says legal tokens at random; after limit tokens only such as lead to the end.
func randomWalk(t *testing.T, tables *Tables, r *rand.Rand, limit int) []int32 {
	t.Helper()
	m := tables.NewMachine()
	tokens := []int32{tables.StartToken}
	for !m.Done() {
		var legal []int32
		for token := range int32(tables.Vocab) {
			if len(tokens) < limit && m.Legal(token) || len(tokens) >= limit && m.Closes(token) {
				legal = append(legal, token)
			}
		}
		require.NotEmpty(t, legal, "a dead end in state %d after %d tokens", m.State(), len(tokens))
		token := legal[r.IntN(len(legal))]
		require.True(t, m.Step(token))
		tokens = append(tokens, token)
	}
	require.Less(t, len(tokens), limit+12, "the way out is short")
	return tokens
}

// TestNoWalkMeetsADeadEnd when training lacks whole parts of the grammar: second rows, any rows, second visits, variables.
func TestNoWalkMeetsADeadEnd(t *testing.T) {
	for name, c := range configs() {
		for part, s := range map[string]shape{
			"one row":      {covariates: 2, labels: 2, systems: 1, variables: 3, patients: 20, visits: 3, rows: 1},
			"no row":       {covariates: 2, labels: 2, systems: 1, variables: 3, patients: 20, visits: 1},
			"no variable":  {covariates: 2, labels: 2, systems: 1, patients: 20, visits: 1, rows: 5},
			"no covariate": {labels: 2, variables: 1, patients: 20, visits: 3, rows: 5},
		} {
			t.Run(name+"/"+part, func(t *testing.T) {
				v := fit(t, randomCohort(21, s), c)
				r := rand.New(rand.NewPCG(2, 2))
				for range 100 {
					tokens := randomWalk(t, v.Generation(), r, 1+r.IntN(60))
					p, err := v.Decode(tokens, nil)
					require.NoError(t, err)
					require.NoError(t, v.Schema().Check(&p))
				}
			})
		}
	}
}

func TestGrammarRefusesWhatNoRecordSays(t *testing.T) {
	cohort := randomCohort(1, fullShape)
	v := fit(t, cohort, DefaultConfig())
	f := &v.first
	say := func(tokens ...int32) bool {
		m := v.Generation().NewMachine()
		for i, token := range tokens {
			if !m.Step(token) {
				require.Equal(t, len(tokens)-1, i, "refused too early")
				return false
			}
		}
		return true
	}
	first, value, code := f.first, f.variable[1], f.code[0]
	require.True(t, say(first, f.covariate[0], f.label[0], code, f.time[timeOffset], value, f.unknown[timeRest], f.mark[kindEnd]))
	require.False(t, say(f.mark[kindEnd]), "a record without a visit")
	require.False(t, say(f.time[timeSince]), "a first visit after another")
	require.False(t, say(first, f.covariate[1], f.covariate[1]), "a covariate twice")
	require.False(t, say(first, f.covariate[1], f.covariate[0]), "a covariate out of order")
	require.False(t, say(first, f.label[0], f.label[0]+1), "a label on and off")
	require.False(t, say(first, code, code+1, code), "a code twice")
	require.False(t, say(first, code, f.label[0]), "a label after the codes")
	require.False(t, say(first, f.time[timeOffset], f.time[timeGap]), "a row without values")
	require.False(t, say(first, f.time[timeGap]), "a gap before the first row")
	require.False(t, say(first, f.time[timeOffset], value, value), "a variable twice in a row")
	require.False(t, say(first, f.time[timeOffset], value, f.unknown[timeStay]), "the stay of a visit without rows")
	require.False(t, say(first, f.unknown[timeStay], first), "a second first visit")
	require.False(t, say(first, f.other[0]), "a code without a name")
	require.False(t, say(f.visit), "a chunk header")
	require.False(t, say(v.first.mark[kindStart]), "a second start")
	require.True(t, say(first, code, f.unknown[timeStay], f.unknown[timeSince], code), "a code again in the next visit")
	require.False(t, v.Generation().NewMachine().Legal(int32(v.Size())))
	require.False(t, v.Generation().NewMachine().Legal(-1))
}

func TestUnknownCodesAreCountedAndKept(t *testing.T) {
	cohort := randomCohort(2, fullShape)
	v := fit(t, cohort, DefaultConfig())
	p := ehr.Patient{Visits: []ehr.Visit{{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown, Codes: []ehr.Code{
		{System: 0, Code: "new"}, {System: 1, Code: "new"}, {System: 0, Code: "newer"}, {System: 0, Code: v.codes[0][0]},
	}}}}
	record := requireRoundTrip(t, v, &p, 1)
	require.Equal(t, []int64{2, 1}, record.Loss.UnknownCodes)
	require.Equal(t, 4, record.Events)
	back, err := v.Decode(record.Tokens, nil)
	require.NoError(t, err)
	require.Equal(t, "unknown-1", back.Visits[0].Codes[0].Code)
	require.Equal(t, "unknown-2", back.Visits[0].Codes[2].Code)
	require.False(t, v.Generation().NewMachine().Legal(v.first.other[0]))
}

func TestRareCodesHaveNoToken(t *testing.T) {
	visit := func(codes ...string) ehr.Patient {
		v := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown}
		for _, c := range codes {
			v.Codes = append(v.Codes, ehr.Code{Code: c})
		}
		return ehr.Patient{Split: ehr.Train, Visits: []ehr.Visit{v}}
	}
	twice := visit("c")
	twice.Visits = append(twice.Visits, twice.Visits[0])
	cohort := &ehr.Cohort{Schema: randomSchema(shape{systems: 1}), Patients: []ehr.Patient{visit("b", "a"), visit("b"), twice}}
	config := DefaultConfig()
	require.Equal(t, []string{"b", "a", "c"}, fit(t, cohort, config).codes[0], "by falling count, then by text")
	config.Codes.MinCount = 2
	require.Equal(t, []string{"b"}, fit(t, cohort, config).codes[0], "the patient who has a code twice counts once")
	config.Codes.Count = Occurrences
	require.Equal(t, []string{"b", "c"}, fit(t, cohort, config).codes[0])
}

// TestHourlyClockDoesNotDrift: an hour is an atom, so a thousand rows later the clock still shows whole hours.
func TestHourlyClockDoesNotDrift(t *testing.T) {
	hourly := func(rows int, split ehr.Split) ehr.Patient {
		v := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown}
		for i := range rows {
			v.Rows = append(v.Rows, ehr.Row{At: int64(i) * 60, Values: []ehr.Value{{Var: 0, X: float64(60 + i%40)}}})
		}
		return ehr.Patient{Split: split, Visits: []ehr.Visit{v}}
	}
	cohort := randomCohort(3, fullShape)
	for range 20 {
		cohort.Patients = append(cohort.Patients, hourly(48, ehr.Train))
	}
	v := fit(t, cohort, DefaultConfig())
	long := hourly(1001, ehr.HeldOut)
	record := requireRoundTrip(t, v, &long, 0)
	for seed := range uint64(5) {
		back, err := v.Decode(record.Tokens, v.Draw(record.Tokens, seed, 0))
		require.NoError(t, err)
		rows := back.Visits[0].Rows
		require.Equal(t, int64(60_000), rows[1000].At-rows[0].At)
	}
}

func TestEncodeRefusesWhatEHRForbids(t *testing.T) {
	cohort := randomCohort(4, fullShape)
	v := fit(t, cohort, DefaultConfig())
	ok := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown}
	for name, change := range map[string]func(v *ehr.Visit){
		"variable twice":      func(v *ehr.Visit) { v.Rows = []ehr.Row{{Values: []ehr.Value{{Var: 0, X: 60}, {Var: 0, X: 61}}}} },
		"variable unknown":    func(v *ehr.Visit) { v.Rows = []ehr.Row{{Values: []ehr.Value{{Var: 99, X: 60}}}} },
		"category unknown":    func(v *ehr.Visit) { v.Covariates = []ehr.Value{{Var: 1, X: 3}} },
		"category half":       func(v *ehr.Visit) { v.Covariates = []ehr.Value{{Var: 1, X: 0.5}} },
		"label twice":         func(v *ehr.Visit) { v.Labels = []ehr.Label{{Label: 0, On: true}, {Label: 0}} },
		"label unknown":       func(v *ehr.Visit) { v.Labels = []ehr.Label{{Label: -1}} },
		"positive label off":  func(v *ehr.Visit) { v.Labels = []ehr.Label{{Label: 1}} },
		"code twice":          func(v *ehr.Visit) { v.Codes = []ehr.Code{{Code: "001"}, {Code: "001"}} },
		"code system unknown": func(v *ehr.Visit) { v.Codes = []ehr.Code{{System: 2, Code: "001"}} },
		"row empty":           func(v *ehr.Visit) { v.Rows = []ehr.Row{{At: 5}} },
		"rows at one minute": func(v *ehr.Visit) {
			v.Rows = []ehr.Row{{At: 5, Values: []ehr.Value{{X: 60}}}, {At: 5, Values: []ehr.Value{{X: 60}}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			visit := ok
			change(&visit)
			_, err := v.Encode(&ehr.Patient{Visits: []ehr.Visit{ok, visit}})
			require.ErrorContains(t, err, "visit 2")
		})
	}
	_, err := v.Encode(&ehr.Patient{})
	require.ErrorContains(t, err, "without visits")
}

func TestDecodeRefusesWhatIsNoRecord(t *testing.T) {
	cohort := randomCohort(6, fullShape)
	v := fit(t, cohort, DefaultConfig())
	record, err := v.Encode(&cohort.Patients[0])
	require.NoError(t, err)
	numbers := v.Draw(record.Tokens, 0, 0)
	_, err = v.Decode(record.Tokens[:len(record.Tokens)-1], numbers[:len(numbers)-1])
	require.ErrorContains(t, err, "before its end")
	_, err = v.Decode(record.Tokens[1:], nil)
	require.ErrorContains(t, err, "start token")
	_, err = v.Decode(nil, nil)
	require.Error(t, err)
	_, err = v.Decode(record.Tokens, numbers[1:])
	require.ErrorContains(t, err, "numbers")
	_, err = v.Decode([]int32{v.Reading().StartToken, 1 << 30}, nil)
	require.ErrorContains(t, err, "token 2 of 2")
	for i, q := range numbers {
		if q != NoNumber {
			numbers[i] = farthest * 4
			break
		}
	}
	_, err = v.Decode(record.Tokens, numbers)
	require.ErrorContains(t, err, "outside its bin")
}
