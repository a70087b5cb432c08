package table

import (
	"context"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// EventTable makes the table event, by which readers of measurements hand their rows to Balance and Fill: the table of the
// source, what the reader calls an item, the visit as a place in its list, minutes since the visit began, the order among
// rows of the same minute and table, the number and the text of the row, and, where the row is of no use, why.
const EventTable = `CREATE TABLE event (source VARCHAR, item BIGINT, visit BIGINT, since BIGINT, nth BIGINT, x DOUBLE,
	text VARCHAR, reason VARCHAR)`

// Reading is what an event says in the terms of its variable; isNumber is false where x is NULL. ok is false where the event
// says nothing that the variable can hold.
type Reading func(item int64, x float64, isNumber bool, text string) (variable int32, y float64, ok bool)

// Balance writes the balance of one source: of read rows or values, those that have no event are of no item that is read,
// those with a reason are dropped for it.
func (db *DB) Balance(ctx context.Context, report *Report, source, unit string, read int64) error {
	events := int64(0)
	err := db.Each(ctx, "SELECT reason, count(*) FROM event WHERE source = ? GROUP BY reason ORDER BY reason", func(row Row) error {
		events += row.Int(1)
		if !row.Null(0) {
			report.Drop(source, row.Text(0), row.Int(1))
		}
		return nil
	}, source)
	report.Drop(source, "a measurement that is not read", read-events)
	report.Keep(source, unit, read, read-report.Lost(source, ""))
	return err
}

// visitsAtOnce is how many visits' events one query fetches, as its result is held in memory.
const visitsAtOnce = 512

// Fill puts the events that have no reason against them into the rows of their visits. Of several values of a variable at one
// minute the last wins: by the name of the source, then by nth. What turns out to be of no use is moved from kept to dropped.
func (db *DB) Fill(ctx context.Context, schema *ehr.Schema, visits []ehr.Visit, report *Report, read Reading) error {
	for first := 0; first < len(visits); first += visitsAtOnce {
		f := filler{schema: schema, visits: visits, report: report, visit: first}
		end := min(first+visitsAtOnce, len(visits))
		err := db.Each(ctx, `SELECT visit, since, source, item, x, text FROM event WHERE reason IS NULL AND visit >= ? AND visit < ?
			ORDER BY visit, since, source, nth, item, x, text`, func(row Row) error {
			if int(row.Int(0)) != f.visit {
				f.flush()
				f.visit = int(row.Int(0))
			}
			variable, x, ok := read(row.Int(3), row.Real(4), !row.Null(4), row.Text(5))
			f.add(row.Text(2), Measurement{At: row.Int(1), Var: variable, X: x}, ok)
			return nil
		}, int64(first), int64(end))
		if err != nil {
			return err
		}
		f.flush()
	}
	return nil
}

// filler gathers the measurements of one visit after the other.
type filler struct {
	schema  *ehr.Schema
	visits  []ehr.Visit
	report  *Report
	visit   int
	ms      []Measurement
	sources []string // of ms
}

func (f *filler) add(source string, m Measurement, ok bool) {
	switch {
	case !ok:
		f.lose(source, "no number, or no known category")
	case !f.schema.Variables[m.Var].InRange(m.X):
		f.lose(source, "outside the physical range")
	default:
		f.ms = append(f.ms, m)
		f.sources = append(f.sources, source)
	}
}

func (f *filler) lose(source, reason string) {
	f.report.Keep(source, "", 0, -1)
	f.report.Drop(source, reason, 1)
}

// flush turns the measurements at hand, ascending by time, into the rows of the visit.
func (f *filler) flush() {
	last := map[int32]int{} // where a variable stood last
	for i, m := range f.ms {
		if j, ok := last[m.Var]; ok && f.ms[j].At == m.At {
			f.lose(f.sources[j], "a later value of the variable at the same minute")
		}
		last[m.Var] = i
	}
	f.visits[f.visit].Rows, _ = Rows(f.ms)
	f.ms, f.sources = f.ms[:0], f.sources[:0]
}
