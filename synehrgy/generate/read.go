package generate

import (
	"fmt"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// reader turns generated records into patients and believes none of them: the Go machine walks the grammar of generation
// anew, token.Decode that of reading together with the bins, and the schema has the last word. So a defect of the sampler in
// the core cannot pass for a patient.
type reader struct {
	v       *token.Vocabulary
	machine *token.Machine
}

func newReader(v *token.Vocabulary) *reader { return &reader{v, v.Generation().NewMachine()} }

// read returns the patient of a record; errors tell positions, no content.
func (r *reader) read(tokens []int32, numbers []int64) (ehr.Patient, error) {
	if len(tokens) == 0 || tokens[0] != r.v.Generation().StartToken {
		return ehr.Patient{}, fmt.Errorf("the record does not begin with the start token")
	}
	r.machine.Reset()
	for i, t := range tokens[1:] {
		if !r.machine.Step(t) {
			return ehr.Patient{}, fmt.Errorf("token %d of %d is not allowed where it stands", i+2, len(tokens))
		}
	}
	if !r.machine.Done() {
		return ehr.Patient{}, fmt.Errorf("the record of %d tokens does not end", len(tokens))
	}
	p, err := r.v.Decode(tokens, numbers)
	if err != nil {
		return ehr.Patient{}, err
	}
	if err := r.v.Schema().Check(&p); err != nil {
		return ehr.Patient{}, fmt.Errorf("against the schema: %w", err)
	}
	return p, nil
}
