package mimic3

import (
	"context"
	"fmt"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// events adds the measurements to the visits, in rows.
func (r *reader) events(ctx context.Context, _ string) error {
	its, err := items(r.schema)
	if err != nil {
		return err
	}
	if err := r.itemTable(ctx, its); err != nil {
		return err
	}
	if err := r.db.Exec(ctx, table.EventTable); err != nil {
		return err
	}
	for _, name := range []string{"CHARTEVENTS", "LABEVENTS"} {
		if err := r.db.Exec(ctx, fill(eventsSQL, name)); err != nil {
			return err
		}
		read, err := r.db.Count(ctx, "SELECT count(*) FROM "+table.Ident(name))
		if err != nil {
			return err
		}
		if err := r.db.Balance(ctx, r.report, name, "rows", read); err != nil {
			return err
		}
	}
	return r.db.Fill(ctx, r.schema, r.all, r.report, func(i int64, x float64, isNumber bool, text string) (int32, float64, bool) {
		it := &its[i]
		y, ok := it.value(&r.schema.Variables[it.variable], x, isNumber, text)
		return it.variable, y, ok
	})
}

// itemTable writes the items into the database; item is the place in its. spelled marks those whose text counts, not whose
// number.
func (r *reader) itemTable(ctx context.Context, its []item) error {
	values := make([]string, len(its))
	for i, it := range its {
		values[i] = fmt.Sprintf("(%d, %s, %d, %t)", i, table.Quote(it.table), it.id, r.schema.Variables[it.variable].Kind == ehr.Category)
	}
	return r.db.Exec(ctx, "CREATE TABLE item AS SELECT * FROM (VALUES "+strings.Join(values, ", ")+") t(item, source, itemid, spelled)")
}
