package table_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *table.DB {
	t.Helper()
	scratch := t.TempDir()
	db, err := table.Open(t.Context(), table.Options{Threads: 2, MemoryLimit: "512MB", Scratch: scratch})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, db.Close())
		left, err := os.ReadDir(scratch)
		require.NoError(t, err)
		require.Empty(t, left, "Close must remove the spill files")
	})
	return db
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	data := []byte(content)
	if strings.HasSuffix(name, ".gz") {
		data = pack(t, content)
	}
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func pack(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, content)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

var stays = table.Spec{Name: "STAYS", Unique: []string{"id"}, Columns: []table.Column{
	{Name: "ID", Type: table.Integer, Demand: table.Present},
	{Name: "start", Type: table.Time, Demand: table.Converts},
	{Name: "weight", Type: table.Real},
	{Name: "code", Type: table.Text},
	{Name: "later", Type: table.Real, Optional: true},
}}

func TestColumnsAreTypedAndRowsNumbered(t *testing.T) {
	for _, name := range []string{"stays.csv", "Stays.CSV.gz"} {
		dir := t.TempDir()
		write(t, dir, name, "\xef\xbb\xbfId,START,code,weight\n7,2130-02-04 04:00:00,0066,71.5\n8.0,, \" 4,2 \" ,heavy\n9,,,nan\n")
		db := open(t)
		require.NoError(t, db.CSV(t.Context(), dir, stays))
		var got []string
		require.NoError(t, db.Each(t.Context(), "SELECT id, start, weight, code, later, file_row FROM STAYS ORDER BY file_row",
			func(r table.Row) error {
				got = append(got, fmt.Sprint(r.Int(0), r.Null(1), r.Time(1).Hour(), r.Null(2), r.Real(2), r.Text(3), r.Null(4), r.Int(5)))
				return nil
			}))
		require.Equal(t, []string{
			"7 false 4 false 71.50066true 2",
			"8 true 0 true 04,2true 3",
			"9 true 0 true 0true 4",
		}, got, name)
	}
}

func TestBadFilesAreOneSentenceWithFileAndRow(t *testing.T) {
	const head = "id,start,weight,code\n"
	long := head + strings.Repeat("1,2130-02-04 04:00:00,71.5,4019\n", 5000)
	cut := pack(t, long)
	cut = cut[:len(cut)-20]
	damaged := pack(t, long)
	damaged[len(damaged)-6] ^= 0x55
	for _, c := range []struct {
		name, file, content string
		row                 int64
		says                string
	}{
		{"missing table", "other.csv", head, 0, "found only other.csv, expected STAYS.csv or STAYS.csv.gz"},
		{"empty file", "stays.csv", "", 0, "ays.csv: found an empty file, expected a header line and rows"},
		{"missing column", "stays.csv", "id,weight,code\n1,2,3\n", 1, "stays.csv, row 1: found a header of 3 columns without it, expected a column start"},
		{"column twice", "stays.csv", "id,start,weight,code,ID\n", 1, "found column 5 named as an earlier one"},
		{"empty id", "stays.csv", head + "1,,,\n,,,\n", 3, "row 3: found nothing in column id, expected an integer"},
		{"fraction as id", "stays.csv", head + "1.5,,,\n", 2, "row 2: found something else in column id, expected an integer"},
		{"bad date", "stays.csv", head + "1,,,\n2,32.13.2100,,\n", 3, "row 3: found something else in column start, expected a date and time"},
		{"duplicate id", "stays.csv", head + "1,,,\n2,,,\n1,,,\n", 4, "row 4: found the id of an earlier row, expected every id once"},
		{"too few fields", "stays.csv", head + "1,,,\n2,secret\n", 3, "row 3: found another number of fields"},
		{"too many fields", "stays.csv", head + "1,,,\n2,,,,secret\n", 3, "row 3: found another number of fields"},
		{"open quote", "stays.csv", head + "1,,,\n2,\"secret,,\n", 3, "row 3: found a quote that does not end"},
		{"bytes not UTF-8", "stays.csv", head + "1,,,secret\xff\n", 2, "row 2: found bytes that are not UTF-8"},
		{"truncated gzip", "stays.csv.gz", string(cut), 0, "found packed data that break off, expected a whole gzip file"},
		{"damaged gzip", "stays.csv.gz", string(damaged), 0, "found packed data that do not match their checksum"},
		{"not gzip", "stays.csv.gz", head, 0, "found no gzip header"},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %v", c.name, stream), func(t *testing.T) {
				dir := t.TempDir()
				require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o600))
				spec := stays
				if spec.Stream = stream; stream {
					if strings.Contains(c.name, "id") || strings.Contains(c.name, "date") {
						t.Skip("a streamed table makes no demand of values")
					}
					spec.Unique, spec.Columns = nil, []table.Column{{Name: "id", Type: table.Integer}, {Name: "start", Type: table.Time},
						{Name: "weight", Type: table.Real}, {Name: "code"}}
				}
				db := open(t)
				err := db.CSV(t.Context(), dir, spec)
				if err == nil {
					err = db.Each(t.Context(), "SELECT id, start, weight, code FROM STAYS", func(table.Row) error { return nil })
				}
				var input *fault.Input
				require.ErrorAs(t, err, &input)
				require.Equal(t, c.row, input.Row)
				require.Contains(t, err.Error(), c.says)
				require.Contains(t, err.Error(), dir)
				for e := err; e != nil; e = errors.Unwrap(e) {
					require.NotContains(t, e.Error(), "secret")
				}
			})
		}
	}
}

func TestAStreamedTableCannotDemand(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "stays.csv", "id,start,weight,code\n")
	spec := stays
	spec.Stream = true
	require.ErrorContains(t, open(t).CSV(t.Context(), dir, spec), "can only be loose")
}

func TestNamesWithPatternsAreNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*'c")
	require.NoError(t, os.Mkdir(dir, 0o700))
	write(t, dir, "stays.csv", "id,start,weight,code\n7,,,\n")
	db := open(t)
	require.NoError(t, db.CSV(t.Context(), dir, stays))
	n, err := db.Count(t.Context(), "SELECT count(*) FROM STAYS")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func TestErrorsOfTheCallerComeBackAsTheyAre(t *testing.T) {
	stop := errors.New("enough")
	calls := 0
	err := open(t).Each(t.Context(), "SELECT i FROM range(10) t(i)", func(table.Row) error { calls++; return stop })
	require.ErrorIs(t, err, stop)
	require.Equal(t, 1, calls)
}

func TestTheEndOfTheContextEndsAQuery(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := db.Each(ctx, "SELECT sum(sin(a.i * b.j)) FROM range(1000000) a(i), range(1000000) b(j)", func(table.Row) error { return nil })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 10*time.Second)
}

func TestNothingIsFetchedFromTheNetwork(t *testing.T) {
	db := open(t)
	for _, name := range []string{"autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions"} {
		var value string
		require.NoError(t, db.Each(t.Context(), "SELECT current_setting(?)::VARCHAR", func(r table.Row) error { value = r.Text(0); return nil }, name))
		require.Equal(t, "false", value, name)
	}
}

func TestTheReportBalances(t *testing.T) {
	r := &table.Report{Source: "x"}
	r.Keep("b", "rows", 10, 6)
	r.Drop("b", "late", 1)
	r.Drop("a", "early", 2)
	r.Drop("b", "early", 2)
	r.Drop("b", "late", 1)
	r.Drop("b", "never", 0)
	require.ErrorContains(t, r.Check(), "a: dropped from a table that was not read")
	r.Keep("a", "values", 2, 0)
	require.NoError(t, r.Check())
	require.Equal(t, []table.Drop{{"a", "early", 2}, {"b", "early", 2}, {"b", "late", 2}}, r.Dropped)
	require.EqualValues(t, 4, r.Lost("b", ""))
	require.Contains(t, r.String(), "6 of 10 rows kept")
	r.Keep("b", "rows", 1, 0)
	require.ErrorContains(t, r.Check(), "b: 11 rows read, but 6 kept and 4 dropped")
	data, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{"source":"x","kept":[{"table":"b","unit":"rows","read":11,"kept":6},{"table":"a","unit":"values","read":2,"kept":0}],
		"dropped":[{"table":"a","reason":"early","count":2},{"table":"b","reason":"early","count":2},{"table":"b","reason":"late","count":2}]}`, string(data))
	var b bytes.Buffer
	r.Log(slog.New(slog.NewTextHandler(&b, nil)))
	require.Equal(t, 5, strings.Count(b.String(), "\n"))
}
