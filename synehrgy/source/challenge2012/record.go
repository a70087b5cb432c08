package challenge2012

import (
	"bytes"
	"cmp"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// Why a row of a record is not kept.
const (
	notRecorded  = "missing (-1)"
	notNumber    = "not a number"
	outOfRange   = "outside the physical range"
	notParameter = "not a parameter of the challenge"
	repeated     = "a later value at the same minute"
)

const minutesPerDay = 24 * 60

// parser turns records into patients. It is used for one set, one record after the other.
type parser struct {
	schema     *ehr.Schema
	index      map[string]int32 // variable by its name in the files
	report     *table.Report
	outcomes   map[string]*outcome
	read, kept int64
	ms         []table.Measurement // of the record at hand
}

// record reads one record: a header, the descriptors at 00:00, then the measurements.
func (p *parser) record(file string, data []byte) (ehr.Patient, error) {
	id := strings.TrimSuffix(filepath.Base(file), ".txt")
	o := p.outcomes[id]
	if o == nil {
		return ehr.Patient{}, &fault.Input{File: file, Found: "no row of this record among the outcomes", Expected: "an outcome for every record"}
	}
	if o.used {
		return ehr.Patient{}, &fault.Input{File: file, Found: "the record of an earlier file", Expected: "every record once"}
	}
	o.used = true
	v := ehr.Visit{ID: id, SinceDischarge: ehr.Unknown, Stay: ehr.Unknown, Labels: []ehr.Label{{Label: 0, On: o.death == 1}}}
	if o.days >= 0 {
		v.Stay = o.days * minutesPerDay
	}
	p.ms = p.ms[:0]
	head := true // still among the descriptors
	row := int64(0)
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		row++
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if row == 1 {
			if string(line) != "Time,Parameter,Value" {
				return ehr.Patient{}, &fault.Input{File: file, Row: 1, Found: "another header", Expected: "Time,Parameter,Value"}
			}
			continue
		}
		if len(line) == 0 {
			continue
		}
		var err error
		if head, err = p.row(file, row, line, head, &v); err != nil {
			return ehr.Patient{}, err
		}
	}
	if row == 0 {
		return ehr.Patient{}, &fault.Input{File: file, Found: "an empty file", Expected: "Time,Parameter,Value and rows"}
	}
	slices.SortFunc(v.Covariates, func(a, b ehr.Value) int { return cmp.Compare(a.Var, b.Var) })
	var displaced int64
	v.Rows, displaced = table.Rows(p.ms)
	p.report.Drop("records", repeated, displaced)
	p.kept += int64(len(p.ms)) - displaced
	return ehr.Patient{ID: id, Visits: []ehr.Visit{v}}, nil
}

// row reads one line and tells whether the descriptors still go on.
func (p *parser) row(file string, row int64, line []byte, head bool, v *ehr.Visit) (bool, error) {
	clock, rest, ok1 := bytes.Cut(line, []byte{','})
	name, text, ok2 := bytes.Cut(rest, []byte{','})
	if !ok1 || !ok2 || bytes.IndexByte(text, ',') >= 0 {
		return false, &fault.Input{File: file, Row: row, Found: "another number of fields", Expected: "a time, a parameter and a value"}
	}
	at, ok := minutes(clock)
	if !ok {
		return false, &fault.Input{File: file, Row: row, Found: "something else in column Time", Expected: "hours and minutes such as 07:30"}
	}
	p.read++
	x, err := strconv.ParseFloat(string(text), 64)
	if string(name) == "RecordID" {
		if string(text) != v.ID {
			return false, &fault.Input{File: file, Row: row, Found: "another RecordID than that of the file's name", Expected: "the same"}
		}
		p.kept++
		return head, nil
	}
	d, isDescriptor := descriptors[string(name)]
	variable, isSeries := p.index[string(name)]
	// Weight is both: the one among the descriptors, which stand once at the head, is the covariate.
	isDescriptor = isDescriptor && (!isSeries || head && at == 0 && !has(v.Covariates, d.covariate))
	switch {
	case !isDescriptor && !isSeries:
		p.report.Drop("records", notParameter, 1)
	case err != nil || math.IsNaN(x):
		p.report.Drop("records", notNumber, 1)
	case x == -1:
		p.report.Drop("records", notRecorded, 1)
	case isDescriptor:
		p.covariate(v, d, x)
	default:
		p.measurement(at, variable, x)
	}
	// A missing weight at the head is no entry of the covariates, so the head also ends with the weight, its last line.
	return head && isDescriptor && string(name) != "Weight", nil
}

func (p *parser) covariate(v *ehr.Visit, d descriptor, x float64) {
	def := &p.schema.Covariates[d.covariate]
	x = def.Round(x - d.offset)
	switch {
	case !def.InRange(x):
		p.report.Drop("records", outOfRange, 1)
	case has(v.Covariates, d.covariate):
		p.report.Drop("records", repeated, 1)
	default:
		v.Covariates = append(v.Covariates, ehr.Value{Var: d.covariate, X: x})
		p.kept++
	}
}

func (p *parser) measurement(at int64, variable int32, x float64) {
	def := &p.schema.Variables[variable]
	if def.Kind == ehr.Category {
		x-- // the flag 1 is the first category
	}
	x = def.Round(x)
	if !def.InRange(x) {
		p.report.Drop("records", outOfRange, 1)
		return
	}
	p.ms = append(p.ms, table.Measurement{At: at, Var: variable, X: x})
}

func has(values []ehr.Value, variable int32) bool {
	return slices.ContainsFunc(values, func(v ehr.Value) bool { return v.Var == variable })
}

// minutes reads hh:mm; the hours may go beyond a day.
func minutes(clock []byte) (int64, bool) {
	n := len(clock)
	if n < 5 || n > 7 || clock[n-3] != ':' {
		return 0, false
	}
	var hours, minutes int64
	for i, c := range clock {
		if i == n-3 {
			continue
		}
		if c < '0' || c > '9' {
			return 0, false
		}
		if i < n-3 {
			hours = 10*hours + int64(c-'0')
		} else {
			minutes = 10*minutes + int64(c-'0')
		}
	}
	return 60*hours + minutes, minutes < 60
}
