// Package table opens other people's tables. It is the one place where a file that somebody else wrote meets DuckDB: an
// in-memory database without network, CSV files registered as typed tables, queries that stream rows, and whatever goes
// wrong turned into one sentence of fault.Input.
//
// A reader of a format says with Spec which columns of which files it needs and how much it demands of each; what a file
// fails to give in a demanded column stops the reading, with file and row; what it fails to give elsewhere becomes NULL for
// the reader to count. Report is where readers account for every row: kept, or dropped and why.
package table

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Options is how much of the machine reading may take. The zero value is usable.
type Options struct {
	Threads     int          // 0: as many as Go may use
	MemoryLimit string       // of DuckDB, as it writes sizes ("2GB"); empty: 2GB
	Scratch     string       // existing folder for what does not fit in memory; empty: the system's temporary folder
	Logger      *slog.Logger // may be nil; never told a patient's value
}

// Log is the logger of the options, one that discards when none was given.
func (o Options) Log() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// DB is an in-memory database. It may be used by several goroutines.
type DB struct {
	sql     *sql.DB
	scratch string
	files   []string // registered, so that an error can name the file it means
}

// Open starts an in-memory database whose spill files live in a fresh folder under opt.Scratch, removed by Close. Extensions
// are neither installed nor loaded: nothing is fetched from a network.
func Open(ctx context.Context, opt Options) (*DB, error) {
	scratch, err := os.MkdirTemp(opt.Scratch, "synehrgy-table-")
	if err != nil {
		return nil, fmt.Errorf("make a scratch folder: %w", err)
	}
	threads, limit := opt.Threads, opt.MemoryLimit
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if limit == "" {
		limit = "2GB"
	}
	settings := []string{
		"SET autoinstall_known_extensions=false",
		"SET autoload_known_extensions=false",
		"SET allow_community_extensions=false",
		"SET enable_progress_bar=false",
		"SET preserve_insertion_order=true",
		"SET TimeZone='UTC'",
		fmt.Sprintf("SET threads=%d", threads),
		"SET memory_limit=" + Quote(limit),
		"SET temp_directory=" + Quote(scratch),
	}
	connector, err := duckdb.NewConnector("", func(conn driver.ExecerContext) error {
		for _, s := range settings {
			if _, err := conn.ExecContext(ctx, s, nil); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open DuckDB: %w", err), os.RemoveAll(scratch))
	}
	db := &DB{sql: sql.OpenDB(connector), scratch: scratch}
	if err := db.sql.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open DuckDB: %w", err), db.Close())
	}
	return db, nil
}

// Close ends the database and removes its spill files.
func (db *DB) Close() error { return errors.Join(db.sql.Close(), os.RemoveAll(db.scratch)) }

// SQL is the database itself, for what this package has no word for (appenders, COPY).
func (db *DB) SQL() *sql.DB { return db.sql }

// Exec runs statements that give no rows. Errors of a file come back as *fault.Input.
func (db *DB) Exec(ctx context.Context, query string, args ...any) error {
	_, err := db.sql.ExecContext(ctx, query, args...)
	return db.explain(ctx, err)
}

// Each runs a query and calls f with every row, in the order of the query. The row is valid during the call only. An error
// of f ends the query and is returned as it is. The driver holds the whole result before the first call of f, so ask for a
// large one in parts.
func (db *DB) Each(ctx context.Context, query string, f func(Row) error, args ...any) error {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to DuckDB: %w", err)
	}
	defer conn.Close()
	var failed error // of f, told apart from an error of the database
	err = conn.Raw(func(raw any) error {
		rows, err := raw.(driver.QueryerContext).QueryContext(ctx, query, named(args))
		if err != nil {
			return err
		}
		defer rows.Close()
		row := make(Row, len(rows.Columns()))
		for {
			if err := rows.Next(row); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if failed = f(row); failed != nil {
				return nil
			}
		}
	})
	if failed != nil {
		return failed
	}
	return db.explain(ctx, err)
}

// Count runs a query that gives one integer.
func (db *DB) Count(ctx context.Context, query string, args ...any) (int64, error) {
	var n int64
	err := db.sql.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, db.explain(ctx, err)
}

func named(args []any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

// Row is one row of a query, a value a column. The accessors expect the type that the query gives its column: BIGINT or
// INTEGER, DOUBLE, VARCHAR, TIMESTAMP; NULL is 0, "" and the zero time, so ask Null first where it matters.
type Row []driver.Value

// Null tells whether column i has no value.
func (r Row) Null(i int) bool { return r[i] == nil }

// Text is column i as text.
func (r Row) Text(i int) string { s, _ := r[i].(string); return s }

// Real is column i as a number.
func (r Row) Real(i int) float64 { x, _ := r[i].(float64); return x }

// Bool is column i as a truth value.
func (r Row) Bool(i int) bool { b, _ := r[i].(bool); return b }

// Time is column i as a time.
func (r Row) Time(i int) time.Time { t, _ := r[i].(time.Time); return t }

// Int is column i as an integer.
func (r Row) Int(i int) int64 {
	switch n := r[i].(type) {
	case int64:
		return n
	case int32:
		return int64(n)
	case int16:
		return int64(n)
	case int8:
		return int64(n)
	}
	return 0
}

// Quote writes a text as a literal of SQL.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Ident writes a name as an identifier of SQL.
func Ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// shown is the name of a file as errors show it: the path as the user gave it, cleaned.
func shown(path string) string { return filepath.Clean(path) }
