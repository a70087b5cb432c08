// Package csv writes a cohort as CSV files that people and spreadsheets read. It is an export: what is lost on the way
// (layout of the schema, kind of the labels) stays in the MEDS form of the cohort.
//
// Files are UTF-8, comma separated, one header line, lines end in \n, fields are quoted where they must be. An empty field is
// an unknown value.
//
//	patients.csv    patient, split, visits                           one line a patient, in the order of the cohort
//	visits.csv      patient, visit, visit_id, since_discharge_minutes, stay_minutes, a column a covariate, a column a label
//	                (label_…: 1, 0; empty where not known)           one line a visit; visit is 1, 2, … within the patient
//	codes.csv       patient, visit, position, kind, system, code     one line a code; position is 1, 2, … within the visit
//	events.csv      patient, visit, minute, variable, value, unit    one line a value; minute counts from the start of the visit
//	variables.csv   role, name, title, unit, decimals, low, high, categories (separated by |)       what the columns mean
//
// A number has the decimals of its variable, a category is its name. Covariates are the columns of their names; one whose name
// another column has gets _2, _3, … behind it.
package csv

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Write writes a cohort into dir, which must not exist or be empty: whole, or not at all. Errors are *fault.Usage for a dir
// that is taken, *fault.Input for a cohort that breaks the promises of its schema, ctx.Err() when cancelled.
func Write(ctx context.Context, dir string, c *ehr.Cohort) error {
	for i := range c.Patients {
		if err := c.Schema.Check(&c.Patients[i]); err != nil {
			return &fault.Input{File: c.Schema.Source, Found: fmt.Sprintf("patient %d of the cohort with %v", i+1, err),
				Expected: "a cohort that keeps the promises of its schema", Err: err}
		}
	}
	return checkpoint.WriteDir(dir, func(tmp string) error {
		for _, f := range []struct {
			name  string
			lines func(*ehr.Cohort, func(...string) error) error
		}{
			{"patients.csv", patients}, {"visits.csv", visits}, {"codes.csv", codes}, {"events.csv", events}, {"variables.csv", variables},
		} {
			if err := file(ctx, filepath.Join(tmp, f.name), c, f.lines); err != nil {
				return fmt.Errorf("write %s: %w", f.name, err)
			}
		}
		return nil
	})
}

// file writes the lines that a function gives.
func file(ctx context.Context, path string, c *ehr.Cohort, lines func(*ehr.Cohort, func(...string) error) error) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	buffer := bufio.NewWriterSize(f, 1<<18)
	w := csv.NewWriter(buffer)
	n := 0
	err = lines(c, func(fields ...string) error {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return w.Write(fields)
	})
	if err != nil {
		return err
	}
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return buffer.Flush()
}

func patients(c *ehr.Cohort, line func(...string) error) error {
	if err := line("patient", "split", "visits"); err != nil {
		return err
	}
	for i := range c.Patients {
		p := &c.Patients[i]
		if err := line(p.ID, p.Split.String(), strconv.Itoa(len(p.Visits))); err != nil {
			return err
		}
	}
	return nil
}

func visits(c *ehr.Cohort, line func(...string) error) error {
	header := []string{"patient", "visit", "visit_id", "since_discharge_minutes", "stay_minutes"}
	for _, v := range c.Schema.Covariates {
		header = append(header, free(header, v.Name))
	}
	for _, l := range c.Schema.Labels {
		header = append(header, free(header, "label_"+l.Name))
	}
	if err := line(header...); err != nil {
		return err
	}
	return eachVisit(c, func(p *ehr.Patient, number string, v *ehr.Visit) error {
		fields := []string{p.ID, number, v.ID, minutes(v.SinceDischarge), minutes(v.Stay)}
		for i := range c.Schema.Covariates {
			text := ""
			if x, known := v.Covariate(int32(i)); known {
				text = Format(&c.Schema.Covariates[i], x)
			}
			fields = append(fields, text)
		}
		for i, l := range c.Schema.Labels {
			on, known := v.Label(int32(i))
			switch {
			case on:
				fields = append(fields, "1")
			case known || l.PositiveOnly:
				fields = append(fields, "0")
			default:
				fields = append(fields, "")
			}
		}
		return line(fields...)
	})
}

func codes(c *ehr.Cohort, line func(...string) error) error {
	if err := line("patient", "visit", "position", "kind", "system", "code"); err != nil {
		return err
	}
	return eachVisit(c, func(p *ehr.Patient, number string, v *ehr.Visit) error {
		for i, code := range v.Codes {
			s := &c.Schema.Systems[code.System]
			if err := line(p.ID, number, strconv.Itoa(i+1), string(s.Kind), s.Name, code.Code); err != nil {
				return err
			}
		}
		return nil
	})
}

func events(c *ehr.Cohort, line func(...string) error) error {
	if err := line("patient", "visit", "minute", "variable", "value", "unit"); err != nil {
		return err
	}
	return eachVisit(c, func(p *ehr.Patient, number string, v *ehr.Visit) error {
		for i := range v.Rows {
			at := strconv.FormatInt(v.Rows[i].At, 10)
			for _, x := range v.Rows[i].Values {
				d := &c.Schema.Variables[x.Var]
				if err := line(p.ID, number, at, d.Name, Format(d, x.X), d.Unit); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func variables(c *ehr.Cohort, line func(...string) error) error {
	if err := line("role", "name", "title", "unit", "decimals", "low", "high", "categories"); err != nil {
		return err
	}
	for _, part := range []struct {
		role string
		of   []ehr.Variable
	}{{"covariate", c.Schema.Covariates}, {"variable", c.Schema.Variables}} {
		for i := range part.of {
			v := &part.of[i]
			decimals := ""
			if v.Kind == ehr.Number {
				decimals = strconv.Itoa(v.Decimals)
			}
			err := line(part.role, v.Name, v.Title, v.Unit, decimals, bound(v, v.Low), bound(v, v.High), strings.Join(v.Categories, "|"))
			if err != nil {
				return err
			}
		}
	}
	for _, l := range c.Schema.Labels {
		if err := line("label", l.Name, "", "", "", "", "", "0|1"); err != nil {
			return err
		}
	}
	return nil
}

// Format writes a value as a person reads it: a number with the decimals of its variable, a category by its name.
func Format(v *ehr.Variable, x float64) string {
	if v.Kind == ehr.Category {
		return v.Categories[int(x)]
	}
	text := strconv.FormatFloat(x, 'f', v.Decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-") // no "-0"
	}
	return text
}

func bound(v *ehr.Variable, x *float64) string {
	if x == nil {
		return ""
	}
	return Format(v, *x)
}

// minutes is empty for a time that the source does not tell.
func minutes(n int64) string {
	if n == ehr.Unknown {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// free is a name that no column has yet.
func free(header []string, name string) string {
	unique := name
	for n := 2; slices.Contains(header, unique); n++ {
		unique = name + "_" + strconv.Itoa(n)
	}
	return unique
}

func eachVisit(c *ehr.Cohort, f func(p *ehr.Patient, number string, v *ehr.Visit) error) error {
	for i := range c.Patients {
		p := &c.Patients[i]
		for n := range p.Visits {
			if err := f(p, strconv.Itoa(n+1), &p.Visits[n]); err != nil {
				return err
			}
		}
	}
	return nil
}
