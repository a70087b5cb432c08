// Package challenge2012 reads the PhysioNet/Computing in Cardiology Challenge 2012: adult stays in intensive care, the first
// 48 hours of each.
//
// It uses the records (set-a.tar.gz as published, a folder set-a beside the outcomes, or the records in the folder itself)
// and Outcomes-a.txt; sets b and c have the same form. A record is a patient with one visit that begins with the stay in
// intensive care; the length of stay is told in whole days up to the discharge from hospital.
// Values are in the units of the challenge; FiO2 is a fraction.
//
// -1 is missing. The weight at the head of a record is a covariate, the weights after it are a series. MechVent is only ever
// 1, so it is a category with one entry: present or not said. Of two values of a variable at one minute the last wins.
// Values that no body has (a pH of 735, whose decimal point was lost, a pressure of 0) are dropped, not repaired. A record with
// nothing but descriptors is a visit without rows.
package challenge2012

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

var (
	archiveName  = regexp.MustCompile(`^set-[a-c]\.tar\.gz$`)
	folderName   = regexp.MustCompile(`^set-[a-c]$`)
	outcomesName = regexp.MustCompile(`^Outcomes-[a-c]\.txt$`)
	recordName   = regexp.MustCompile(`^[0-9]+\.txt$`)
)

// Read reads the set of records in dir. Patients are in ascending order of their RecordID. What is wrong with the files is a
// *fault.Input.
func Read(ctx context.Context, dir string, opt table.Options) (*ehr.Cohort, *table.Report, error) {
	outcomes, rows, err := readOutcomes(dir)
	if err != nil {
		return nil, nil, err
	}
	schema, index := newSchema()
	p := &parser{schema: &schema, index: index, report: &table.Report{Source: schema.Source}, outcomes: outcomes}
	cohort := &ehr.Cohort{}
	err = eachRecord(ctx, dir, func(file string, data []byte) error {
		patient, err := p.record(file, data)
		cohort.Patients = append(cohort.Patients, patient)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if len(cohort.Patients) == 0 {
		return nil, nil, &fault.Input{File: dir, Found: "no record", Expected: "set-a.tar.gz, a folder set-a, or records such as 132539.txt"}
	}
	slices.SortFunc(cohort.Patients, func(a, b ehr.Patient) int { return byNumber(a.ID, b.ID) })
	cohort.Schema = schema
	p.report.Keep("records", "rows", p.read, p.kept)
	p.report.Keep("outcomes", "rows", rows, int64(len(cohort.Patients)))
	p.report.Drop("outcomes", "no record of that id", rows-int64(len(cohort.Patients)))
	if err := table.Finish(cohort, p.report, opt.Log()); err != nil {
		return nil, nil, err
	}
	return cohort, p.report, nil
}

// byNumber orders ids that are numbers without leading zeros, as the names of records are.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// outcome is what is known about a record when its stay is over.
type outcome struct {
	days  int64 // length of stay, -1 when not told
	death int64 // 0 or 1
	used  bool
}

// readOutcomes reads the one file of outcomes in dir.
func readOutcomes(dir string) (map[string]*outcome, int64, error) {
	path, err := one(dir, outcomesName, "Outcomes-a.txt")
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, &fault.Input{File: path, Found: "no file that can be read", Expected: "the outcomes of the records", Err: err}
	}
	defer f.Close()
	const header = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death"
	out := map[string]*outcome{}
	row := int64(0)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		row++
		line := strings.TrimSpace(lines.Text())
		if row == 1 {
			if line != header {
				return nil, 0, &fault.Input{File: path, Row: 1, Found: "another header", Expected: header}
			}
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) != 6 {
			return nil, 0, &fault.Input{File: path, Row: row, Found: fmt.Sprintf("%d fields", len(fields)), Expected: "6"}
		}
		days, err1 := strconv.ParseInt(fields[3], 10, 32)
		death, err2 := strconv.ParseInt(fields[5], 10, 32)
		if err1 != nil || err2 != nil || days < -1 || death < 0 || death > 1 {
			return nil, 0, &fault.Input{File: path, Row: row, Found: "something else", Expected: "a length of stay in days or -1, and a death of 0 or 1"}
		}
		if out[fields[0]] != nil {
			return nil, 0, &fault.Input{File: path, Row: row, Found: "the RecordID of an earlier row", Expected: "every RecordID once"}
		}
		out[fields[0]] = &outcome{days: days, death: death}
	}
	if err := lines.Err(); err != nil {
		return nil, 0, &fault.Input{File: path, Row: row + 1, Found: "a line that cannot be read", Expected: "six fields", Err: err}
	}
	if row == 0 {
		return nil, 0, &fault.Input{File: path, Found: "an empty file", Expected: header}
	}
	return out, row - 1, nil
}

// one is the path of the only entry of dir with such a name.
func one(dir string, name *regexp.Regexp, example string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", &fault.Input{File: dir, Found: "no folder that can be read", Expected: "a folder with " + example, Err: err}
	}
	var found []string
	for _, e := range entries {
		if name.MatchString(e.Name()) {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return "", &fault.Input{File: dir, Found: "no such file", Expected: example}
	case 1:
		return filepath.Join(dir, found[0]), nil
	default:
		return "", &fault.Input{File: dir, Found: strings.Join(found, ", "), Expected: "one of them: a set a folder"}
	}
}

// eachRecord calls f with every record of dir: of the archive where there is one, else of the folder set-a, else of dir.
func eachRecord(ctx context.Context, dir string, f func(file string, data []byte) error) error {
	if path, err := one(dir, archiveName, "set-a.tar.gz"); err == nil {
		return eachInArchive(ctx, path, f)
	}
	if path, err := one(dir, folderName, "set-a"); err == nil {
		dir = path
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return &fault.Input{File: dir, Found: "no folder that can be read", Expected: "a folder of records", Err: err}
	}
	for _, e := range entries {
		if !recordName.MatchString(e.Name()) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return &fault.Input{File: path, Found: "no file that can be read", Expected: "a record", Err: err}
		}
		if err := f(path, data); err != nil {
			return err
		}
	}
	return nil
}

// eachInArchive calls f with every record of a tar archive packed by gzip; data are valid during the call only.
func eachInArchive(ctx context.Context, path string, f func(file string, data []byte) error) error {
	packed, err := os.Open(path)
	if err != nil {
		return &fault.Input{File: path, Found: "no file that can be read", Expected: "an archive of records", Err: err}
	}
	defer packed.Close()
	broken := func(err error) error {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return &fault.Input{File: path, Found: "packed data that break off", Expected: "a whole tar.gz archive", Err: err}
		}
		return &fault.Input{File: path, Found: "damaged data", Expected: "a tar.gz archive", Err: err}
	}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return broken(err)
	}
	defer z.Close()
	archive := tar.NewReader(z)
	var data []byte
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return broken(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !recordName.MatchString(filepath.Base(h.Name)) {
			continue
		}
		const limit = 16 << 20 // a record has some ten kilobytes
		if h.Size > limit {
			return &fault.Input{File: path + ":" + h.Name, Found: "more than 16 MB", Expected: "the record of one stay"}
		}
		data = slices.Grow(data[:0], int(h.Size))[:h.Size]
		if _, err := io.ReadFull(archive, data); err != nil {
			return broken(err)
		}
		if err := f(path+":"+h.Name, data); err != nil {
			return err
		}
	}
	// The archive ends before its packing does: the checksum is behind the last record.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return broken(err)
	}
	return nil
}
