package meds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// layout numbers the way a cohort of ours is written; a reader knows the layouts up to its own.
const layout = 1

// travel is the content of metadata/synehrgy.json.
type travel struct {
	Layout int        `json:"layout"`
	Schema ehr.Schema `json:"schema"`
}

func encodeSchema(s *ehr.Schema) ([]byte, error) {
	data, err := json.MarshalIndent(travel{layout, *s}, "", "  ")
	return append(data, '\n'), err
}

// readSchema reads and checks synehrgy.json. ours is false when there is none.
func readSchema(path string) (schema ehr.Schema, ours bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return schema, false, nil
	}
	if err != nil {
		return schema, false, &fault.Input{File: path, Found: "no file that can be read", Expected: "the schema of the cohort", Err: err}
	}
	var t travel
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return schema, true, &fault.Input{File: path, Found: "no schema (" + err.Error() + ")", Expected: "the schema of the cohort as it was written", Err: err}
	}
	if d.More() {
		return schema, true, &fault.Input{File: path, Found: "something behind the schema", Expected: "one JSON object"}
	}
	if t.Layout != layout {
		return schema, true, &fault.Input{File: path, Found: fmt.Sprintf("layout %d", t.Layout), Expected: fmt.Sprintf("layout %d", layout)}
	}
	if what := flaw(&t.Schema); what != "" {
		return schema, true, &fault.Input{File: path, Found: what, Expected: "a schema that can be true"}
	}
	return t.Schema, true, nil
}

// flaw says what is wrong with a schema, or nothing.
func flaw(s *ehr.Schema) string {
	if what := variablesFlaw("covariate", s.Covariates); what != "" {
		return what
	}
	if what := variablesFlaw("variable", s.Variables); what != "" {
		return what
	}
	labels := map[string]bool{}
	for _, l := range s.Labels {
		if what := nameFlaw("label", l.Name, labels); what != "" {
			return what
		}
	}
	systems := map[string]bool{}
	for _, y := range s.Systems {
		word := kindWords[y.Kind]
		if word == "" {
			return fmt.Sprintf("code system %q of the unknown kind %q", y.Name, y.Kind)
		}
		if strings.Contains(y.Name, "//") {
			return fmt.Sprintf("code system %q, whose name holds //", y.Name)
		}
		if y.Name == "" {
			return "a code system without a name"
		}
		if what := nameFlaw("code system", word+"//"+y.Name, systems); what != "" { // a name may serve two kinds
			return what
		}
	}
	if s.Mortality < -1 || int(s.Mortality) >= len(s.Labels) {
		return fmt.Sprintf("mortality as label %d of %d", s.Mortality, len(s.Labels))
	}
	return ""
}

func variablesFlaw(what string, vs []ehr.Variable) string {
	seen := map[string]bool{}
	for i := range vs {
		v := &vs[i]
		if flaw := nameFlaw(what, v.Name, seen); flaw != "" {
			return flaw
		}
		low, high := v.Bounds()
		switch {
		case v.Kind != ehr.Number && v.Kind != ehr.Category:
			return fmt.Sprintf("%s %q of the unknown kind %q", what, v.Name, v.Kind)
		case v.Decimals < 0 || v.Decimals > 6:
			return fmt.Sprintf("%s %q with %d decimals", what, v.Name, v.Decimals)
		case !(low <= high):
			return fmt.Sprintf("%s %q with a range from %g to %g", what, v.Name, low, high)
		case v.Kind == ehr.Category && len(v.Categories) == 0:
			return fmt.Sprintf("%s %q without categories", what, v.Name)
		}
		names := map[string]bool{}
		for _, c := range v.Categories {
			if names[c] || !utf8.ValidString(c) {
				return fmt.Sprintf("%s %q with the category %q twice or not in UTF-8", what, v.Name, c)
			}
			names[c] = true
		}
	}
	return ""
}

func nameFlaw(what, name string, seen map[string]bool) string {
	if name == "" || !utf8.ValidString(name) {
		return "a " + what + " without a name"
	}
	if seen[name] {
		return fmt.Sprintf("%s %q twice", what, name)
	}
	seen[name] = true
	return ""
}
