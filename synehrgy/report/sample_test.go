package report_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
	"github.com/synehrgy/synehrgy-go/synehrgy/report"
)

// hostile is what a name from a table may look like.
const hostile = `<script>alert("1")</script>&`

// samplePage is a page with everything a report can show: every kind of figure, every state, ledger and direction, scores
// that are undefined, missing or without an interval, names that are long or look like markup.
func samplePage() report.Page {
	return report.Page{
		Title: "Synthetic patients after a simulated hospital", Creator: "synehrgy 0.1.0",
		Facts: []report.Fact{{"Source", "simulate, 2 000 patients"}, {"Seed", "1"}, {"Model", "gpt2, width 384, 4 layers, 4 heads of 96"}, {"Vocabulary", "5 115 tokens"},
			{"Device", "cpu, AVX2, 2 threads"}, {"Training", "6 min 12 s"}, {"Weights, SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}},
		Drops:      []report.Drop{{"lab", "value is not a number", 1204}, {"vitalPeriodic", "time before the admission", 31}, {"diagnosis" + hostile, "no code", 5}},
		Training:   &report.Training{Train: losses(2000, 1, 0.12), Validation: losses(20, 100, 0)},
		Generation: &report.Generation{Patients: 10000, Tokens: 2314567, Valid: 10000, TokensPerSecond: 6543.2, Draws: 2304567, Measured: 144036, MaskedMass: 0.00213},
		Examples:   examples(),
		Results:    results(),
	}
}

func losses(n int, every int64, noise float64) []report.LossPoint {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var out []report.LossPoint
	for i := 1; i <= n; i++ {
		step := int64(i) * every
		out = append(out, report.LossPoint{Step: step, BitsPerToken: 3.1 + 8*math.Exp(-float64(step)/250) + 0.15*float64(step)/2000 + noise*r.NormFloat64()})
	}
	return out
}

func examples() *report.Examples {
	s := ehr.Schema{Source: "simulate", Mortality: 0,
		Covariates: []ehr.Variable{{Name: "age", Unit: "years", Kind: ehr.Number}, {Name: "sex", Kind: ehr.Category, Categories: []string{"female", "male"}},
			{Name: "admission_kind", Kind: ehr.Category, Categories: []string{"emergency", "elective"}}, {Name: "weight", Unit: "kg", Kind: ehr.Number, Decimals: 1}},
		Labels:  []ehr.LabelDef{{Name: "died"}, {Name: "heart_failure", PositiveOnly: true}, {Name: "readmitted"}},
		Systems: []ehr.System{{Name: "ICD10CM", Kind: ehr.Diagnosis}, {Name: "ICD10PCS", Kind: ehr.Procedure}}}
	for _, v := range []struct {
		name, unit string
		decimals   int
	}{{"heart_rate", "/min", 0}, {"systolic_pressure", "mmHg", 0}, {"temperature", "°C", 1}, {"creatinine", "mg/dL", 2}, {"lactate", "mmol/L", 1},
		{"oxygen_saturation", "%", 0}, {"white_cells_with_a_very_long_name_in_the_source", "10⁹/L", 1}} {
		s.Variables = append(s.Variables, ehr.Variable{Name: v.name, Unit: v.unit, Kind: ehr.Number, Decimals: v.decimals})
	}
	s.Variables = append(s.Variables, ehr.Variable{Name: "ventilation", Kind: ehr.Category, Categories: []string{"none", "mask"}})
	return &report.Examples{Schema: s, Patients: []report.Example{
		{Title: "A simulated patient", Patient: patient(&s, 3, 40, 3)}, {Title: "A synthetic patient", Patient: patient(&s, 4, 26, 21)}}}
}

// patient is somebody with three visits, of which the second is the fullest.
func patient(s *ehr.Schema, seed uint64, rows, codes int) ehr.Patient {
	r := rand.New(rand.NewPCG(seed, 9))
	base := []float64{92, 118, 37.4, 1.3, 2.1, 95, 11}
	p := ehr.Patient{ID: fmt.Sprintf("s%d", seed)}
	for k, n := range []int{rows / 4, rows, rows / 3} {
		v := ehr.Visit{SinceDischarge: int64(k) * 60 * 24 * int64(20+r.IntN(200)), Stay: int64(60 * (60 + n)),
			Covariates: []ehr.Value{{Var: 0, X: float64(60 + k)}, {Var: 1, X: float64(seed % 2)}, {Var: 2, X: 0}, {Var: 3, X: 71.5}},
			Labels:     []ehr.Label{{Label: 0, On: k == 2}, {Label: 1, On: true}, {Label: 2, On: false}}}
		if k == 0 {
			v.SinceDischarge = ehr.Unknown
		}
		for i := range codes {
			code := ehr.Code{System: int32(i % 2), Code: fmt.Sprintf("I%02d.%d", (i*37+int(seed))%90, i%10)}
			if i == 1 {
				code.Code = hostile
			}
			v.Codes = append(v.Codes, code)
		}
		at := int64(0)
		for range n {
			at += 20 + int64(r.IntN(160))
			row := ehr.Row{At: at}
			for j, b := range base {
				if r.Float64() < []float64{1, 1, 0.5, 0.2, 0.12, 0.9, 0.15}[j] {
					drift := 1 + 0.08*math.Sin(float64(at)/500+float64(j)) + 0.03*r.NormFloat64()
					row.Values = append(row.Values, ehr.Value{Var: int32(j), X: s.Variables[j].Round(b * drift)})
				}
			}
			v.Rows = append(v.Rows, row)
		}
		p.Visits = append(p.Visits, v)
	}
	return p
}

func size(role string, patients, visits, events int) evaluate.Size {
	return evaluate.Size{Role: role, Patients: patients, Visits: visits, Events: events}
}

func ptr(x float64) *float64 { return &x }

func score(system string, value, low, high float64) evaluate.Score {
	return evaluate.Score{System: system, Value: ptr(value), Low: ptr(low), High: ptr(high)}
}

func results() *evaluate.Results {
	const S, C, I, P = evaluate.Synthetic, evaluate.Ceiling, evaluate.Independent, evaluate.Copy
	return &evaluate.Results{Format: 1, Source: "simulate", Seed: 1,
		Cohorts: []evaluate.Size{size("train", 1400, 3120, 412345), size("held_out", 400, 902, 117001), size("synthetic", 10000, 22871, 2911204)},
		Systems: []evaluate.System{{ID: S, Title: "Synthetic", About: "What is being judged."},
			{ID: C, Title: "Held-out real", About: "Real patients in the place of the synthetic ones: the best a generator can do without copying."},
			{ID: I, Title: "Independent", About: "Every field drawn from its own marginal: what no model at all achieves."},
			{ID: P, Title: "Copy", About: "The training patients themselves: perfect fidelity, no privacy."}},
		Verdicts: []evaluate.Verdict{
			{ID: "control.planted_copies", State: "pass", Text: "Control: the audit sees 5 % planted copies, so it may speak about privacy.", Metric: "privacy.membership"},
			{ID: "fidelity.codes", State: "warn", Text: "Codes come near the held-out patients, but their intervals do not meet.", Metric: "codes.unigram_r2"},
			{ID: "privacy.copies", State: "fail", Text: "12 synthetic patients are exact copies of training patients.", Metric: ""},
			{ID: "privacy.rare", State: "blind", Text: "Too few patients with rare codes for any audit.", Metric: ""}},
		Sections: []evaluate.Section{
			{ID: "codes", Title: "Codes", About: "How often codes, pairs of codes and successions of codes occur.", Metrics: []evaluate.Metric{
				{ID: "codes.unigram_r2", Title: "Prevalence R², single codes", About: "R2 = 1 - sum (p - q)^2 / sum (p - mean p)^2 over the codes of either side; absent counts as 0.", Ledger: evaluate.Corrected, Better: evaluate.Higher, Ideal: 1, Scores: []evaluate.Score{
					score(P, 1, 1, 1), score(S, 0.9512, 0.94, 0.962), score(C, 0.9814, 0.975, 0.9893), score(I, 0.9477, 0.93, 0.9601)}},
				{ID: "codes.sequential", Title: "Prevalence R², successions", About: "Ordered pairs of codes of consecutive visits.", Ledger: evaluate.Diagnostic, Better: evaluate.Higher, Ideal: 1, Scores: []evaluate.Score{
					{System: S, Note: "every patient has one visit"}, score(C, 0.713, 0.6, 0.802), {System: I, Value: ptr(-12.34), Note: "no interval: 3 patients"}}},
				{ID: "codes.published", Title: "n-gram score, as published", About: "Pearson's r over the windows that occur on both sides.", Ledger: evaluate.Published, Better: evaluate.Higher, Ideal: 1, Scores: []evaluate.Score{
					score(S, 0.999, 0.998, 0.9994), score(C, 0.9991, 0.9989, 0.9996), score(I, 0.97, 0.96, 0.98), score(P, 1, 1, 1)}}},
				Figures: []evaluate.Figure{scatter()}},
			{ID: "values", Title: "Values", About: "Distributions of the measured values.", Metrics: []evaluate.Metric{
				{ID: "values.w1", Title: "Wasserstein distance, in standard deviations", About: "Mean over the variables of the W1 distance.", Ledger: evaluate.Corrected, Better: evaluate.Lower, Ideal: 0, Scores: []evaluate.Score{
					score(S, 0.0432, 0.041, 0.0461), score(C, 0.0123, 0.0117, 0.0131), score(I, 0.000012, 0.00001, 0.000015), score(P, 0, 0, 0)}}},
				Figures: []evaluate.Figure{bars(), heat(7), {Title: "A figure of no kind", Kind: "pie"}, {Title: "A broken heat map", Kind: "heatmap", Labels: []string{"a"}}}},
			{ID: "privacy", Title: "Privacy " + hostile, About: "What the synthetic patients give away.", Metrics: []evaluate.Metric{
				{ID: "privacy.membership", Title: "Membership attack, AUROC", About: "Distance to the nearest released patient; ties count one half.", Ledger: evaluate.Corrected, Better: evaluate.Target, Ideal: 0.5, Scores: []evaluate.Score{
					score(S, 0.512, 0.48, 0.541), score(C, 0.5, 0.47, 0.53), score(I, 0.498, 0.46, 0.53), score(P, 1, 0.999, 1)}}},
				Figures: []evaluate.Figure{roc()}}}}
}

func scatter() evaluate.Figure {
	f := evaluate.Figure{ID: "codes.scatter", Title: "Code prevalence", About: "One point a code; the diagonal is agreement.", Kind: "scatter", XLabel: "share of patients, training",
		YLabel: "share of patients, candidate", Log: true}
	for i, name := range []string{"Synthetic", "Held-out real", "Independent"} {
		r := rand.New(rand.NewPCG(uint64(i), 5))
		y := evaluate.Series{Name: name}
		for range 300 {
			p := math.Pow(10, -3*r.Float64()-0.2)
			y.X, y.Y = append(y.X, p), append(y.Y, min(1, p*math.Exp(r.NormFloat64()*0.2*float64(i+1))))
		}
		y.Y[0] = 0
		f.Series = append(f.Series, y)
	}
	return f
}

func bars() evaluate.Figure {
	f := evaluate.Figure{ID: "missingness.rates", Title: "Share of visits that measure a variable", About: "At least one value during the visit.", Kind: "bars", YLabel: "share of visits",
		Labels: []string{"heart rate", "lactate", "white cells, automated count", hostile}}
	for i, name := range []string{"training", "Synthetic", "Held-out real"} {
		f.Series = append(f.Series, evaluate.Series{Name: name, Y: []float64{0.98, 0.31 + 0.04*float64(i), 0.52 - 0.05*float64(i), 0.05}})
	}
	return f
}

func heat(n int) evaluate.Figure {
	f := evaluate.Figure{ID: "values.correlation", Title: "Correlation, synthetic", About: "Pearson's r of each pair of measured numbers.", Kind: "heatmap", Series: []evaluate.Series{{Name: "Synthetic"}}}
	for i := range n {
		f.Labels = append(f.Labels, []string{"heart rate", "systolic pressure", "temperature", "creatinine", "lactate", "saturation", "white cells"}[i%7])
		for j := range n {
			f.Series[0].Y = append(f.Series[0].Y, map[bool]float64{true: 1, false: math.Sin(float64(i*j + i + j))}[i == j])
		}
	}
	return f
}

func roc() evaluate.Figure {
	f := evaluate.Figure{ID: "privacy.roc", Title: "Membership attack", About: "The diagonal is chance.", Kind: "lines", XLabel: "false positive rate", YLabel: "true positive rate"}
	for i, name := range []string{"Synthetic", "Held-out real", "Independent", "Copy", "chance"} {
		y := evaluate.Series{Name: name}
		for k := range 101 {
			x := float64(k) / 100
			y.X, y.Y = append(y.X, x), append(y.Y, math.Pow(x, []float64{0.9, 1.02, 0.98, 0.05, 1}[i]))
		}
		f.Series = append(f.Series, y)
	}
	return f
}
