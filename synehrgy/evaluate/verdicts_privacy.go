package evaluate

// What the audits allow to say. A leak is a leak, whoever sees it. "Not distinguishable" may be said only by audits that saw
// the planted copies, and of those at least one must be an attack that finds near copies too.

import (
	"fmt"
	"slices"
	"strings"
)

func (f *privacyFindings) verdicts() []Verdict {
	s, planted := f.systems[atSynthetic], f.planted[atSynthetic]
	leaks, seen := s.leaks(), planted.leaks()
	out := []Verdict{f.overall(leaks, seen)}
	for i := range audits {
		out = append(out, audits[i].verdict(s, planted))
	}
	return append(out, f.control(leaks, seen), f.copyControl(), f.ceilingControl())
}

func names(which []audit) string {
	var out []string
	for _, t := range which {
		out = append(out, t.id)
	}
	return strings.Join(out, ", ")
}

func attacks(which []audit) []audit {
	return slices.DeleteFunc(slices.Clone(which), func(t audit) bool { return !t.attack })
}

func (f *privacyFindings) overall(leaks, seen []audit) Verdict {
	v := Verdict{ID: "privacy.nearest_neighbour", Metric: audits[1].id}
	switch {
	case len(leaks) > 0:
		v.State, v.Metric = stateFail, leaks[0].id
		v.Text = fmt.Sprintf("Leak: training patients can be told from held-out patients by the synthetic ones (%s).", names(leaks))
	case len(attacks(seen)) == 0:
		v.State = stateBlind
		v.Text = "Blind: no attack saw 5 % planted copies in a cohort of this size, so nothing may be called private."
	default:
		v.State = statePass
		v.Text = fmt.Sprintf("Not distinguishable: no audit told training from held-out patients, and 5 %% planted copies were seen by %s. The attacker sees the release only; this is no proof of privacy.", names(seen))
	}
	return v
}

func (t *audit) verdict(s, planted *audited) Verdict {
	e, p := t.of(s), t.of(planted)
	v := Verdict{ID: t.id, Metric: t.id}
	switch {
	case !e.defined():
		v.State, v.Text = stateBlind, fmt.Sprintf("%s: not judged, %s.", t.title, e.note)
	case t.calls(s):
		v.State, v.Text = stateFail, fmt.Sprintf("%s: leak, %s where %s is read without one.", t.title, short(e.value), short(t.null))
	case !t.calls(planted):
		v.State, v.Text = stateBlind, fmt.Sprintf("%s: blind, 5 %% planted copies only bring it from %s to %s, which is not called a leak.", t.title, short(e.value), short(p.value))
	default:
		v.State, v.Text = statePass, fmt.Sprintf("%s: not distinguishable, %s; with 5 %% planted copies %s, which was seen.", t.title, short(e.value), short(p.value))
	}
	return v
}

func (f *privacyFindings) control(leaks, seen []audit) Verdict {
	v := Verdict{ID: "control.planted_copies", State: statePass, Metric: audits[1].id + "_planted"}
	v.Text = fmt.Sprintf("Positive control: 5 %% planted copies are seen by %s.", names(seen))
	if len(leaks) > 0 {
		v.Text += " The synthetic patients leak without them as well, so this says little; "
		if onCeiling := f.planted[atCeiling].leaks(); len(onCeiling) > 0 {
			v.Text += fmt.Sprintf("planted among held-out patients they are seen by %s.", names(onCeiling))
		} else {
			v.Text += "planted among held-out patients no audit sees them."
		}
	}
	if len(attacks(seen)) == 0 {
		v.State = stateBlind
		v.Text = "Positive control: no attack sees 5 % planted copies."
		if len(seen) > 0 {
			v.Text = fmt.Sprintf("Positive control: no attack sees 5 %% planted copies; only %s does, which finds exact copies and nothing else.", names(seen))
		}
	}
	return v
}

func (f *privacyFindings) copyControl() Verdict {
	which := f.systems[atCopy].leaks()
	if len(which) == 0 {
		return Verdict{ID: "control.copy", State: stateBlind, Text: "Control: not even a copy of the training patients is called a leak; there are too few patients for any audit.", Metric: audits[0].id}
	}
	return Verdict{ID: "control.copy", State: statePass, Text: fmt.Sprintf("Control: a copy of the training patients is called a leak by %s.", names(which)), Metric: which[0].id}
}

func (f *privacyFindings) ceilingControl() Verdict {
	c := f.systems[atCeiling]
	if !c.auroc.defined() {
		return Verdict{ID: "control.ceiling", State: stateBlind, Text: fmt.Sprintf("Control: held-out patients could not be audited, %s.", c.auroc.note), Metric: audits[0].id}
	}
	if which := c.leaks(); len(which) > 0 {
		return Verdict{ID: "control.ceiling", State: stateWarn, Text: fmt.Sprintf("Control: %s calls a leak where held-out patients are released; chance does that in one of twenty evaluations, people who stand in both splits do it always.", names(which)), Metric: which[0].id}
	}
	return Verdict{ID: "control.ceiling", State: statePass, Text: "Control: released held-out patients are not called a leak.", Metric: audits[0].id}
}
