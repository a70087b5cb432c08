package token

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// parseConfig is DefaultConfig changed by the section "token" of a YAML text.
func parseConfig(t *testing.T, text []byte) Config {
	t.Helper()
	document := struct {
		Token Config `yaml:"token"`
	}{DefaultConfig()}
	require.NoError(t, yaml.Unmarshal(text, &document))
	return document.Token
}

func readReference(t *testing.T) Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "reference.yaml"))
	require.NoError(t, err)
	config := parseConfig(t, text)
	require.NoError(t, config.Validate())
	return config
}

func TestConfigIsReadFromYAML(t *testing.T) {
	want := DefaultConfig()
	want.Values.Bins, want.Grammar.Stay = 16, false
	require.Equal(t, want, parseConfig(t, []byte("token:\n  values: {bins: 16}\n  grammar: {stay: false}\n")))
}

func TestSettingsThatMakeNoSenseAreNamed(t *testing.T) {
	for text, says := range map[string]string{
		"token: {values: {bins: 0}}":                    "token.values.bins is 0",
		"token: {values: {density: smooth}}":            `token.values.density is "smooth"`,
		"token: {times: {knots: 9}}":                    "token.times.knots is 9",
		"token: {times: {tails: [2]}}":                  "token.times.tails holds 2",
		"token: {times: {tails: [0.5, 0.1]}}":           "ascending",
		"token: {edges: {age: [1]}}":                    `edges of "age"`,
		"token: {time_edges: {gaps: [1, 2]}}":           `unknown time "gaps"; the nearest known one is "gap"`,
		"token: {codes: {min_count: 0}}":                "token.codes.min_count is 0",
		"token: {overflow: wrap}":                       `token.overflow is "wrap"`,
		"token: {grammar: {since: false}}":              "needs token.grammar.since",
		"token: {context: 1}":                           "token.context is 1",
		"token: {visits: 0}":                            "token.visits is 0",
		"token: {values: {atom_share: .nan}}":           "token.values.atom_share",
		"token: {values: {min_count: 0}}":               "token.values.min_count",
		"token: {values: {distinct_per_bin: 0}}":        "token.values.distinct_per_bin",
		"token: {grammar: {since: false, stay: false}}": "nothing tells one visit from the next",
	} {
		config := parseConfig(t, []byte(text))
		err := config.Validate()
		var usage *fault.Usage
		require.ErrorAs(t, err, &usage, text)
		require.ErrorContains(t, err, says, text)
	}
}

func TestEdgesOfNothingAreRefused(t *testing.T) {
	config := DefaultConfig()
	config.Edges["whole_O"] = []float64{0, 100}
	_, err := Fit(randomCohort(1, fullShape), config)
	require.ErrorContains(t, err, `no number "whole_O"; the nearest one is "whole_0"`)
}

// TestReferenceConfigurationIsThePublishedTokenizer: section marks, values then gap, fixed edges, ten uniform bins, cut at 1,024.
func TestReferenceConfigurationIsThePublishedTokenizer(t *testing.T) {
	config := readReference(t)
	schema := ehr.Schema{
		Mortality:  0,
		Covariates: []ehr.Variable{{Name: "age", Kind: ehr.Number, Low: ehr.Bound(0), High: ehr.Bound(120)}, {Name: "gender", Kind: ehr.Category, Categories: []string{"f", "m"}}},
		Labels:     []ehr.LabelDef{{Name: "mortality"}, {Name: "sepsis", PositiveOnly: true}},
		Systems:    []ehr.System{{Name: "ICD9CM", Kind: ehr.Diagnosis}},
		Variables:  []ehr.Variable{{Name: "ph", Kind: ehr.Number, Decimals: 2}, {Name: "heart_rate", Kind: ehr.Number}},
	}
	cohort := &ehr.Cohort{Schema: schema}
	for i := range 40 {
		visit := ehr.Visit{
			SinceDischarge: ehr.Unknown, Stay: 5000, Codes: []ehr.Code{{Code: "4019"}},
			Covariates: []ehr.Value{{Var: 0, X: float64(20 + i)}, {Var: 1, X: float64(i % 2)}},
			Labels:     []ehr.Label{{Label: 0, On: i%3 == 0}, {Label: 1, On: true}},
		}
		for j := range 300 {
			x := []ehr.Value{{Var: 0, X: math.Round(700+float64((i*j)%60)) / 100}, {Var: 1, X: float64(60 + (i+j)%80)}}
			visit.Rows = append(visit.Rows, ehr.Row{At: int64(60 * j), Values: x})
		}
		cohort.Patients = append(cohort.Patients, ehr.Patient{Split: ehr.Train, Visits: []ehr.Visit{visit, visit}})
	}
	v := fit(t, cohort, config)
	require.Equal(t, 10, v.variables[0].tokens())
	require.Equal(t, 10, v.variables[1].tokens())
	require.Equal(t, 15, v.times[timeGap].tokens())
	require.Equal(t, 15, v.covariates[0].tokens())

	record, err := v.Encode(&cohort.Patients[3])
	require.NoError(t, err)
	var words []string
	for _, token := range record.Tokens[:13] {
		words = append(words, v.Describe(token))
	}
	words = append(words, "…")
	for _, token := range record.Tokens[len(record.Tokens)-4:] {
		words = append(words, v.Describe(token))
	}
	require.Equal(t, []string{
		"<s>", "age 21 to 25", "gender m", "</covar>", "mortality: yes", "sepsis: yes", "</label>", "ICD9CM 4019", "</code>",
		"ph 7.00 to 7.05", "heart_rate 60 to 67", "0 to 30 minutes after the row before", "ph 7.00 to 7.05",
		"…", v.Describe(record.Tokens[len(record.Tokens)-4]), "</ts>", "</adm>", "</s>",
	}, words)
	require.True(t, strings.HasPrefix(v.Describe(record.Tokens[len(record.Tokens)-4]), "31 to 90 minutes"), "a gap closes the last row")
	require.Equal(t, int64(2), record.Loss.Absent, "the two stays and nothing else have no token")

	chunks, cut, err := v.AppendChunks(nil, &record, config.Context)
	require.NoError(t, err)
	require.Len(t, chunks, 1)
	require.Len(t, chunks[0].Tokens, 1024)
	require.Equal(t, len(record.Tokens)-1024, cut)
	for _, token := range v.Generation().ChunkToken {
		require.Equal(t, int32(-1), token, "the published tokenizer has no chunks")
	}
	requireRoundTrip(t, v, &cohort.Patients[3], 1)
}

// TestSoftTargetsAreThePublishedOnes: the printed example of five bins.
func TestSoftTargetsAreThePublishedOnes(t *testing.T) {
	config := DefaultConfig()
	config.Values.Bins = 5
	config.Values.Tails = nil
	v := fit(t, randomCohort(3, fullShape), config)
	require.Len(t, v.variables[2].Upper, 5)
	index, weight, rowOfToken := v.SoftTable()
	require.Equal(t, len(index), len(weight))
	require.Len(t, rowOfToken, v.Size())
	first := v.first.variable[2]
	row := func(bin int32) map[int32]float64 {
		at := int(rowOfToken[first+bin]) * SoftTaps
		out := map[int32]float64{}
		for k := at; k < at+SoftTaps; k++ {
			out[index[k]-first] += float64(weight[k])
		}
		return out
	}
	for bin, want := range map[int32]map[int32]float64{
		2: {0: 0.054, 1: 0.244, 2: 0.403, 3: 0.244, 4: 0.054},
		0: {0: 0.570, 1: 0.346, 2: 0.077, 3: 0.006},
		4: {4: 0.570, 3: 0.346, 2: 0.077, 1: 0.006},
	} {
		got := row(bin)
		require.Len(t, got, len(want))
		for b, w := range want {
			require.InDelta(t, w, got[b], 0.0006)
		}
	}
	require.Equal(t, int32(-1), rowOfToken[v.first.variable[1]], "a category is not ordered")
	require.Equal(t, int32(-1), rowOfToken[v.first.time[timeGap]], "a clock is not smoothed")
	require.Equal(t, int32(-1), rowOfToken[v.first.code[0]])
	for r := range len(weight) / SoftTaps {
		sum := 0.0
		for k := range SoftTaps {
			sum += float64(weight[r*SoftTaps+k])
		}
		require.InDelta(t, 1, sum, 1e-6)
	}
}
