package eicu

import (
	"slices"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// oldest is the age that stands for "> 89".
const oldest = 90

func newSchema() ehr.Schema {
	return ehr.Schema{
		Source: "eicu",
		Covariates: []ehr.Variable{
			ehr.NewNumber("age", "Age (90 stands for > 89)", "years", 0, 0, oldest),
			ehr.NewCategory("gender", "Gender", "female", "male", "other"),
			ehr.NewCategory("ethnicity", "Ethnicity", "caucasian", "african_american", "hispanic", "asian", "native_american", "other"),
			ehr.NewNumber("height", "Height at admission", "cm", 1, 50, 250),
			ehr.NewNumber("weight", "Weight at admission", "kg", 1, 20, 400),
			ehr.NewCategory("unit_type", "Type of the first unit", "cardiac_icu", "ccu-cticu", "csicu", "cticu", "med-surg_icu", "micu",
				"neuro_icu", "sicu"),
		},
		Labels: []ehr.LabelDef{{Name: "in_hospital_death"}},
		Systems: []ehr.System{{Name: "ICD9CM", Kind: ehr.Diagnosis}, {Name: "ICD10CM", Kind: ehr.Diagnosis},
			{Name: "ICD9Proc", Kind: ehr.Procedure}, {Name: "eICU", Kind: ehr.Treatment}, {Name: "HICL", Kind: ehr.Drug}},
		Variables: slices.Clone(variables),
		Mortality: 0,
	}
}

// covariates reads the columns of a row that stand, from column first on, in the order of the schema.
func (r *reader) covariates(row table.Row, first int) []ehr.Value {
	var out []ehr.Value
	for c := range r.schema.Covariates {
		def := &r.schema.Covariates[c]
		x, reason := row.Real(first+c), ""
		if def.Kind == ehr.Category {
			x = float64(slices.Index(def.Categories, strings.ReplaceAll(strings.ToLower(row.Text(first+c)), " ", "_")))
			if name := row.Text(first + c); name == "Other/Unknown" {
				x = float64(slices.Index(def.Categories, "other"))
			}
		}
		x = def.Round(x)
		switch {
		case row.Null(first + c):
			reason = "not told"
		case !def.InRange(x):
			reason = "outside the range, or not in a known category"
		default:
			out = append(out, ehr.Value{Var: int32(c), X: x})
		}
		if reason != "" {
			r.report.Drop("covariates", reason, 1)
		}
	}
	r.report.Keep("covariates", "values", int64(len(r.schema.Covariates)), int64(len(out)))
	return out
}
