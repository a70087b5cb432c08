package table

import (
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/klauspost/compress/gzip"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

var lineOfCSV = regexp.MustCompile(`CSV Error on Line: (\d+)`)

// whatCSV tells, by words of DuckDB's message, what is wrong with a line. The message itself quotes the line, and with it
// a patient: it goes no further than here.
var whatCSV = []struct{ words, found, expected string }{
	{"Expected Number of Columns", "another number of fields", "as many fields as the header has names"},
	{"unterminated quote", "a quote that does not end", "closed quotes"},
	{"Invalid unicode", "bytes that are not UTF-8", "UTF-8 text"},
	{"not utf-8 encoded", "bytes that are not UTF-8", "UTF-8 text"},
	{"Maximum line size", "a line of more than two megabytes", "one row a line"},
	{"quote", "a quote in the wrong place", "quotes around whole fields"},
}

// explain turns an error of DuckDB that means a registered file into *fault.Input and leaves any other as it is.
func (db *DB) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	message := e.Msg
	file := ""
	for _, f := range db.files {
		if strings.Contains(message, f) && len(f) > len(file) {
			file = f
		}
	}
	if m := lineOfCSV.FindStringSubmatch(message); m != nil {
		row, _ := strconv.ParseInt(m[1], 10, 64)
		for _, w := range whatCSV {
			if strings.Contains(message, w.words) {
				return &fault.Input{File: shown(file), Row: row, Found: w.found, Expected: w.expected}
			}
		}
		return &fault.Input{File: shown(file), Row: row, Found: "a line that is not CSV", Expected: "one row a line"}
	}
	if file != "" && (e.Type == duckdb.ErrorTypeInvalidInput || e.Type == duckdb.ErrorTypeConversion || e.Type == duckdb.ErrorTypeIO) {
		return &fault.Input{File: shown(file), Found: "data that cannot be read as a table", Expected: "a CSV file in UTF-8"}
	}
	return err
}

// wholeGzip tells a file that was cut off from a whole one. DuckDB takes the end of a file for the end of its data, so a
// half copied table would be read as a shorter one.
func wholeGzip(ctx context.Context, path string) error {
	if !isGzip(path) {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return &fault.Input{File: shown(path), Found: "no file that can be read", Expected: "a CSV file packed by gzip", Err: err}
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return &fault.Input{File: shown(path), Found: "no gzip header", Expected: "a CSV file packed by gzip", Err: err}
	}
	defer z.Close()
	if _, err := io.Copy(io.Discard, reader{ctx, z}); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return truncated(path)
		}
		return &fault.Input{File: shown(path), Found: "packed data that do not match their checksum", Expected: "an undamaged gzip file", Err: err}
	}
	return nil
}

func truncated(path string) error {
	return &fault.Input{File: shown(path), Found: "packed data that break off", Expected: "a whole gzip file", Err: io.ErrUnexpectedEOF}
}

// reader stops reading when its context ends.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
