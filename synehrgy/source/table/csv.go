package table

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Type is what a column holds.
type Type uint8

// The types of columns and what they become in a query.
const (
	Text    Type = iota // VARCHAR, outer blanks removed, nothing but blanks is NULL
	Integer             // BIGINT; "12.0" is 12, "12.5" is not an integer
	Real                // DOUBLE, finite
	Time                // TIMESTAMP, ISO 8601
)

// Demand is what a column promises. What breaks a promise stops the reading, with file and row.
type Demand uint8

// The demands, from weak to strong.
const (
	Loose    Demand = iota // a value that does not convert is NULL
	Converts               // may be empty, but what is there converts
	Present                // there in every row, and converts
)

// Column is one column that a reader needs; names match without regard to case.
type Column struct {
	Name     string
	Type     Type
	Demand   Demand
	Optional bool // a file without this column is fine: it is NULL throughout
}

// Spec is one CSV file that a reader needs, plain or gzip.
type Spec struct {
	Name    string // stem of the file and name of the table: "ADMISSIONS"
	Path    string // the file, where it is not dir/Name.csv or dir/Name.csv.gz
	Columns []Column
	Comma   rune // between fields; 0 is a comma
	// Stream leaves the rows in the file, to be read anew by every query, for tables that are too large to hold. A streamed
	// table has no column file_row and its columns can only be Loose.
	Stream bool
	Unique []string // columns that together occur once in the file
}

// CSV registers a file under spec.Name: the columns of the spec, by their lower-case names, and file_row, the row in the
// file (the header is row 1). It demands of the file what the spec demands.
func (db *DB) CSV(ctx context.Context, dir string, spec Spec) error {
	path := spec.Path
	if path == "" {
		var err error
		if path, err = Find(dir, spec.Name); err != nil {
			return err
		}
	}
	comma := spec.Comma
	if comma == 0 {
		comma = ','
	}
	header, err := readHeader(path, comma)
	if err != nil {
		return err
	}
	if err := wholeGzip(ctx, path); err != nil {
		return err
	}
	for _, c := range spec.Columns {
		if !c.Optional && !slices.Contains(header, strings.ToLower(c.Name)) {
			return &fault.Input{File: shown(path), Row: 1, Found: fmt.Sprintf("a header of %d columns without it", len(header)),
				Expected: "a column " + strings.ToLower(c.Name)}
		}
		if spec.Stream && c.Demand != Loose {
			return fmt.Errorf("table %s is streamed: column %s can only be loose", spec.Name, c.Name)
		}
	}
	db.files = append(db.files, path)
	raw := rawCSV(path, header, comma)
	if spec.Stream {
		return db.Exec(ctx, fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT %s FROM %s",
			Ident(spec.Name), typed(spec.Columns, header), raw))
	}
	if err := db.demand(ctx, path, raw, spec, header); err != nil {
		return err
	}
	err = db.Exec(ctx, fmt.Sprintf("CREATE OR REPLACE TABLE %s AS SELECT row_number() OVER () + 1 AS file_row, %s FROM %s",
		Ident(spec.Name), typed(spec.Columns, header), raw))
	if err != nil {
		return err
	}
	return db.unique(ctx, path, spec)
}

// Find is the path of dir/name.csv or dir/name.csv.gz, whatever the case of its letters; the plain file where both are there.
func Find(dir, name string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", &fault.Input{File: shown(dir), Found: "no folder that can be read", Expected: "a folder of CSV files", Err: err}
	}
	var tables []string
	for _, suffix := range []string{".csv", ".csv.gz"} {
		for _, e := range entries {
			if e.IsDir() {
				continue
			}
			if strings.EqualFold(e.Name(), name+suffix) {
				return filepath.Join(dir, e.Name()), nil
			}
			if strings.HasSuffix(strings.ToLower(e.Name()), suffix) {
				tables = append(tables, e.Name())
			}
		}
	}
	found := "no CSV file"
	if len(tables) > 0 {
		slices.Sort(tables)
		found = "only " + strings.Join(tables, ", ")
	}
	return "", &fault.Input{File: shown(dir), Found: found, Expected: name + ".csv or " + name + ".csv.gz"}
}

// Has tells whether dir holds a table of that name, for tables that a reader can do without.
func Has(dir, name string) bool {
	_, err := Find(dir, name)
	return err == nil
}

// readHeader is the names of the columns, in lower case.
func readHeader(path string, comma rune) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &fault.Input{File: shown(path), Found: "no file that can be read", Expected: "a CSV file", Err: err}
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if isGzip(path) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, &fault.Input{File: shown(path), Found: "no gzip header", Expected: "a CSV file packed by gzip", Err: err}
		}
		defer z.Close()
		in = bufio.NewReader(z)
	}
	if mark, err := in.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
	}
	r := csv.NewReader(in)
	r.Comma = comma
	header, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, &fault.Input{File: shown(path), Found: "an empty file", Expected: "a header line and rows"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, truncated(path)
	case err != nil:
		return nil, &fault.Input{File: shown(path), Row: 1, Found: "a header line that is not CSV", Expected: "the names of the columns"}
	}
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if slices.Contains(header[:i], header[i]) {
			return nil, &fault.Input{File: shown(path), Row: 1, Found: fmt.Sprintf("column %d named as an earlier one", i+1), Expected: "every column once"}
		}
	}
	return header, nil
}

// rawCSV is the SQL that reads every column of a file as text. Nothing is guessed: the dialect is given, the header is known.
func rawCSV(path string, header []string, comma rune) string {
	columns := make([]string, len(header))
	for i, name := range header {
		columns[i] = Ident(name) + ": 'VARCHAR'"
	}
	compression := "none"
	if isGzip(path) {
		compression = "gzip"
	}
	return fmt.Sprintf(`read_csv(%s, auto_detect=false, header=true, delim=%s, quote='"', escape='"', compression='%s', columns={%s})`,
		Quote(escapeGlob(path)), Quote(string(comma)), compression, strings.Join(columns, ", "))
}

// escapeGlob keeps DuckDB from reading a name with * ? [ as a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

func isGzip(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".gz") }

// typed is the list of a SELECT that gives the columns of a spec their types.
func typed(columns []Column, header []string) string {
	var out []string
	for _, c := range columns {
		name := strings.ToLower(c.Name)
		expr := "NULL::VARCHAR"
		if slices.Contains(header, name) {
			expr = text(name)
		}
		out = append(out, convert(expr, c.Type)+" AS "+Ident(name))
	}
	return strings.Join(out, ", ")
}

func text(name string) string { return "nullif(trim(" + Ident(name) + "), '')" }

func convert(expr string, t Type) string {
	switch t {
	case Integer:
		return fmt.Sprintf("CASE WHEN TRY_CAST(%[1]s AS DOUBLE) = TRY_CAST(%[1]s AS BIGINT) THEN TRY_CAST(%[1]s AS BIGINT) END", expr)
	case Real:
		return fmt.Sprintf("CASE WHEN isfinite(TRY_CAST(%[1]s AS DOUBLE)) THEN TRY_CAST(%[1]s AS DOUBLE) END", expr)
	case Time:
		return fmt.Sprintf("TRY_CAST(%s AS TIMESTAMP)", expr)
	default:
		return expr
	}
}

var expectations = [...]string{Text: "a text", Integer: "an integer", Real: "a number", Time: "a date and time such as 2130-02-04 04:00:00"}

// demand looks for the first row that breaks what the spec demands, in the order of the rows, then of the columns.
func (db *DB) demand(ctx context.Context, path, raw string, spec Spec, header []string) error {
	var cases []string
	for i, c := range spec.Columns {
		name := strings.ToLower(c.Name)
		if c.Demand == Loose || !slices.Contains(header, name) {
			continue
		}
		if c.Demand == Present {
			cases = append(cases, fmt.Sprintf("WHEN %s IS NULL THEN %d", text(name), 2*i))
		}
		if c.Type != Text {
			cases = append(cases, fmt.Sprintf("WHEN %s IS NOT NULL AND %s IS NULL THEN %d", text(name), convert(text(name), c.Type), 2*i+1))
		}
	}
	if len(cases) == 0 {
		return nil
	}
	query := fmt.Sprintf(`SELECT file_row, broken FROM (SELECT row_number() OVER () + 1 AS file_row, CASE %s END AS broken FROM %s)
		WHERE broken IS NOT NULL ORDER BY file_row LIMIT 1`, strings.Join(cases, " "), raw)
	return db.Each(ctx, query, func(r Row) error {
		c := spec.Columns[r.Int(1)/2]
		found := "nothing"
		if r.Int(1)%2 == 1 {
			found = "something else"
		}
		return &fault.Input{File: shown(path), Row: r.Int(0), Found: found + " in column " + strings.ToLower(c.Name),
			Expected: expectations[c.Type]}
	})
}

// unique looks for the first row that repeats the key of an earlier one.
func (db *DB) unique(ctx context.Context, path string, spec Spec) error {
	if len(spec.Unique) == 0 {
		return nil
	}
	key := make([]string, len(spec.Unique))
	for i, name := range spec.Unique {
		key[i] = Ident(strings.ToLower(name))
	}
	columns := strings.Join(key, ", ")
	query := fmt.Sprintf(`SELECT file_row FROM %s QUALIFY row_number() OVER (PARTITION BY %s ORDER BY file_row) > 1
		ORDER BY file_row LIMIT 1`, Ident(spec.Name), columns)
	return db.Each(ctx, query, func(r Row) error {
		name := strings.ToLower(strings.Join(spec.Unique, ", "))
		return &fault.Input{File: shown(path), Row: r.Int(0), Found: "the " + name + " of an earlier row", Expected: "every " + name + " once"}
	})
}
