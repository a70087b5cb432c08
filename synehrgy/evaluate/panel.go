package evaluate

// The sets that the fidelity metrics compare, all of one size: the reference is a subsample of the training patients, and
// each candidate stands against it in turn. The copy is the reference itself, resampled together with it.

import (
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// set is patients with their resamples.
type set struct {
	patients []*ehr.Patient
	weights  weights
}

// panel is the reference and the candidates in the order of systemTable.
type panel struct {
	schema     *ehr.Schema
	train      []*ehr.Patient // all of them: whatever is fitted is fitted here
	reference  *set
	candidates [systemCount]*set
}

// rows is the number of weight rows: 1 for the values and one a replicate.
func (p *panel) rows() int { return len(p.reference.weights) }

// drawn are the sets that differ: the reference, then the candidates without the copy.
func (p *panel) drawn() []*set {
	return []*set{p.reference, p.candidates[atSynthetic], p.candidates[atCeiling], p.candidates[atIndependent]}
}

// slot is where a candidate stands in drawn().
func slot(system int) int {
	if system == atCopy {
		return 0
	}
	return 1 + system
}

func newPanel(schema *ehr.Schema, train, heldOut, synthetic, independent []*ehr.Patient, seed uint64, replicates int) *panel {
	n := min(len(train), len(heldOut), len(synthetic))
	of := func(patients []*ehr.Patient, purpose string) *set {
		return &set{patients[:n], resample(seed, purpose, n, replicates)}
	}
	p := &panel{schema: schema, train: train, reference: of(train, "train")}
	p.candidates = [systemCount]*set{of(synthetic, "synthetic"), of(heldOut, "held-out"), of(independent, "independent"), p.reference}
	return p
}
