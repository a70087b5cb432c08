package evaluate

// Sentences a reader may rely on, each by a rule that is fixed beforehand and stated here.
//
// Fidelity of structure (pairs of codes, correlation, missingness). Let share = (candidate - independent) / (ceiling -
// independent). Blind when the ceiling does not beat the independent marginals (one-sided 5 %): this sample cannot show the
// structure. Fail when the synthetic patients do not beat them. Pass when share >= 0.9 or the synthetic patients are not
// distinguishable from the ceiling. Warn in between.
//
// Fidelity of shape (mean KS of the shape of records) and of values (median KS): the independent marginals are no opponent.
// Pass when not distinguishable from the ceiling or within 0.02 of it, fail when more than 0.1 above it, warn in between.
//
// Utility. Fail when TSTR beats a coin or the independent marginals no more than by chance (one-sided 5 %; a model trained on
// independent fields leans on a random side of the truth, so its AUROC may be far from 0.5 on either side), pass when the gap to TRTR is not above 0 (one-sided 5 %) or
// at most 0.02, warn in between.
//
// Better than the ceiling beyond chance (one-sided, 5 % over the metrics tested) and by more than 0.03 of R2, or a fifth of
// a distance: an alarm, for only copies or a cut tail can do that.

import (
	"fmt"
	"math"
	"strings"
)

// The states of a verdict.
const (
	statePass  = "pass"
	stateWarn  = "warn"
	stateFail  = "fail"
	stateBlind = "blind"
)

const verdictLevel = 0.05

func verdicts(chapters map[string]*chapter, p *privacyFindings) []Verdict {
	codes := "codes.bigram_r2_record"
	out := []Verdict{
		structure("fidelity.codes", "Pairs of codes", codes, chapters["codes"].by(codes), +1),
		structure("fidelity.values", "Correlation of the values", "values.tcd", chapters["values"].by("values.tcd"), -1),
		structure("fidelity.missingness", "What is measured together", "missingness.cooccurrence", chapters["missingness"].by("missingness.cooccurrence"), -1),
		distance("fidelity.marginals", "The distribution of single values", "values.ks_median", chapters["values"].by("values.ks_median")),
		distance("fidelity.records", "The shape of records", "records.ks_mean", chapters["records"].by("records.ks_mean")),
		utilityVerdict(chapters["utility"]),
		ceilingAlarm(chapters),
	}
	return append(out, p.verdicts()...)
}

// structure judges against ceiling and independent marginals; sign is +1 where higher is better.
func structure(id, what, metric string, by estimates, sign float64) Verdict {
	v := Verdict{ID: id, Metric: metric}
	s, c, i := by[atSynthetic], by[atCeiling], by[atIndependent]
	if !s.defined() || !c.defined() || !i.defined() {
		v.State, v.Text = stateBlind, fmt.Sprintf("%s: not judged, %s.", what, reason(s, c, i))
		return v
	}
	better := func(a, b estimate) bool { return signed(a.minus(b), sign).above(0, verdictLevel) }
	share := (s.value - i.value) / (c.value - i.value)
	numbers := fmt.Sprintf("(synthetic %s, ceiling %s, independent %s)", short(s.value), short(c.value), short(i.value))
	switch {
	case !better(c, i):
		v.State, v.Text = stateBlind, fmt.Sprintf("%s: not judged, real patients do not beat independent marginals in a sample of this size %s.", what, numbers)
	case !better(s, i):
		v.State, v.Text = stateFail, fmt.Sprintf("%s: no better than independent marginals %s.", what, numbers)
	case !better(c, s):
		v.State, v.Text = statePass, fmt.Sprintf("%s: not distinguishable from real patients %s.", what, numbers)
	case share >= 0.9:
		v.State, v.Text = statePass, fmt.Sprintf("%s: %.0f %% of the way from independent marginals to real patients %s.", what, 100*share, numbers)
	default:
		v.State, v.Text = stateWarn, fmt.Sprintf("%s: %.0f %% of the way from independent marginals to real patients %s.", what, 100*share, numbers)
	}
	return v
}

func signed(e estimate, sign float64) estimate {
	out := estimate{value: sign * e.value, note: e.note}
	for _, x := range e.draws {
		out.draws = append(out.draws, sign*x)
	}
	return out
}

// below tells whether a difference that could not be told from nothing is at least known to be small.
func below(e estimate, limit float64) bool { return signed(e, -1).above(-limit, verdictLevel) }

func reason(es ...estimate) string {
	for _, e := range es {
		if !e.defined() {
			return e.note
		}
	}
	return ""
}

func short(x float64) string { return fmt.Sprintf("%.3g", x) }

// distance judges a distance against the ceiling alone.
func distance(id, what, metric string, by estimates) Verdict {
	v := Verdict{ID: id, Metric: metric}
	s, c := by[atSynthetic], by[atCeiling]
	if !s.defined() || !c.defined() {
		v.State, v.Text = stateBlind, fmt.Sprintf("%s: not judged, %s.", what, reason(s, c))
		return v
	}
	excess := s.minus(c)
	numbers := fmt.Sprintf("(KS %s, ceiling %s)", short(s.value), short(c.value))
	switch {
	case excess.value <= 0.02:
		v.State, v.Text = statePass, fmt.Sprintf("%s: as near to the training patients as real patients are %s.", what, numbers)
	case !excess.above(0, verdictLevel) && below(excess, 0.1):
		v.State, v.Text = statePass, fmt.Sprintf("%s: not distinguishable from real patients %s.", what, numbers)
	case !excess.above(0, verdictLevel):
		v.State, v.Text = stateBlind, fmt.Sprintf("%s: not judged, too few patients to tell whether they are farther from the training patients than real ones %s.", what, numbers)
	case excess.value > 0.1:
		v.State, v.Text = stateFail, fmt.Sprintf("%s: far from the training patients %s.", what, numbers)
	default:
		v.State, v.Text = stateWarn, fmt.Sprintf("%s: farther from the training patients than real patients are %s.", what, numbers)
	}
	return v
}

func utilityVerdict(c *chapter) Verdict {
	by, gaps := c.by("utility.tstr_auroc"), c.by("utility.tstr_gap")
	v := Verdict{ID: "utility.mortality", Metric: "utility.tstr_auroc"}
	s, trtr, gap, independent := by[atSynthetic], by[atCeiling], gaps[atSynthetic], by[atIndependent]
	if !s.defined() || !trtr.defined() {
		v.State, v.Text = stateBlind, fmt.Sprintf("Utility: not judged, %s.", reason(s, trtr))
		return v
	}
	numbers := fmt.Sprintf("(AUROC %s trained on synthetic, %s trained on real patients)", short(s.value), short(trtr.value))
	switch {
	case !trtr.above(0.5, verdictLevel):
		v.State, v.Text = stateBlind, fmt.Sprintf("Utility: not judged, a model trained on real patients does not beat a coin either %s.", numbers)
	case !s.above(0.5, verdictLevel):
		v.State, v.Text = stateFail, fmt.Sprintf("Utility: a model trained on the synthetic patients does not beat a coin %s.", numbers)
	case independent.defined() && !s.minus(independent).above(0, verdictLevel):
		v.State, v.Text = stateFail, fmt.Sprintf("Utility: a model trained on the synthetic patients is no better than one trained on independent marginals, %s %s.", short(independent.value), numbers)
	case gap.value <= 0.02:
		v.State, v.Text = statePass, fmt.Sprintf("Utility: training on synthetic patients costs no more than 0.02 of AUROC %s.", numbers)
	case !gap.above(0, verdictLevel) && below(gap, 0.1):
		v.State, v.Text = statePass, fmt.Sprintf("Utility: training on synthetic patients is not distinguishable from training on real ones %s.", numbers)
	case !gap.above(0, verdictLevel):
		v.State, v.Text = stateBlind, fmt.Sprintf("Utility: not judged, too few deaths among the held-out patients to tell whether training on synthetic patients costs anything %s.", numbers)
	default:
		v.State, v.Text = stateWarn, fmt.Sprintf("Utility: training on synthetic patients costs %s of AUROC %s.", short(gap.value), numbers)
	}
	return v
}

// alarmed are the metrics that are held against the ceiling from the other side.
var alarmed = []struct {
	section, id string
	r2          bool
}{
	{"codes", "codes.unigram_r2_record", true},
	{"codes", "codes.bigram_r2_record", true},
	{"values", "values.ks_median", false},
	{"values", "values.tcd", false},
	{"missingness", "missingness.cooccurrence", false},
	{"records", "records.ks_mean", false},
}

func ceilingAlarm(chapters map[string]*chapter) Verdict {
	v := Verdict{ID: "fidelity.above_ceiling", State: statePass, Text: "Nothing is better than real patients are: no sign of copies or of a cut tail from fidelity."}
	var names []string
	judged := 0
	for _, m := range alarmed {
		by := chapters[m.section].by(m.id)
		s, c := by[atSynthetic], by[atCeiling]
		if !s.defined() || !c.defined() {
			continue
		}
		judged++
		gain, margin := c.minus(s), 0.2*math.Abs(c.value)
		if m.r2 {
			gain, margin = s.minus(c), 0.03
		}
		if gain.value > margin && gain.above(0, verdictLevel/float64(len(alarmed))) {
			names = append(names, m.id)
			v.Metric = names[0]
		}
	}
	switch {
	case judged == 0:
		v.State, v.Text = stateBlind, "Better than real patients: not judged, no metric is defined for both."
	case len(names) > 0:
		v.State = stateWarn
		v.Text = fmt.Sprintf("Better than real patients in %s: that is the mark of copied patients or of a cut tail, no success.", strings.Join(names, ", "))
	}
	return v
}
