package meds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// Read reads the MEDS data set in dir: a cohort of ours exactly as it was written, any other by the rules of foreign.go. What
// is wrong with the files is a *fault.Input.
func Read(ctx context.Context, dir string, opt table.Options) (*ehr.Cohort, *table.Report, error) {
	schema, ours, err := readSchema(filepath.Join(dir, schemaFile))
	if err != nil {
		return nil, nil, err
	}
	db, err := table.Open(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	s := &set{db: db, dir: dir}
	if s.files, err = dataFiles(dir); err != nil {
		return nil, nil, err
	}
	for i := range s.files {
		if err := s.inspect(ctx, &s.files[i], ours); err != nil {
			return nil, nil, err
		}
	}
	if ours {
		return s.own(ctx, schema, opt)
	}
	return s.foreign(ctx, opt)
}

// set is a data set that is being read.
type set struct {
	db    *table.DB
	dir   string
	files []dataFile
}

// dataFile is one file of events.
type dataFile struct {
	path    string
	columns map[string]string // name to type of DuckDB, of those that we know
}

// dataFiles lists the Parquet files below data, by name.
func dataFiles(dir string) ([]dataFile, error) {
	root := filepath.Join(dir, dataFolder)
	var files []dataFile
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(entry.Name(), ".parquet") {
			files = append(files, dataFile{path: path})
		}
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &fault.Input{File: dir, Found: "no folder " + dataFolder, Expected: "a MEDS data set, with Parquet files below " + dataFolder, Err: err}
	case err != nil:
		return nil, &fault.Input{File: root, Found: "a folder that cannot be read", Expected: "Parquet files", Err: err}
	case len(files) == 0:
		return nil, &fault.Input{File: root, Found: "no Parquet file", Expected: "the events, as MEDS lays them out"}
	}
	slices.SortFunc(files, func(a, b dataFile) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// column is what a column of MEDS may be.
type column struct {
	name     string
	types    []string // of DuckDB
	expected string
	optional bool
}

var (
	integers = []string{"BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"}
	moments  = []string{"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "DATE"}
	numbers  = append([]string{"FLOAT", "DOUBLE"}, integers...)
	columns  = []column{
		{"subject_id", integers, "integers", false},
		{"time", moments, "timestamps", false},
		{"code", []string{"VARCHAR"}, "text", false},
		{"numeric_value", numbers, "numbers", true},
		{"text_value", []string{"VARCHAR"}, "text", true},
	}
	ourColumns = []column{
		{"visit", integers, "integers", false},
		{"ordinal", integers, "integers", false},
		{"exact_value", []string{"DOUBLE"}, "numbers", false},
	}
)

// inspect holds the columns of a file to what MEDS, and for our cohorts we, promise.
func (s *set) inspect(ctx context.Context, f *dataFile, ours bool) error {
	wanted := columns
	if ours {
		wanted = slices.Concat(columns, ourColumns)
	}
	var err error
	f.columns, err = s.describe(ctx, f.path, wanted)
	return err
}

// describe returns the types of the wanted columns of a Parquet file.
func (s *set) describe(ctx context.Context, path string, wanted []column) (map[string]string, error) {
	types := map[string]string{}
	var names []string
	query := "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM " + parquet(path) + ")"
	err := s.db.Each(ctx, query, func(r table.Row) error {
		names = append(names, r.Text(0))
		types[r.Text(0)] = r.Text(1)
		return nil
	})
	if err != nil {
		return nil, s.explain(ctx, path, err)
	}
	for _, c := range wanted {
		t, there := types[c.name]
		switch {
		case !there && !c.optional:
			return nil, &fault.Input{File: path, Found: "columns " + strings.Join(names, ", "), Expected: "a column " + c.name}
		case there && !slices.Contains(c.types, t):
			return nil, &fault.Input{File: path, Found: fmt.Sprintf("column %s of type %s", c.name, t), Expected: c.expected}
		}
	}
	return types, nil
}

// notOfTheFile are errors that no content of a file brings about.
var notOfTheFile = []duckdb.ErrorType{duckdb.ErrorTypeOutOfMemory, duckdb.ErrorTypeParser, duckdb.ErrorTypeSyntax, duckdb.ErrorTypeBinder,
	duckdb.ErrorTypeCatalog}

// explain makes a sentence of what DuckDB says of a Parquet file. Its own words may quote a value and go no further.
func (s *set) explain(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, told := errors.AsType[*fault.Input](err); told {
		return err
	}
	e, ok := errors.AsType[*duckdb.Error](err)
	if !ok || slices.Contains(notOfTheFile, e.Type) {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return &fault.Input{File: path, Found: "no file that can be read", Expected: "a Parquet file", Err: err}
	}
	return &fault.Input{File: path, Found: "a file that is truncated, damaged or not Parquet", Expected: "a whole Parquet file"}
}

// each streams the rows of a query about one file.
func (s *set) each(ctx context.Context, path, query string, f func(table.Row) error) error {
	var failed error
	err := s.db.Each(ctx, query, func(r table.Row) error { failed = f(r); return failed })
	if failed != nil || err == nil {
		return failed
	}
	return s.explain(ctx, path, err)
}

// parquet is the SQL that reads a file, with file_row_number from 0.
func parquet(path string) string {
	escaped := strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(path)
	return "read_parquet(" + table.Quote(escaped) + ", hive_partitioning=false)"
}

func parquetRows(path string) string {
	return strings.TrimSuffix(parquet(path), ")") + ", file_row_number=true)"
}

// splits reads which split a subject belongs to; nil when the data set does not say.
func (s *set) splits(ctx context.Context) (map[int64]string, error) {
	path := filepath.Join(s.dir, splitsFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if _, err := s.describe(ctx, path, []column{columns[0], {"split", []string{"VARCHAR"}, "text", false}}); err != nil {
		return nil, err
	}
	splits := map[int64]string{}
	query := "SELECT subject_id::BIGINT, split::VARCHAR, file_row_number FROM " + parquetRows(path)
	return splits, s.each(ctx, path, query, func(r table.Row) error {
		if r.Null(0) || r.Null(1) {
			return &fault.Input{File: path, Row: r.Int(2) + 1, Found: "a row without subject or split", Expected: "both"}
		}
		if was, twice := splits[r.Int(0)]; twice && was != r.Text(1) {
			return &fault.Input{File: path, Row: r.Int(2) + 1, Found: "a subject of an earlier row in another split", Expected: "every subject in one split"}
		}
		splits[r.Int(0)] = r.Text(1)
		return nil
	})
}
