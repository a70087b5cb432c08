// Package source reads cohorts from the formats of others, by the name of the format, and lays MEDS, the format of cohorts on
// disk, beside them. A format is a folder of its own below this one.
package source

import (
	"context"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/challenge2012"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/eicu"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/meds"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/mimic3"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// reader reads the data set in a folder.
type reader func(ctx context.Context, dir string, opt table.Options) (*ehr.Cohort, *table.Report, error)

// formats are the readers by name, ascending.
var formats = []struct {
	name string
	read reader
}{
	{"challenge2012", challenge2012.Read},
	{"eicu", eicu.Read},
	{"meds", meds.Read},
	{"mimic3", mimic3.Read},
}

// Formats lists the names that Read knows, ascending.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Read reads the data set of a format at path. The report accounts for every row that was not kept. Errors are *fault.Usage
// for an unknown format, *fault.Input for what is wrong with the files, ctx.Err() when cancelled.
func Read(ctx context.Context, format, path string, opt table.Options) (*ehr.Cohort, *table.Report, error) {
	for _, f := range formats {
		if f.name == format {
			return f.read(ctx, path, opt)
		}
	}
	names := Formats()
	return nil, nil, fault.Usagef("no format %q; did you mean %s? Known are %s", format, fault.Nearest(format, names), strings.Join(names, ", "))
}
