package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// strip draws one metric of all systems on one line: a lane a system in the order of the columns, its marker, its interval,
// the ideal value as a dashed line where it is near, and an arrowhead at the better end. It returns nothing when no system
// has a value.
func (s stylist) strip(id string, m *evaluate.Metric, cells []cell) template.HTML {
	const wide, lane, edge = 190.0, 11.0, 12.0
	var xs []float64
	for _, c := range cells {
		for _, p := range []*float64{c.value, c.low, c.high} {
			if p != nil {
				xs = append(xs, *p)
			}
		}
	}
	low, high, ok := span(false, xs)
	if !ok {
		return ""
	}
	ideal := math.Max(low-m.Ideal, m.Ideal-high) <= (high-low)/2 // the ideal may widen the picture, not rule it
	if ideal {
		low, high = min(low, m.Ideal), max(high, m.Ideal)
	}
	if low == high {
		half := max(math.Abs(low)*0.05, 0.05)
		low, high = low-half, high+half
	}
	x := axis{low, high, false, edge, wide - edge}
	height := lane*float64(len(cells)) + 6
	d := &drawing{}
	if ideal {
		d.line("ideal", x.at(m.Ideal), 1, x.at(m.Ideal), height-1)
	}
	for i, c := range cells {
		y := lane*(float64(i)+0.5) + 3
		d.line("grid", edge, y, wide-edge, y)
		if c.value == nil {
			continue
		}
		if c.low != nil && c.high != nil {
			d.line(fmt.Sprintf("whisker s%d", i%styles), x.at(*c.low), y, x.at(*c.high), y)
		}
		d.path(fmt.Sprintf("m s%d", i%styles), marker(i%styles, x.at(*c.value), y, 3.4))
	}
	switch middle := height / 2; m.Better {
	case evaluate.Higher:
		d.path("arrow", fmt.Sprintf("M%s %sl5 4l-5 4z", coordinate(wide-7), coordinate(middle-4)))
	case evaluate.Lower:
		d.path("arrow", fmt.Sprintf("M7 %sl-5 4l5 4z", coordinate(middle-4)))
	}
	return d.svg(id, wide, height, m.Title+", all systems on one line", stripText(cells))
}

func stripText(cells []cell) string {
	var parts []string
	for _, c := range cells {
		parts = append(parts, c.System+" "+orElse(c.Value, "undefined"))
	}
	return strings.Join(parts, ", ") + "."
}

// key is the marker of a system as a picture of its own, for headings and explanations.
func key(id string, style int, title string) template.HTML {
	d := &drawing{}
	d.path(fmt.Sprintf("m s%d", style%styles), marker(style%styles, 7, 7, 4.4))
	return d.svg(id, 14, 14, "Marker", "The marker of "+title+".")
}
