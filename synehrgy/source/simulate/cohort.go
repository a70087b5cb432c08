package simulate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Source is what the schema of a simulated cohort names as its source.
const Source = "simulate"

// Options says which cohort to draw.
type Options struct {
	Patients int
	Seed     uint64
}

// The covariates and labels, by their index in the schema.
const (
	covAge = iota
	covSex
	covAdmission
)

const (
	mortality = iota
	longStayLabel
	sepsisLabel
)

// Schema is the schema of every simulated cohort; the caller owns it.
func Schema() ehr.Schema {
	return ehr.Schema{
		Source: Source,
		Covariates: []ehr.Variable{
			covAge:       {Name: "age", Title: "Age at admission", Unit: "a", Kind: ehr.Number, Low: ehr.Bound(youngest), High: ehr.Bound(120)},
			covSex:       {Name: "sex", Title: "Sex", Kind: ehr.Category, Categories: []string{"female", "male"}},
			covAdmission: {Name: "admission_type", Title: "Type of admission", Kind: ehr.Category, Categories: []string{"emergency", "elective"}},
		},
		Labels: []ehr.LabelDef{
			mortality:     {Name: "in_hospital_mortality"},
			longStayLabel: {Name: "stay_over_7_days"},
			sepsisLabel:   {Name: "sepsis", PositiveOnly: true},
		},
		Systems: []ehr.System{
			icd10cm:  {Name: "ICD10CM", Kind: ehr.Diagnosis},
			icd10pcs: {Name: "ICD10PCS", Kind: ehr.Procedure},
			atc:      {Name: "ATC", Kind: ehr.Drug},
		},
		Variables: variables(),
		Mortality: mortality,
	}
}

// Cohort draws the patients 0 … Patients−1 of a seed. They belong to no split yet.
func Cohort(opt Options) (*ehr.Cohort, error) {
	if opt.Patients < 1 {
		return nil, fault.Usagef("a simulated cohort has at least one patient, not %d", opt.Patients)
	}
	c := &ehr.Cohort{Schema: Schema(), Patients: make([]ehr.Patient, opt.Patients)}
	for i := range c.Patients {
		c.Patients[i], _ = Patient(opt.Seed, i)
	}
	return c, nil
}

// generator is the stream of random numbers of one patient.
func generator(seed uint64, index int) *rand.Rand {
	key := fmt.Appendf(nil, "synehrgy simulate %d %d", seed, index)
	h := sha256.Sum256(key)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:16])))
}
