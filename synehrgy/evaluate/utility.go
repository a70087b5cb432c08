package evaluate

// Is a model trained on synthetic patients as good on real ones? In-hospital mortality, gradient-boosted trees, tested on
// the held-out patients:
//
//	TRTR  trained on training patients          TSTR  trained on the candidate          TSRTR  trained on both
//
// All training sets have the same number of patients (TSRTR twice that). The held-out patients are the test set, so they
// cannot be a candidate: the ceiling is TRTR. Intervals resample the held-out patients with all their visits, the same draws for every
// model, so that differences are paired; what another training sample or another seed of the trees would change is not in
// them. A copy of the training patients scores like them: read with the section on privacy.

import (
	"context"
	"fmt"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// fit is one classifier: what it is trained on, and how it ranks the held-out visits.
type fit struct {
	train       outcomes
	ranking     ranked
	failure     string
	auroc, aupr estimate
}

const utilityAbout = "In-hospital mortality from the first 48 hours, by gradient-boosted trees tested on the held-out patients. " +
	"%d training patients for every model, %d held-out patients. The headline uses measurements and covariates; codes are assigned at discharge and may tell the outcome, so they only enter the rows that say so. " +
	"The ceiling is a model trained on real training patients (TRTR); a copy scores the same by construction. Intervals are over the held-out patients; the luck of the training sample is not in them."

func utilitySection(ctx context.Context, r *roles, opt *Options) (*chapter, error) {
	n := min(len(r.train), len(r.synthetic))
	c := &chapter{Section: Section{ID: "utility", Title: "Utility", About: fmt.Sprintf(utilityAbout, n, len(r.heldOut))}}
	why := ""
	switch {
	case r.schema.Mortality < 0 || int(r.schema.Mortality) >= len(r.schema.Labels):
		why = "the schema names no label for in-hospital mortality"
	case opt.Trees == nil:
		why = "no gradient-boosted trees are at hand"
	}
	w := resample(opt.Seed, "utility", len(r.heldOut), opt.Bootstrap)
	for _, set := range []struct {
		id, title, about string
		codes            bool
	}{
		{"", "", "Columns: minimum, maximum, mean, last and count of each measured variable over 48 h, covariates; no codes.", false},
		{"_with_codes", ", with codes", fmt.Sprintf("Columns: as the headline, and indicators of the %d commonest codes of the training patients. Codes are assigned at discharge: beware of leakage.", codeColumns), true},
	} {
		u := utility{suffix: set.id, title: set.title, about: set.about}
		if why != "" {
			u.tstr, u.tsrtr = allFailed(why), allFailed(why)
		} else if err := u.fit(ctx, r, opt, w, n, set.codes); err != nil {
			return nil, err
		}
		u.report(c)
	}
	return c, nil
}

// utility is the fits of one set of columns, in the order of systemTable.
type utility struct {
	suffix, title, about string
	tstr, tsrtr          [systemCount]fit
}

func allFailed(why string) (f [systemCount]fit) {
	for i := range f {
		f[i] = fit{failure: why, auroc: undefined(why), aupr: undefined(why)}
	}
	return f
}

// fit trains TRTR, and TSTR and TSRTR of every candidate. The ceiling and the copy of TSTR are TRTR; the ceiling of TSRTR
// is TRTR as well: nothing added.
func (u *utility) fit(ctx context.Context, r *roles, opt *Options, w weights, n int, codes bool) error {
	columns := newFeatures(r.schema, r.train, codes)
	test := columns.of(r.heldOut)
	trtr := columns.of(r.train[:n])
	synthetic, independent := columns.of(r.synthetic[:n]), columns.of(r.independent[:n])
	fits := []*fit{{train: trtr}, {train: synthetic}, {train: independent},
		{train: trtr.with(synthetic)}, {train: trtr.with(independent)}, {train: trtr.with(trtr)}}
	err := parallel(ctx, opt.Threads, len(fits), func(i int) error {
		return fits[i].run(ctx, opt, test, w)
	})
	if err != nil {
		return err
	}
	u.tstr = [systemCount]fit{*fits[1], *fits[0], *fits[2], *fits[0]}
	u.tsrtr = [systemCount]fit{*fits[3], *fits[0], *fits[4], *fits[5]}
	return nil
}

func (f *fit) run(ctx context.Context, opt *Options, test outcomes, w weights) error {
	if missing := test.classes(); missing != "" {
		f.failure = "the held-out patients have " + missing
	} else if missing := f.train.classes(); missing != "" {
		f.failure = "the patients to train on have " + missing
	} else if test.x.Cols == 0 {
		f.failure = "there is nothing to predict from: no variables, no covariates, no codes"
	}
	if f.failure != "" {
		f.auroc, f.aupr = undefined(f.failure), undefined(f.failure)
		return nil
	}
	scores, err := opt.Trees.FitPredict(ctx, f.train.x, f.train.y, test.x, opt.Seed)
	if err != nil {
		return fmt.Errorf("evaluate: fit the mortality classifier: %w", err)
	}
	if len(scores) != test.x.Rows {
		return fmt.Errorf("evaluate: the mortality classifier returned %d scores for %d visits", len(scores), test.x.Rows)
	}
	s, positive := make([]float64, len(scores)), make([]bool, len(scores))
	for i := range s {
		s[i], positive[i] = float64(scores[i]), test.y[i] == 1
	}
	f.ranking = ranking(s, positive, test.patient)
	f.auroc = estimated(len(w), "", func(b int) float64 { return f.ranking.auroc(w[b], w[b]) })
	f.aupr = estimated(len(w), "", func(b int) float64 { return f.ranking.auprc(w[b], w[b]) })
	f.train = outcomes{} // the matrix is no longer needed
	return nil
}

func (u *utility) report(c *chapter) {
	of := func(fits [systemCount]fit, pick func(*fit) estimate) (e estimates) {
		for i := range fits {
			e[i] = pick(&fits[i])
		}
		return e
	}
	auroc := func(f *fit) estimate { return f.auroc }
	aupr := func(f *fit) estimate { return f.aupr }
	tstr := of(u.tstr, auroc)
	metric := func(id, title, formula string, better Direction, ideal float64) Metric {
		return Metric{ID: "utility." + id + u.suffix, Title: title + u.title, About: formula + " " + u.about, Ledger: Corrected, Better: better, Ideal: ideal}
	}
	c.add(metric("tstr_auroc", "TSTR, AUROC", "Area under the ROC curve (ties 1/2) of a model trained on the candidate.", Higher, 1), 0, 1, tstr)
	c.add(metric("tstr_auprc", "TSTR, AUPRC", "Average precision of a model trained on the candidate.", Higher, 1), 0, 1, of(u.tstr, aupr))
	var gap, gain estimates
	tsrtr := of(u.tsrtr, auroc)
	for i := range gap {
		gap[i] = noted(tstr[atCeiling].minus(tstr[i]), tstr[i], tstr[atCeiling])
		gain[i] = noted(tsrtr[i].minus(tstr[atCeiling]), tsrtr[i], tstr[atCeiling])
	}
	c.add(metric("tstr_gap", "TRTR less TSTR, AUROC", "What a model loses by training on the candidate instead of on real patients; paired over the held-out patients.", Lower, 0), -1, 1, gap)
	c.add(metric("tsrtr_auroc", "TSRTR, AUROC", "Area under the ROC curve of a model trained on real and candidate patients together; the ceiling adds nothing to the real ones.", Higher, 1), 0, 1, tsrtr)
	c.add(metric("tsrtr_gain", "TSRTR less TRTR, AUROC", "What a model wins when the candidate is added to the real patients; paired over the held-out patients.", Higher, 0), -1, 1, gain)
	u.curves(c)
}

// noted carries the reason of an undefined part over to the difference.
func noted(d estimate, parts ...estimate) estimate {
	for _, p := range parts {
		if !d.defined() && !p.defined() {
			d.note = p.note
		}
	}
	return d
}

func (u *utility) curves(c *chapter) {
	f := Figure{ID: "utility.roc" + u.suffix, Title: "ROC of in-hospital mortality" + u.title, About: "Tested on the held-out patients. " + u.about, Kind: "lines", XLabel: "false positive rate", YLabel: "true positive rate"}
	names := [systemCount]string{"TSTR, synthetic", "TRTR", "TSTR, independent marginals", ""}
	for i, name := range names {
		if name == "" || u.tstr[i].failure != "" {
			continue
		}
		ones := make([]uint16, 1+maxIndex(u.tstr[i].ranking.patient))
		for k := range ones {
			ones[k] = 1
		}
		x, y := u.tstr[i].ranking.roc(ones, ones)
		x, y = thinned(x, y)
		f.Series = append(f.Series, Series{Name: name, X: x, Y: y})
	}
	if len(f.Series) > 0 {
		c.Figures = append(c.Figures, f)
	}
}

func maxIndex(x []int32) (m int) {
	for _, v := range x {
		m = max(m, int(v))
	}
	return m
}

// curvePoints caps the points of a drawn curve.
const curvePoints = 400

func thinned(x, y []float64) (tx, ty []float64) {
	step := math.Max(1, float64(len(x)-1)/curvePoints)
	for at := 0.0; int(at) < len(x)-1; at += step {
		tx, ty = append(tx, x[int(at)]), append(ty, y[int(at)])
	}
	return append(tx, x[len(x)-1]), append(ty, y[len(y)-1])
}

// roles is everybody who takes part, in the seeded order of which a subsample is a prefix.
type roles struct {
	schema                                 *ehr.Schema
	train, heldOut, synthetic, independent []*ehr.Patient
}
