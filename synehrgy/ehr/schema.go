package ehr

import (
	"fmt"
	"math"
	"slices"
)

// Schema gives the numbers of a cohort their meaning. It travels with the cohort.
type Schema struct {
	Source     string     `json:"source"`     // where the cohort came from: "eicu", "mimic3", "simulate" …
	Covariates []Variable `json:"covariates"` // known at the start of a visit
	Labels     []LabelDef `json:"labels"`
	Systems    []System   `json:"systems"`
	Variables  []Variable `json:"variables"` // measured during a visit
	Mortality  int32      `json:"mortality"` // index of the label that says "died during this visit", -1 when there is none
}

// VariableKind tells a number from a category.
type VariableKind string

// The kinds of a variable.
const (
	Number   VariableKind = "number"
	Category VariableKind = "category"
)

// Variable describes one covariate or one measured variable.
type Variable struct {
	Name       string       `json:"name"` // stable, lower case, no blanks: "heart_rate"
	Title      string       `json:"title,omitempty"`
	Unit       string       `json:"unit,omitempty"`
	Kind       VariableKind `json:"kind"`
	Decimals   int          `json:"decimals"` // digits after the decimal point that the values carry, 0 to 6
	Low        *float64     `json:"low,omitempty"`
	High       *float64     `json:"high,omitempty"` // physical range, inclusive; nil is no bound
	Categories []string     `json:"categories,omitempty"`
}

// NewNumber describes a number with a physical range.
func NewNumber(name, title, unit string, decimals int, low, high float64) Variable {
	return Variable{Name: name, Title: title, Unit: unit, Kind: Number, Decimals: decimals, Low: Bound(low), High: Bound(high)}
}

// NewCategory describes a choice between categories.
func NewCategory(name, title string, categories ...string) Variable {
	return Variable{Name: name, Title: title, Kind: Category, Categories: categories}
}

// LabelDef describes one label.
type LabelDef struct {
	Name string `json:"name"`
	// PositiveOnly labels are written down only when they hold, as phenotypes are; absence means "no". Of the others absence
	// means "not known".
	PositiveOnly bool `json:"positive_only,omitempty"`
}

// CodeKind says what a code system codes.
type CodeKind string

// The kinds of a code system.
const (
	Diagnosis CodeKind = "diagnosis"
	Procedure CodeKind = "procedure"
	Drug      CodeKind = "drug"
	Treatment CodeKind = "treatment"
)

// System describes one code system.
type System struct {
	Name string   `json:"name"` // "ICD9CM", "ICD10CM", "ICD9Proc", …
	Kind CodeKind `json:"kind"`
}

// Bounds returns the physical range of a variable, infinite where it has none.
func (v *Variable) Bounds() (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	if v.Low != nil {
		low = *v.Low
	}
	if v.High != nil {
		high = *v.High
	}
	return low, high
}

// InRange tells whether x is a value the variable can have: a number within the physical range, or the index of a category.
func (v *Variable) InRange(x float64) bool {
	if v.Kind == Category {
		return x == math.Trunc(x) && x >= 0 && int(x) < len(v.Categories)
	}
	low, high := v.Bounds()
	return x >= low && x <= high // false for NaN
}

// Round brings x to the decimals that the variable carries.
func (v *Variable) Round(x float64) float64 {
	if v.Kind == Category {
		return x
	}
	p := math.Pow10(v.Decimals)
	return math.Round(x*p) / p
}

// Bound is a helper for schema literals: Low: ehr.Bound(0).
func Bound(x float64) *float64 { return &x }

// VariableIndex returns the index of the variable of that name, or -1.
func (s *Schema) VariableIndex(name string) int32 { return indexOf(s.Variables, name) }

// CovariateIndex returns the index of the covariate of that name, or -1.
func (s *Schema) CovariateIndex(name string) int32 { return indexOf(s.Covariates, name) }

// LabelIndex returns the index of the label of that name, or -1.
func (s *Schema) LabelIndex(name string) int32 {
	return int32(slices.IndexFunc(s.Labels, func(l LabelDef) bool { return l.Name == name }))
}

// SystemIndex returns the index of the code system of that name and kind, or -1.
func (s *Schema) SystemIndex(name string, kind CodeKind) int32 {
	return int32(slices.IndexFunc(s.Systems, func(y System) bool { return y.Name == name && y.Kind == kind }))
}

func indexOf(vs []Variable, name string) int32 {
	return int32(slices.IndexFunc(vs, func(v Variable) bool { return v.Name == name }))
}

// Check tells the first way in which a patient breaks the promises of this package, in one sentence without any value of
// the patient, or nil.
func (s *Schema) Check(p *Patient) error {
	for i := range p.Visits {
		if err := s.checkVisit(&p.Visits[i]); err != nil {
			return fmt.Errorf("visit %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *Schema) checkVisit(v *Visit) error {
	if err := checkValues(v.Covariates, s.Covariates, "covariate"); err != nil {
		return err
	}
	for i, l := range v.Labels {
		if l.Label < 0 || int(l.Label) >= len(s.Labels) {
			return fmt.Errorf("label %d of %d", l.Label, len(s.Labels))
		}
		if i > 0 && l.Label <= v.Labels[i-1].Label {
			return fmt.Errorf("label %q out of order or twice", s.Labels[l.Label].Name)
		}
	}
	seen := make(map[Code]bool, len(v.Codes))
	for _, c := range v.Codes {
		if c.System < 0 || int(c.System) >= len(s.Systems) {
			return fmt.Errorf("code system %d of %d", c.System, len(s.Systems))
		}
		if seen[c] {
			return fmt.Errorf("a %s code twice", s.Systems[c.System].Name)
		}
		seen[c] = true
	}
	return s.checkRows(v)
}

func (s *Schema) checkRows(v *Visit) error {
	last := int64(-1)
	for i := range v.Rows {
		r := &v.Rows[i]
		if r.At <= last {
			return fmt.Errorf("row %d is not after the row before it (or lies before the visit)", i+1)
		}
		if len(r.Values) == 0 {
			return fmt.Errorf("row %d is empty", i+1)
		}
		if err := checkValues(r.Values, s.Variables, "variable"); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
		last = r.At
	}
	return nil
}

func checkValues(vs []Value, defs []Variable, what string) error {
	for i, v := range vs {
		if v.Var < 0 || int(v.Var) >= len(defs) {
			return fmt.Errorf("%s %d of %d", what, v.Var, len(defs))
		}
		if i > 0 && v.Var <= vs[i-1].Var {
			return fmt.Errorf("%s %q out of order or twice", what, defs[v.Var].Name)
		}
		if !defs[v.Var].InRange(v.X) {
			return fmt.Errorf("%s %q outside its range", what, defs[v.Var].Name)
		}
	}
	return nil
}
