package table

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Report accounts for what a reader found: for every table that it used, how much came in and how much was kept; and for
// what was not kept, the reason. Nothing is lost without a line here.
type Report struct {
	Source  string `json:"source"`
	Kept    []Keep `json:"kept"`    // in the order in which the tables were read
	Dropped []Drop `json:"dropped"` // ascending by table, then reason
}

// Keep is the balance of one table.
type Keep struct {
	Table string `json:"table"`
	Unit  string `json:"unit"` // what is counted: "rows", or "values" where a row holds several
	Read  int64  `json:"read"`
	Kept  int64  `json:"kept"`
}

// Drop counts what one table lost for one reason.
type Drop struct {
	Table  string `json:"table"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Keep adds to the balance of a table.
func (r *Report) Keep(table, unit string, read, kept int64) {
	i := slices.IndexFunc(r.Kept, func(k Keep) bool { return k.Table == table })
	if i < 0 {
		r.Kept = append(r.Kept, Keep{table, unit, read, kept})
		return
	}
	r.Kept[i].Read += read
	r.Kept[i].Kept += kept
}

// Drop adds n to what a table lost for a reason; nothing is written for n = 0.
func (r *Report) Drop(table, reason string, n int64) {
	if n == 0 {
		return
	}
	d := Drop{table, reason, n}
	i, found := slices.BinarySearchFunc(r.Dropped, d, func(a, b Drop) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Reason, b.Reason))
	})
	if found {
		r.Dropped[i].Count += n
		return
	}
	r.Dropped = slices.Insert(r.Dropped, i, d)
}

// Lost is how much a table lost for a reason, or for all reasons when reason is empty.
func (r *Report) Lost(table, reason string) int64 {
	var n int64
	for _, d := range r.Dropped {
		if d.Table == table && (reason == "" || d.Reason == reason) {
			n += d.Count
		}
	}
	return n
}

// Check tells the first table whose balance is not even: read = kept + dropped.
func (r *Report) Check() error {
	for _, k := range r.Kept {
		if lost := r.Lost(k.Table, ""); k.Read != k.Kept+lost {
			return fmt.Errorf("%s: %d %s read, but %d kept and %d dropped", k.Table, k.Read, k.Unit, k.Kept, lost)
		}
	}
	for _, d := range r.Dropped {
		if !slices.ContainsFunc(r.Kept, func(k Keep) bool { return k.Table == d.Table }) {
			return fmt.Errorf("%s: dropped from a table that was not read", d.Table)
		}
	}
	return nil
}

// String is the report for people: a line a table, under it a line a reason.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Source)
	for _, k := range r.Kept {
		fmt.Fprintf(&b, "  %-22s %12d of %d %s kept\n", k.Table, k.Kept, k.Read, k.Unit)
		for _, d := range r.Dropped {
			if d.Table == k.Table {
				fmt.Fprintf(&b, "  %-22s %12d %s\n", "", d.Count, d.Reason)
			}
		}
	}
	return b.String()
}

// Log writes the report, a line a table and a line a reason.
func (r *Report) Log(log *slog.Logger) {
	for _, k := range r.Kept {
		log.Info("table read", "source", r.Source, "table", k.Table, "unit", k.Unit, "read", k.Read, "kept", k.Kept)
	}
	for _, d := range r.Dropped {
		log.Info("dropped", "source", r.Source, "table", d.Table, "reason", d.Reason, "count", d.Count)
	}
}
