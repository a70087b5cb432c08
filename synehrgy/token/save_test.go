package token

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

func TestVocabularySurvivesTheDisk(t *testing.T) {
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) {
			cohort := randomCohort(11, fullShape)
			v := fit(t, cohort, c)
			path := filepath.Join(t.TempDir(), FileName)
			require.NoError(t, v.Save(path))
			back, err := Load(path)
			require.NoError(t, err)
			require.Equal(t, v.Fingerprint(), back.Fingerprint())
			require.Equal(t, v.Generation(), back.Generation())
			require.Equal(t, v.Reading(), back.Reading())
			for i := range cohort.Patients {
				a, err := v.Encode(&cohort.Patients[i])
				require.NoError(t, err)
				b, err := back.Encode(&cohort.Patients[i])
				require.NoError(t, err)
				require.Equal(t, a, b)
			}
			again := filepath.Join(t.TempDir(), FileName)
			require.NoError(t, back.Save(again))
			first, err := os.ReadFile(path)
			require.NoError(t, err)
			second, err := os.ReadFile(again)
			require.NoError(t, err)
			require.Equal(t, string(first), string(second), "the same bytes")
		})
	}
}

func TestFingerprintDependsOnTheVocabularyAlone(t *testing.T) {
	cohort := randomCohort(12, fullShape)
	want := fit(t, cohort, DefaultConfig()).Fingerprint()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Equal(t, want, fit(t, cohort, DefaultConfig()).Fingerprint(), "not on the number of threads")
	config := DefaultConfig()
	config.Values.Bins = 31
	require.NotEqual(t, want, fit(t, cohort, config).Fingerprint())
	require.NotEqual(t, want, fit(t, randomCohort(13, fullShape), DefaultConfig()).Fingerprint())
}

// TestHeldOutPatientsChangeNothing: whatever happens to a patient outside the training split, the vocabulary stays the same;
// the same change to a training patient is seen.
func TestHeldOutPatientsChangeNothing(t *testing.T) {
	want := fit(t, randomCohort(14, fullShape), DefaultConfig()).Fingerprint()
	change := func(split ehr.Split) string {
		cohort := randomCohort(14, fullShape)
		for i := range cohort.Patients {
			p := &cohort.Patients[i]
			if p.Split != split {
				continue
			}
			v := &p.Visits[0]
			v.Codes = append(v.Codes, ehr.Code{Code: "new"})
			v.Stay, v.Covariates = 1_000_000, []ehr.Value{{Var: 0, X: 299}}
			v.Rows = []ehr.Row{{At: 123_456, Values: []ehr.Value{{Var: 2, X: 1e6}}}}
			p.Visits = append(p.Visits, ehr.Visit{SinceDischarge: 77_777_777, Stay: 3})
			break
		}
		return fit(t, cohort, DefaultConfig()).Fingerprint()
	}
	require.Equal(t, want, change(ehr.HeldOut))
	require.NotEqual(t, want, change(ehr.Train))
}

// savedVocabulary is a vocabulary on disk.
func savedVocabulary(t *testing.T) (path string, text []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), FileName)
	require.NoError(t, fit(t, randomCohort(15, fullShape), DefaultConfig()).Save(path))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return path, text
}

func requireRefused(t *testing.T, path string, text []byte, says string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, text, 0o600))
	_, err := Load(path)
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, says)
	require.ErrorContains(t, err, path)
}

func TestEditedVocabularyIsRefused(t *testing.T) {
	path, text := savedVocabulary(t)
	replace := func(old, new string) []byte { return []byte(strings.Replace(string(text), old, new, 1)) }
	requireRefused(t, path, text[:len(text)/2], "no vocabulary")
	requireRefused(t, path, nil, "no vocabulary")
	requireRefused(t, path, append(append([]byte{}, text...), "{}"...), "after the end")
	requireRefused(t, path, replace(`"format": 1`, `"format": 9`), "format 9")
	requireRefused(t, path, replace(`"bins": 32`, `"bins": 33`), "fingerprint")
	requireRefused(t, path, replace(`"format"`, `"formal"`), "unknown field")
	_, err := Load(filepath.Join(t.TempDir(), "absent.json"))
	require.ErrorContains(t, err, "no file")
}

// TestForgedVocabularyIsRefused: edits by somebody who also made the fingerprint right.
func TestForgedVocabularyIsRefused(t *testing.T) {
	path, text := savedVocabulary(t)
	for says, edit := range map[string]func(f *vocabularyFile){
		"outside the bin":     func(f *vocabularyFile) { f.Variables[0].Knots[1][0] = f.Variables[0].Upper[0] },
		"ends before":         func(f *vocabularyFile) { f.Times[0].Upper[1] = f.Times[0].Upper[0] },
		"knots for":           func(f *vocabularyFile) { f.Covariates[0].Knots = nil },
		"bins of":             func(f *vocabularyFile) { f.Variables = f.Variables[1:] },
		"is a category":       func(f *vocabularyFile) { f.Variables[1] = f.Variables[0] },
		"twice":               func(f *vocabularyFile) { f.Codes[0][0] = f.Codes[0][1] },
		"codes of 1 systems":  func(f *vocabularyFile) { f.Codes = f.Codes[1:] },
		"physical range":      func(f *vocabularyFile) { f.Schema.Variables[0].Low = ehr.Bound(100) },
		"decimals":            func(f *vocabularyFile) { f.Schema.Variables[0].Decimals = 40 },
		"without categories":  func(f *vocabularyFile) { f.Schema.Variables[1].Categories = nil },
		"token.grammar.gap":   func(f *vocabularyFile) { f.Config.Grammar.Gap = "" },
		"too small":           func(f *vocabularyFile) { f.Config.Context = 3 },
		"neither a number":    func(f *vocabularyFile) { f.Schema.Covariates[0].Kind = "text" },
		"the code system":     func(f *vocabularyFile) { f.Schema.Systems[1] = f.Schema.Systems[0] },
		"bins and knots":      func(f *vocabularyFile) { f.Times = append(f.Times[:4], Bins{Upper: []int64{1}}) },
		"1 to 8 ascending":    func(f *vocabularyFile) { f.Variables[0].Knots[0] = make([]int64, 9) },
		"bins of 4 fields":    func(f *vocabularyFile) { f.Times = f.Times[:4] },
		"nothing tells one":   func(f *vocabularyFile) { f.Config.Grammar.Since, f.Config.Grammar.Stay = false, false },
		"codes.count":         func(f *vocabularyFile) { f.Config.Codes.Count = "" },
		"token.values.method": func(f *vocabularyFile) { f.Config.Values.Method = "" },
	} {
		t.Run(says, func(t *testing.T) {
			var f vocabularyFile
			require.NoError(t, json.Unmarshal(text, &f))
			edit(&f)
			print, err := f.fingerprint()
			require.NoError(t, err)
			f.Fingerprint = print
			edited, err := f.marshal()
			require.NoError(t, err)
			requireRefused(t, path, edited, says)
		})
	}
}

func TestFitRefusesWhatCannotBeFitted(t *testing.T) {
	var input *fault.Input
	cohort := randomCohort(16, fullShape)
	for i := range cohort.Patients {
		cohort.Patients[i].Split = ehr.HeldOut
	}
	_, err := Fit(cohort, DefaultConfig())
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, "no patient in the split train")

	cohort = randomCohort(16, fullShape)
	cohort.Patients[0].Visits[0].Covariates = []ehr.Value{{Var: 0, X: 1234.5}}
	_, err = Fit(cohort, DefaultConfig())
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, "patient 1 against the schema")
	require.NotContains(t, err.Error(), "1234", "no value of a patient in an error")
}

func TestDescribeNamesEveryToken(t *testing.T) {
	for name, c := range configs() {
		v := fit(t, randomCohort(17, fullShape), c)
		seen := map[string]bool{}
		for token := range int32(v.Size()) {
			text := v.Describe(token)
			require.NotEmpty(t, text)
			require.NotContains(t, text, "%!")
			seen[text] = true
		}
		require.Greater(t, len(seen), v.Size()*9/10, "%s: most tokens have words of their own", name)
	}
	v := fit(t, randomCohort(17, fullShape), DefaultConfig())
	require.Equal(t, "60 minutes after the row before", v.Describe(v.first.time[timeGap]+int32(v.times[timeGap].Find(60))))
	require.Equal(t, "oxygen_3 21.0 %", v.Describe(v.first.variable[3]+int32(v.variables[3].Find(210))))
	require.Equal(t, "kind_1 b", v.Describe(v.first.variable[1]+1))
	require.Equal(t, "no token (-1 of "+itoa(v.Size())+")", v.Describe(-1))
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }
