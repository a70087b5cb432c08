package evaluate

// The section on privacy. Threat model A: the attacker sees the released patients and nothing else (neither the model nor
// other patients of the hospital), and knows the full record of the person whose membership is asked for.
//
// Every audit has its own null value, because held-out patients are as like the population as training patients are: what
// can be told about members but not about non-members was copied from them. An audit calls a leak when the lower end of its
// one-sided bootstrap interval, at 5 % over all audits together, lies above that value. The ceiling (held-out patients
// released, two halves of the training patients in the place of members and non-members) shows what chance does.
//
// Positive control: the same audits on the same cohort after 5 % of it have been replaced by training patients. An audit
// that does not call that a leak is blind and supports no claim.

import (
	"context"
	"fmt"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

const (
	plantedShare  = 0.05
	attackFPR     = 0.01
	auditPatients = 5000 // default of Options.AuditPatients
	// lossSlack is what 1 % of copies add to the privacy loss. Nearest-neighbour statistics are not smooth enough for the
	// bootstrap to be exact: among 30 leak-free sets of the toy world of the tests the lower end lay above 0 twice, never
	// above this.
	lossSlack = 0.005
)

// cloud is patients as points, with their resamples and fingerprints.
type cloud struct {
	points  Matrix
	prints  [][32]byte
	weights weights
}

func newCloud(s *space, patients []*ehr.Patient, seed uint64, purpose string, replicates int) *cloud {
	c := &cloud{points: s.points(patients), weights: resample(seed, "audit, "+purpose, len(patients), replicates)}
	for _, p := range patients {
		c.prints = append(c.prints, fingerprint(p))
	}
	return c
}

func (c *cloud) size() int { return c.points.Rows }

// cut is the patients from … to-1, with resamples of their own.
func (c *cloud) cut(from, to int, seed uint64, purpose string) *cloud {
	m := c.points
	return &cloud{Matrix{to - from, m.Cols, m.Data[from*m.Cols : to*m.Cols]}, c.prints[from:to], resample(seed, "audit, "+purpose, to-from, len(c.weights)-1)}
}

// planted replaces plantedShare of the patients, at least one, by so many different patients of from; which and where is
// drawn.
func (c *cloud) planted(from *cloud, seed uint64) *cloud {
	m := c.points
	out := &cloud{Matrix{m.Rows, m.Cols, append([]float32{}, m.Data...)}, append([][32]byte{}, c.prints...), c.weights}
	n := min(max(int(math.Ceil(plantedShare*float64(m.Rows))), 1), from.size())
	r := stream(seed, "planted copies")
	source, place := r.Perm(from.size())[:n], r.Perm(m.Rows)
	for i, s := range source {
		copy(out.points.Row(place[i]), from.points.Row(s))
		out.prints[place[i]] = from.prints[s]
	}
	return out
}

// suspect is a release and the people who may or may not be in what it was made from.
type suspect struct {
	released, members, others *cloud
	failure                   string
}

// audit is the number it looks at, the value that number has when nothing leaks, and whether it can see near copies.
type audit struct {
	id, title, about string
	null             float64
	slack            float64 // what the lower end must exceed null by
	least, most      float64
	attack           bool // finds near copies as well, so its sight counts
	of               func(*audited) estimate
}

var audits = []audit{
	{"privacy.membership_auroc", "Membership attack, AUROC", "Attacker scores a person by minus the distance to the nearest released patient; AUROC of training against held-out patients, ties 1/2.", 0.5, 0, 0, 1, true, func(a *audited) estimate { return a.auroc }},
	{"privacy.membership_tpr", "Membership attack, TPR at 1 % FPR", "Same score; share of the training patients above the lowest threshold that at most 1 % of the held-out patients lie above.", attackFPR, 0, 0, 1, true, func(a *audited) estimate { return a.tpr }},
	{"privacy.nnaa_loss", "Privacy loss (NNAA)", "AA(held-out, S) - AA(training, S), with AA(A, S) = 1/2 [mean over a of 1(d_AS > d_AA) + mean over s of 1(d_SA > d_SS)]; d to the nearest, self left out by index, ties 1/2, exact copies counted, equal numbers of each: copies of training patients beyond that number go unseen.", 0, lossSlack, -1, 1, true, func(a *audited) estimate { return a.loss }},
	{"privacy.copied_patients", "Patients copied exactly", "Share of the training patients whose whole record is in the release, less the same share of the held-out patients.", 0, 0, -1, 1, false, func(a *audited) estimate { return a.copied }},
}

// auditLevel makes 5 % the chance that any of the audits calls a leak where there is none.
func auditLevel() float64 { return 0.05 / float64(len(audits)) }

// calls tells whether the audit calls what it found a leak.
func (t *audit) calls(a *audited) bool { return t.of(a).above(t.null+t.slack, auditLevel()) }

// leaks tells which audits call a leak.
func (a *audited) leaks() (which []audit) {
	for _, t := range audits {
		if t.calls(a) {
			which = append(which, t)
		}
	}
	return which
}

// privacyFindings is what the verdicts look at: the audits of each system, and of the planted sets.
type privacyFindings struct {
	systems [systemCount]*audited
	planted [systemCount]*audited // of the synthetic patients and of the ceiling
}

func privacySection(ctx context.Context, r *roles, opt *Options) (*chapter, *privacyFindings, error) {
	suspects, planted := newSuspects(r, opt)
	search := newSearcher(opt.Neighbours, opt.Threads)
	f := &privacyFindings{}
	for system := range suspects {
		for _, run := range []struct {
			s  *suspect
			to **audited
		}{{&suspects[system], &f.systems[system]}, {&planted[system], &f.planted[system]}} {
			a, err := run.s.audit(ctx, search)
			if err != nil {
				return nil, nil, fmt.Errorf("evaluate: audit of privacy: %w", err)
			}
			*run.to = a
		}
	}
	s := &suspects[atSynthetic]
	c := &chapter{Section: Section{ID: "privacy", Title: "Privacy", About: fmt.Sprintf(
		"The attacker sees the released patients only. %d training patients (members), %d held-out patients (non-members), %d released; the ceiling releases held-out patients, its members and non-members are two halves of the training patients. "+
			"A leak is called when the lower end of a one-sided bootstrap interval lies above what an audit reads without a leak (5 %% over the %d audits together). The control replaces 5 %% of the release by training patients: an audit that does not call that a leak is blind. Distance: %s",
		s.members.size(), s.others.size(), s.released.size(), len(audits), distanceFormula)}}
	f.report(c)
	return c, f, nil
}

func newSuspects(r *roles, opt *Options) (suspects, planted [systemCount]suspect) {
	most := opt.AuditPatients
	train := r.train[:min(len(r.train), most)]
	heldOut := r.heldOut[:min(len(r.heldOut), most)]
	synthetic := r.synthetic[:min(len(r.synthetic), len(train))]
	independent := r.independent[:len(synthetic)]
	s := newSpace(r.schema, r.train, train, heldOut, synthetic, independent)
	of := func(p []*ehr.Patient, purpose string) *cloud { return newCloud(s, p, opt.Seed, purpose, opt.Bootstrap) }
	members, others := of(train, "train"), of(heldOut, "held-out")
	suspects[atSynthetic] = suspect{released: of(synthetic, "synthetic"), members: members, others: others}
	suspects[atIndependent] = suspect{released: of(independent, "independent"), members: members, others: others}
	suspects[atCopy] = suspect{released: members, members: members, others: others}
	if half := len(train) / 2; half > 0 {
		suspects[atCeiling] = suspect{released: others, members: members.cut(0, half, opt.Seed, "first half"), others: members.cut(half, 2*half, opt.Seed, "second half")}
	} else {
		suspects[atCeiling].failure = "fewer than two training patients"
	}
	for i := range planted {
		planted[i].failure = "nothing is planted here"
		if (i == atSynthetic || i == atCeiling) && suspects[i].failure == "" {
			planted[i] = suspects[i]
			planted[i].released = suspects[i].released.planted(suspects[i].members, opt.Seed)
		} else if i == atCeiling {
			planted[i].failure = suspects[i].failure
		}
	}
	return suspects, planted
}

func (f *privacyFindings) report(c *chapter) {
	over := func(all *[systemCount]*audited, of func(*audited) estimate) (e estimates) {
		for i, a := range all {
			e[i] = of(a)
		}
		return e
	}
	for _, t := range audits {
		c.add(Metric{ID: t.id, Title: t.title, About: t.about, Ledger: Corrected, Better: Target, Ideal: t.null}, t.least, t.most, over(&f.systems, t.of))
	}
	for _, t := range audits {
		c.add(Metric{ID: t.id + "_planted", Title: t.title + ", 5 % copies planted", About: "Positive control: the same audit after 5 % of the release were replaced by training patients. " + t.about, Ledger: Diagnostic, Better: Higher, Ideal: t.most}, t.least, t.most, over(&f.planted, t.of))
	}
	c.add(Metric{ID: "privacy.nnaa", Title: "Adversarial accuracy (NNAA)", About: "AA(training, S) as in the privacy loss: 0.5 ideal, below = copies, above = distinguishable.", Ledger: Diagnostic, Better: Target, Ideal: 0.5}, 0, 1, over(&f.systems, func(a *audited) estimate { return a.accuracy }))
	c.add(Metric{ID: "privacy.exact_copies", Title: "Released records that are a training record", About: "Share of the released patients whose whole record (times, covariates, labels, code sets, rows; not identifiers) equals that of a training patient; records without any event are no copies.", Ledger: Diagnostic, Better: Lower, Ideal: 0}, 0, 1, over(&f.systems, func(a *audited) estimate { return a.copies }))
	c.add(Metric{ID: "privacy.dcr_share", Title: "Closer to training than to held-out", About: "Share of the released patients whose nearest training patient is nearer than the nearest held-out patient, ties 1/2, equal numbers of both. Supports no claim by itself: sets that pass can be attacked.", Ledger: Diagnostic, Better: Target, Ideal: 0.5}, 0, 1, over(&f.systems, func(a *audited) estimate { return a.closer }))
	figure := Figure{ID: "privacy.roc", Title: "Membership attack", About: "ROC of telling training from held-out patients by the distance to the nearest released patient; the diagonal is chance.", Kind: "lines", XLabel: "false positive rate", YLabel: "true positive rate"}
	for i, a := range f.systems {
		if len(a.rocX) > 0 {
			x, y := thinned(a.rocX, a.rocY)
			figure.Series = append(figure.Series, Series{Name: systemTable[i].Title, X: x, Y: y})
		}
	}
	if len(figure.Series) > 0 {
		c.Figures = append(c.Figures, figure)
	}
}
