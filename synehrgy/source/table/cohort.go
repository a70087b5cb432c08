package table

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// Measurement is one value of one variable at one minute of a visit, as readers collect it.
type Measurement struct {
	At  int64
	Var int32
	X   float64
}

// Rows puts the measurements of a visit, in the order of the source, into rows as package ehr wants them. Of several values
// of a variable at one minute the last wins; repeated is how many it displaced. The measurements are sorted in place.
func Rows(ms []Measurement) (rows []ehr.Row, repeated int64) {
	slices.SortStableFunc(ms, func(a, b Measurement) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Var, b.Var)) })
	minutes := 0
	for i, m := range ms {
		if i == 0 || m.At != ms[i-1].At {
			minutes++
		}
	}
	rows = make([]ehr.Row, 0, minutes)
	values := make([]ehr.Value, 0, len(ms))
	for i, m := range ms {
		if i+1 < len(ms) && ms[i+1].At == m.At && ms[i+1].Var == m.Var {
			repeated++
			continue
		}
		values = append(values, ehr.Value{Var: m.Var, X: m.X})
		if n := len(rows); n == 0 || rows[n-1].At != m.At {
			rows = append(rows, ehr.Row{At: m.At})
		}
		r := &rows[len(rows)-1]
		first := len(values) - 1 - len(r.Values)
		r.Values = values[first:len(values):len(values)]
	}
	if len(rows) == 0 {
		rows = nil
	}
	return rows, repeated
}

// Finish holds a cohort to the promises of its schema and a report to its balance, and logs the report. An error here is a
// defect of a reader, not of the data.
func Finish(c *ehr.Cohort, r *Report, log *slog.Logger) error {
	for i := range c.Patients {
		if err := c.Schema.Check(&c.Patients[i]); err != nil {
			return fmt.Errorf("%s: patient %d of %d: %w", r.Source, i+1, len(c.Patients), err)
		}
	}
	if err := r.Check(); err != nil {
		return fmt.Errorf("%s: %w", r.Source, err)
	}
	r.Log(log)
	log.Info("cohort read", "source", r.Source, "patients", len(c.Patients), "visits", c.Visits(), "events", c.Events())
	return nil
}
