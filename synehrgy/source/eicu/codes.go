package eicu

import (
	"context"
	_ "embed"
	"regexp"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

//go:embed codes.sql
var codesSQL string

// The code systems, in the order of the schema.
const (
	icd9 int32 = iota
	icd10
	icd9Procedure
	treatment
	hicl
)

// The forms of the codes in icd9code. V and E codes of ICD-9 look like codes of ICD-10 ("V08", "E980.2" apart): a V with two
// digits is read as ICD-9, an E needs three digits before the point to be.
var forms = []struct {
	system int32
	form   *regexp.Regexp
}{
	{icd9, regexp.MustCompile(`^([0-9]{3}|V[0-9]{2})(\.[0-9]{1,2})?$|^E[0-9]{3}(\.[0-9])?$`)},
	{icd10, regexp.MustCompile(`^[A-UW-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$`)},
	{icd9Procedure, regexp.MustCompile(`^[0-9]{2}\.[0-9]{1,2}$`)},
}

// diagnoses are the codes of one icd9code, such as "428.0, I50.9", without decimal points; unread is how many entries are in
// none of the forms.
func diagnoses(field string) (codes []ehr.Code, unread int) {
entries:
	for entry := range strings.SplitSeq(field, ",") {
		entry = strings.ToUpper(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		for _, f := range forms {
			if f.form.MatchString(entry) {
				codes = append(codes, ehr.Code{System: f.system, Code: strings.ReplaceAll(entry, ".", "")})
				continue entries
			}
		}
		unread++
	}
	return codes, unread
}

// codes adds diagnoses, treatments and drugs to the visits.
func (r *reader) codes(ctx context.Context) error {
	seen := map[ehr.Code]bool{}
	last := int64(-1)
	return r.db.Each(ctx, codesSQL, func(row table.Row) error {
		name := codeTables[row.Int(1)].Name
		var reason string
		if row.Null(0) {
			reason = "no such stay"
		} else {
			if row.Int(0) != last {
				last = row.Int(0)
				clear(seen)
			}
			reason = r.row(&r.all[last], seen, row)
		}
		kept := int64(1)
		if reason != "" {
			kept = 0
			r.report.Drop(name, reason, 1)
		}
		r.report.Keep(name, "rows", 1, kept)
		return nil
	})
}

// row adds what one row says to its visit; reason is why it says nothing new.
func (r *reader) row(v *ehr.Visit, seen map[ehr.Code]bool, row table.Row) (reason string) {
	switch {
	case row.Null(2):
		return "no code"
	case !row.Null(3):
		return row.Text(3)
	case row.Int(1) == 1:
		return repeatedUnless(add(v, seen, ehr.Code{System: treatment, Code: row.Text(2)}))
	case row.Int(1) == 2:
		return repeatedUnless(add(v, seen, ehr.Code{System: hicl, Code: row.Text(2)}))
	}
	codes, unread := diagnoses(row.Text(2))
	added := int64(0)
	for _, c := range codes {
		if add(v, seen, c) {
			added++
		}
	}
	const entries = "icd9code"
	r.report.Keep(entries, "entries", int64(len(codes)+unread), added)
	r.report.Drop(entries, unknownForm, int64(unread))
	r.report.Drop(entries, repeatedCode, int64(len(codes))-added)
	if len(codes) == 0 {
		return unknownForm
	}
	return repeatedUnless(added > 0)
}

const (
	repeatedCode = "nothing that the visit does not have already"
	unknownForm  = "no code of a known form"
)

func repeatedUnless(added bool) string {
	if added {
		return ""
	}
	return repeatedCode
}

// add gives a code to a visit that does not have it.
func add(v *ehr.Visit, seen map[ehr.Code]bool, c ehr.Code) bool {
	if seen[c] {
		return false
	}
	seen[c] = true
	v.Codes = append(v.Codes, c)
	return true
}
