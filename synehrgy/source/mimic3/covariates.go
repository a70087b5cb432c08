package mimic3

import (
	"slices"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// oldest is the age that stands for everyone older than 89, whose birth dates the release moves so that they compute to some
// 300 years.
const oldest = 90

// The covariates, in the order of the schema.
const (
	ageCovariate int32 = iota
	genderCovariate
	ethnicityCovariate
	insuranceCovariate
	admissionCovariate
)

func newSchema() ehr.Schema {
	return ehr.Schema{
		Source: "mimic3",
		Covariates: []ehr.Variable{
			ehr.NewNumber("age", "Age at admission (90 stands for older)", "years", 0, 0, oldest),
			ehr.NewCategory("gender", "Gender", "female", "male"),
			ehr.NewCategory("ethnicity", "Ethnicity", "white", "black", "hispanic", "asian", "native", "other"),
			ehr.NewCategory("insurance", "Insurance", "government", "medicaid", "medicare", "private", "self_pay"),
			ehr.NewCategory("admission_type", "Admission type", "elective", "emergency", "newborn", "urgent"),
		},
		Labels:    []ehr.LabelDef{{Name: "in_hospital_death"}},
		Systems:   []ehr.System{{Name: "ICD9CM", Kind: ehr.Diagnosis}, {Name: "ICD9Proc", Kind: ehr.Procedure}},
		Variables: slices.Clone(variables),
		Mortality: 0,
	}
}

// ethnicities groups the 41 entries of the release by how they begin. What is unknown, declined or could not be obtained is
// no group: the covariate is absent then.
var ethnicities = []struct{ prefix, group string }{
	{"WHITE", "white"}, {"BLACK", "black"}, {"HISPANIC", "hispanic"}, {"SOUTH AMERICAN", "hispanic"}, {"ASIAN", "asian"},
	{"AMERICAN INDIAN", "native"}, {"NATIVE HAWAIIAN", "native"}, {"CARIBBEAN", "other"}, {"MIDDLE EASTERN", "other"},
	{"MULTI RACE", "other"}, {"OTHER", "other"}, {"PORTUGUESE", "other"},
}

// word brings a cell to the spelling of the categories of a covariate.
func word(covariate int32, cell string) string {
	switch covariate {
	case genderCovariate:
		return map[string]string{"F": "female", "M": "male"}[cell]
	case ethnicityCovariate:
		for _, e := range ethnicities {
			if strings.HasPrefix(cell, e.prefix) {
				return e.group
			}
		}
		return ""
	default:
		return strings.ReplaceAll(strings.ToLower(cell), " ", "_")
	}
}
