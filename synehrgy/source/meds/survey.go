package meds

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

const (
	oldest         = 130 // years
	mostCategories = 64
	mostDecimals   = 6
	longestText    = 100 // characters of the name of a category
)

// plan says what every code of a data set becomes.
type plan struct {
	schema     ehr.Schema
	family     *[2]string       // that begins and ends visits; nil when the data have none
	covariates map[string]int32 // by code, or by what stands before the first //
	variables  map[string]int32 // by code
	systems    map[string]int32 // by what stands before the first //
}

// tally is what the data show of one code.
type tally struct {
	rows, numbers int64
	low, high     float64
	decimals      int64
	withText      int64           // rows
	texts         map[string]bool // of at most longestText characters, at most mostCategories+1 of them
	longText      bool            // some text is longer
}

func (t *tally) numeric() bool { return 2*t.numbers >= t.rows && t.numbers > 0 }

// categorical tells a code whose rows mostly name one of a few texts.
func (t *tally) categorical() bool {
	return 2*t.withText >= t.rows && t.withText > 0 && !t.longText && len(t.texts) <= mostCategories
}

// survey looks through the data once and makes the schema.
func (s *set) survey(ctx context.Context) (*plan, error) {
	dated, static := map[string]*tally{}, map[string]*tally{}
	for i := range s.files {
		if err := s.tally(ctx, &s.files[i], dated, static); err != nil {
			return nil, err
		}
	}
	about, err := s.descriptions(ctx)
	if err != nil {
		return nil, err
	}
	p := &plan{schema: ehr.Schema{Source: "meds", Mortality: -1}, covariates: map[string]int32{}, variables: map[string]int32{}, systems: map[string]int32{}}
	if dated[birthCode] != nil {
		p.schema.Covariates = []ehr.Variable{{Name: "age", Title: "Age at the visit", Unit: "a", Kind: ehr.Number, Low: ehr.Bound(0), High: ehr.Bound(oldest)}}
	}
	if dated[deathCode] != nil {
		p.schema.Labels, p.schema.Mortality = []ehr.LabelDef{{Name: "in_hospital_mortality"}}, 0
	}
	delete(dated, birthCode)
	delete(dated, deathCode)
	p.findFamily(dated)
	p.addStatics(static, about)
	p.addDated(dated, about)
	return p, nil
}

// places is the SQL of the decimals of a float: the fewest that come within its precision, or mostDecimals.
func places() string {
	var b strings.Builder
	b.WriteString("CASE WHEN x IS NULL THEN 0")
	for d := range mostDecimals {
		fmt.Fprintf(&b, " WHEN abs(round(x, %d) - x) <= 2e-7 * abs(x) THEN %d", d, d)
	}
	fmt.Fprintf(&b, " ELSE %d END", mostDecimals)
	return b.String()
}

// tally adds what one file shows of every code.
func (s *set) tally(ctx context.Context, f *dataFile, dated, static map[string]*tally) error {
	of := func(r table.Row) *tally {
		tallies := dated
		if r.Bool(1) {
			tallies = static
		}
		t := tallies[r.Text(0)]
		if t == nil {
			t = &tally{low: math.Inf(1), high: math.Inf(-1), texts: map[string]bool{}}
			tallies[r.Text(0)] = t
		}
		return t
	}
	rows := fmt.Sprintf(`(SELECT code::VARCHAR AS code, "time" IS NULL AS static, %s AS x, nullif(%s, '') AS t FROM %s WHERE code IS NOT NULL)`,
		f.number(), f.text(), parquet(f.path))
	query := fmt.Sprintf(`SELECT code, static, count(*), count(x), coalesce(min(x), 0)::DOUBLE, coalesce(max(x), 0)::DOUBLE,
		coalesce(max(%s), 0)::BIGINT, count(t) FROM %s GROUP BY code, static ORDER BY code, static`, places(), rows)
	err := s.each(ctx, f.path, query, func(r table.Row) error {
		t := of(r)
		t.rows, t.withText = t.rows+r.Int(2), t.withText+r.Int(7)
		if n := r.Int(3); n > 0 {
			t.numbers += n
			t.low, t.high, t.decimals = min(t.low, r.Real(4)), max(t.high, r.Real(5)), max(t.decimals, r.Int(6))
		}
		return nil
	})
	if err != nil {
		return err
	}
	query = fmt.Sprintf(`SELECT code, static, text FROM (SELECT DISTINCT code, static, left(t, %d) AS text FROM %s WHERE t IS NOT NULL)
		QUALIFY row_number() OVER (PARTITION BY code, static ORDER BY text) <= %d ORDER BY code, static, text`, longestText+1, rows, mostCategories+1)
	return s.each(ctx, f.path, query, func(r table.Row) error {
		t := of(r)
		if utf8.RuneCountInString(r.Text(2)) > longestText {
			t.longText = true
		} else if len(t.texts) <= mostCategories {
			t.texts[r.Text(2)] = true
		}
		return nil
	})
}

// findFamily chooses what begins and ends visits.
func (p *plan) findFamily(dated map[string]*tally) {
	heads := map[string]bool{}
	for code := range dated {
		head, _ := cut(code)
		heads[head] = true
	}
	for i := range families {
		if heads[families[i][0]] {
			p.family = &families[i]
			return
		}
	}
}

// addStatics makes covariates of the codes without a time.
func (p *plan) addStatics(static map[string]*tally, about map[string]description) {
	categories := map[string][]string{}
	unnamed := map[string]bool{} // have a value that is no name
	for _, code := range sorted(static) {
		t := static[code]
		if t.numeric() {
			p.covariates[code] = p.number(&p.schema.Covariates, code, t, about[code])
			continue
		}
		head, _ := cut(code)
		texts := sorted(t.texts)
		if t.withText < t.rows {
			texts = append(texts, "")
		}
		for _, text := range texts {
			if c := staticCategory(code, text); !slices.Contains(categories[head], c) {
				categories[head] = append(categories[head], c)
			}
		}
		if _, rest := cut(code); rest == "" && t.longText {
			unnamed[head] = true
		}
	}
	for _, head := range sorted(categories) {
		if len(categories[head]) <= mostCategories && !unnamed[head] {
			slices.Sort(categories[head])
			p.covariates[head] = p.category(&p.schema.Covariates, head, categories[head], about[head])
		}
	}
}

// addDated makes variables and code systems of the codes with a time.
func (p *plan) addDated(dated map[string]*tally, about map[string]description) {
	for _, code := range sorted(dated) {
		head, rest := cut(code)
		boundary := p.begins(code) || p.ends(code)
		if dated[code].numeric() && !boundary {
			p.variables[code] = p.number(&p.schema.Variables, code, dated[code], about[code])
			continue
		}
		if dated[code].categorical() && !boundary {
			p.variables[code] = p.category(&p.schema.Variables, code, sorted(dated[code].texts), about[code])
			continue
		}
		if _, known := p.systems[head]; known || boundary && rest == "" {
			continue
		}
		p.systems[head] = int32(len(p.schema.Systems))
		p.schema.Systems = append(p.schema.Systems, ehr.System{Name: head, Kind: kindOf(head)})
	}
}

// category appends a variable of categories and returns its index.
func (p *plan) category(to *[]ehr.Variable, code string, categories []string, d description) int32 {
	v := ehr.Variable{Name: p.name(*to, code), Title: cmp.Or(d.title, code), Kind: ehr.Category, Categories: categories}
	*to = append(*to, v)
	return int32(len(*to) - 1)
}

// number appends a numeric variable and returns its index.
func (p *plan) number(to *[]ehr.Variable, code string, t *tally, d description) int32 {
	v := ehr.Variable{Name: p.name(*to, code), Title: cmp.Or(d.title, code), Unit: d.unit, Kind: ehr.Number, Decimals: int(t.decimals)}
	v.Low, v.High = ehr.Bound(v.Round(t.low)), ehr.Bound(v.Round(t.high))
	*to = append(*to, v)
	return int32(len(*to) - 1)
}

// name makes a name of a code: lower case, one _ for whatever is neither letter nor digit, and a number behind a name that is
// taken.
func (p *plan) name(taken []ehr.Variable, code string) string {
	words := strings.FieldsFunc(strings.ToLower(code), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	stem := strings.Join(words, "_")
	if stem == "" {
		stem = "unnamed"
	}
	name := stem
	for n := 2; slices.ContainsFunc(taken, func(v ehr.Variable) bool { return v.Name == name }); n++ {
		name = fmt.Sprintf("%s_%d", stem, n)
	}
	return name
}

// kindOf tells the kind of a code system from words in its name.
func kindOf(system string) ehr.CodeKind {
	upper := strings.ToUpper(system)
	for _, k := range []struct {
		kind  ehr.CodeKind
		words []string
	}{
		{ehr.Procedure, []string{"PROC", "ICD10PCS", "CPT", "HCPCS", "SURGERY"}},
		{ehr.Diagnosis, []string{"DIAG", "CONDITION", "ICD9CM", "ICD10CM", "ICD10", "DX"}},
		{ehr.Drug, []string{"DRUG", "MEDICATION", "PRESCRI", "INFUSION", "RXNORM", "NDC", "ATC", "PHARMACY"}},
	} {
		if slices.ContainsFunc(k.words, func(w string) bool { return strings.Contains(upper, w) }) {
			return k.kind
		}
	}
	return ehr.Treatment
}

// description is what codes.parquet says of a code.
type description struct{ title, unit string }

// descriptions reads codes.parquet, where there is one.
func (s *set) descriptions(ctx context.Context) (map[string]description, error) {
	path := filepath.Join(s.dir, codesFile)
	about := map[string]description{}
	if _, err := os.Stat(path); err != nil {
		return about, nil // MEDS asks for it; the data can be read without
	}
	types, err := s.describe(ctx, path, []column{{"code", []string{"VARCHAR"}, "text", false}})
	if err != nil {
		return nil, err
	}
	optional := func(names ...string) string {
		for _, name := range names {
			if types[name] == "VARCHAR" {
				return table.Ident(name)
			}
		}
		return "NULL::VARCHAR"
	}
	query := fmt.Sprintf("SELECT code, %s, %s FROM %s WHERE code IS NOT NULL", optional("description"), optional("unit", "units"), parquet(path))
	return about, s.each(ctx, path, query, func(r table.Row) error {
		about[r.Text(0)] = description{r.Text(1), r.Text(2)}
		return nil
	})
}

// sorted are the keys of a map, ascending.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// begins and ends tell the codes that bound visits.
func (p *plan) begins(code string) bool { return p.bounds(code, 0) }
func (p *plan) ends(code string) bool   { return p.bounds(code, 1) }

func (p *plan) bounds(code string, side int) bool {
	if p.family == nil {
		return false
	}
	head, _ := cut(code)
	return head == p.family[side]
}
