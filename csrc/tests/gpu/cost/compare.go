package cost

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// This file compares the ratios of a page with those counted now, row by row.

const tolerance = 0.02

// compare holds a table of ratios to the one of the page: the same rows in the same order, and no number changed by more than the
// tolerance. More is a regression, less means that the page is out of date.
func compare(said, now string) error {
	old, fresh := rowsOf(said), rowsOf(now)
	if len(old) != len(fresh) || len(fresh) == 0 {
		return fmt.Errorf("the page has %d rows, %d were counted", len(old), len(fresh))
	}
	var problems []error
	for i, row := range fresh {
		if len(old[i]) != len(row) {
			return fmt.Errorf("row %d of the page has %d columns, %d were counted", i+1, len(old[i]), len(row))
		}
		for column, cell := range row {
			if p := change(old[i][column], cell); p != "" {
				problems = append(problems, fmt.Errorf("%s, %s, %s: %s", row[0], row[1], fresh[0][column], p))
			}
		}
	}
	return errors.Join(problems...)
}

// rowsOf cuts a table into cells.
func rowsOf(table string) (rows [][]string) {
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// change says what is wrong with a cell; nothing if it is what the page says.
func change(old, now string) string {
	if old == now {
		return ""
	}
	before, badBefore := strconv.ParseFloat(old, 64)
	after, badAfter := strconv.ParseFloat(now, 64)
	switch {
	case badBefore != nil || badAfter != nil:
		return fmt.Sprintf("%s, the page says %s", now, old)
	case after > before*(1+tolerance):
		return fmt.Sprintf("%s, the page says %s: it grew by %.1f %%", now, old, 100*(after/before-1))
	case after < before*(1-tolerance):
		return fmt.Sprintf("%s, the page says %s: it shrank by %.1f %%", now, old, 100*(1-after/before))
	}
	return ""
}
