package meds

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// WriteOptions say how a cohort is written. The zero value is usable.
type WriteOptions struct {
	Table           table.Options
	Dataset         string // name of the data set in dataset.json; empty: the source of the schema
	PatientsPerFile int    // 0: 10,000
	// Extra, where set, adds files of the caller to the folder before it takes its name, so that they appear with it.
	Extra func(folder string) error
}

// Write writes a cohort into dir, which must not exist or be empty: whole, or not at all. Errors are *fault.Usage for a dir
// that is taken, *fault.Input for a cohort that breaks the promises of its schema, ctx.Err() when cancelled.
func Write(ctx context.Context, dir string, c *ehr.Cohort, opt WriteOptions) error {
	if opt.Dataset == "" {
		opt.Dataset = c.Schema.Source
	}
	if opt.PatientsPerFile <= 0 {
		opt.PatientsPerFile = 10_000
	}
	if len(c.Patients) == 0 {
		return &fault.Input{File: dir, Found: "a cohort without patients", Expected: "at least one"}
	}
	if what := flaw(&c.Schema); what != "" {
		return &fault.Input{File: dir, Found: "a cohort with " + what, Expected: "a schema that can be true"}
	}
	return checkpoint.WriteDir(dir, func(tmp string) error {
		opt.Table.Threads = 1 // several would cut row groups where they meet
		db, err := table.Open(ctx, opt.Table)
		if err != nil {
			return err
		}
		defer db.Close()
		w := &writer{db: db, dir: tmp, cohort: c, words: wordsOf(&c.Schema), subjects: subjectIDs(c), opt: opt, codes: map[string]bool{}}
		if err := w.all(ctx); err != nil || opt.Extra == nil {
			return err
		}
		return opt.Extra(tmp)
	})
}

// writer holds one cohort on its way to the disk.
type writer struct {
	db       *table.DB
	dir      string
	cohort   *ehr.Cohort
	words    words
	subjects []int64 // by position of the patient
	opt      WriteOptions
	codes    map[string]bool // that occurred
}

// subjectIDs are the ids of MEDS, which are integers: those of the patients where these are different whole numbers as Go
// writes them, else 1, 2, ….
func subjectIDs(c *ehr.Cohort) []int64 {
	ids := make([]int64, len(c.Patients))
	seen := make(map[int64]bool, len(ids))
	for i := range ids {
		n, err := strconv.ParseInt(c.Patients[i].ID, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != c.Patients[i].ID || seen[n] {
			for j := range ids {
				ids[j] = int64(j) + 1
			}
			return ids
		}
		ids[i], seen[n] = n, true
	}
	return ids
}

func (w *writer) all(ctx context.Context) error {
	for _, folder := range []string{dataFolder, filepath.Dir(datasetFile)} {
		if err := os.Mkdir(filepath.Join(w.dir, folder), 0o700); err != nil {
			return fmt.Errorf("make folder %s: %w", folder, err)
		}
	}
	for _, s := range []ehr.Split{ehr.NoSplit, ehr.Train, ehr.Tuning, ehr.HeldOut} {
		if err := w.split(ctx, s); err != nil {
			return err
		}
	}
	if err := w.patients(ctx); err != nil {
		return err
	}
	if err := w.codeTable(ctx); err != nil {
		return err
	}
	return w.json()
}

// split writes the files of the patients of one split.
func (w *writer) split(ctx context.Context, s ehr.Split) error {
	var of []int
	for i := range w.cohort.Patients {
		if w.cohort.Patients[i].Split == s {
			of = append(of, i)
		}
	}
	if len(of) == 0 {
		return nil
	}
	folder := filepath.Join(w.dir, dataFolder, splitName(s))
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("make folder %s: %w", splitName(s), err)
	}
	slices.SortFunc(of, func(a, b int) int { // files hold ascending ranges of subjects
		if w.subjects[a] < w.subjects[b] {
			return -1
		}
		return 1
	})
	n := 0
	for shard := range slices.Chunk(of, w.opt.PatientsPerFile) {
		if err := w.shard(ctx, shard, filepath.Join(folder, strconv.Itoa(n)+".parquet")); err != nil {
			return err
		}
		n++
	}
	return nil
}

const eventColumns = `subject_id BIGINT, "time" TIMESTAMP, code VARCHAR, numeric_value FLOAT, text_value VARCHAR,
	visit INTEGER, ordinal INTEGER, exact_value DOUBLE`

// shard writes the events of some patients as one file, by subject and time as MEDS wants it.
func (w *writer) shard(ctx context.Context, patients []int, path string) error {
	if err := w.db.Exec(ctx, "CREATE OR REPLACE TABLE events ("+eventColumns+")"); err != nil {
		return err
	}
	err := w.append(ctx, "events", func(a *duckdb.Appender) error {
		for _, i := range patients {
			if err := ctx.Err(); err != nil {
				return err
			}
			p := &w.cohort.Patients[i]
			err := w.cohort.Schema.Check(p)
			if err == nil {
				err = checkText(p)
			}
			var events []event
			if err == nil {
				events, err = w.events(p, w.subjects[i])
			}
			if err != nil {
				return &fault.Input{File: w.opt.Dataset, Found: fmt.Sprintf("patient %d of the cohort with %v", i+1, err),
					Expected: "a cohort that keeps the promises of its schema", Err: err}
			}
			for _, e := range events {
				w.codes[e.code] = true
				if err := a.AppendRow(e.values()...); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.copy(ctx, `SELECT * FROM events ORDER BY subject_id, "time" NULLS FIRST, visit NULLS LAST, ordinal`, path)
}

// append fills a table.
func (w *writer) append(ctx context.Context, name string, fill func(*duckdb.Appender) error) error {
	conn, err := w.db.SQL().Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to DuckDB: %w", err)
	}
	defer conn.Close()
	return conn.Raw(func(raw any) error {
		a, err := duckdb.NewAppenderFromConn(raw.(driver.Conn), "", name)
		if err != nil {
			return fmt.Errorf("append to %s: %w", name, err)
		}
		if err := fill(a); err != nil {
			a.Close()
			return err
		}
		return a.Close()
	})
}

// copy writes the result of a query as Parquet.
func (w *writer) copy(ctx context.Context, query, path string) error {
	err := w.db.Exec(ctx, fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)", query, table.Quote(path)))
	if err != nil && ctx.Err() == nil {
		name, _ := filepath.Rel(w.dir, path)
		return fmt.Errorf("%s cannot be written: %w", name, err)
	}
	return err
}

// patients writes who is who, and the splits.
func (w *writer) patients(ctx context.Context) error {
	if err := w.db.Exec(ctx, "CREATE TABLE patients (position BIGINT, subject_id BIGINT, patient_id VARCHAR, events BIGINT, split VARCHAR)"); err != nil {
		return err
	}
	err := w.append(ctx, "patients", func(a *duckdb.Appender) error {
		for i := range w.cohort.Patients {
			p := &w.cohort.Patients[i]
			if err := a.AppendRow(int64(i), w.subjects[i], p.ID, int64(p.Events()), splitName(p.Split)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.copy(ctx, "SELECT position, subject_id, patient_id, events FROM patients ORDER BY position", filepath.Join(w.dir, patientsFile)); err != nil {
		return err
	}
	return w.copy(ctx, "SELECT subject_id, split FROM patients ORDER BY subject_id", filepath.Join(w.dir, splitsFile))
}

// codeTable writes one row for every code that occurred.
func (w *writer) codeTable(ctx context.Context) error {
	titles, units := map[string]string{}, map[string]string{}
	for i, v := range w.cohort.Schema.Covariates {
		titles[w.words.covariates[i]], units[w.words.covariates[i]] = v.Title, v.Unit
	}
	for i, v := range w.cohort.Schema.Variables {
		titles[w.words.measurements[i]], units[w.words.measurements[i]] = v.Title, v.Unit
	}
	codes := make([]string, 0, len(w.codes))
	for code := range w.codes {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	if err := w.db.Exec(ctx, "CREATE TABLE codes (code VARCHAR, description VARCHAR, unit VARCHAR)"); err != nil {
		return err
	}
	err := w.append(ctx, "codes", func(a *duckdb.Appender) error {
		for _, code := range codes {
			if err := a.AppendRow(code, orNil(titles[code]), orNil(units[code])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.copy(ctx, "SELECT code, description, NULL::VARCHAR[] AS parent_codes, unit FROM codes ORDER BY code", filepath.Join(w.dir, codesFile))
}

// json writes dataset.json and the schema. There is no created_at: the same cohort gives the same bytes.
func (w *writer) json() error {
	dataset, err := json.MarshalIndent(struct {
		Name    string   `json:"dataset_name"`
		ETL     string   `json:"etl_name"`
		Version string   `json:"meds_version"`
		Other   []string `json:"other_extension_columns"`
	}{w.opt.Dataset, "synehrgy", Version, []string{"visit", "ordinal", "exact_value"}}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", datasetFile, err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, datasetFile), append(dataset, '\n'), 0o600); err != nil {
		return err
	}
	schema, err := encodeSchema(&w.cohort.Schema)
	if err != nil {
		return fmt.Errorf("encode %s: %w", schemaFile, err)
	}
	return os.WriteFile(filepath.Join(w.dir, schemaFile), schema, 0o600)
}

// checkText demands of every text of a patient that Parquet can hold it.
func checkText(p *ehr.Patient) error {
	if !utf8.ValidString(p.ID) {
		return fmt.Errorf("an id that is not UTF-8")
	}
	for i := range p.Visits {
		v := &p.Visits[i]
		if !utf8.ValidString(v.ID) {
			return fmt.Errorf("visit %d: an id that is not UTF-8", i+1)
		}
		for _, c := range v.Codes {
			if !utf8.ValidString(c.Code) {
				return fmt.Errorf("visit %d: a code that is not UTF-8", i+1)
			}
		}
	}
	return nil
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
