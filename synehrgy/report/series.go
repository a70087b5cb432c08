package report

import (
	"fmt"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// This file gives every series its looks, the same all over the report: a colour (class s0, s1 … of chart.css, which also
// sets the dashes of lines) and a marker, so that nothing is told by colour alone.

// styles is how many looks there are; further series begin again.
const styles = 6

// stylist knows which series are which system.
type stylist struct{ systems []evaluate.System }

// style is the look of the series of that name at that index: that of the system it is named after, else one that no system
// has taken.
func (s stylist) style(name string, index int) int {
	if at := slices.IndexFunc(s.systems, func(y evaluate.System) bool { return name == y.Title || name == y.ID }); at >= 0 {
		return at % styles
	}
	return index % styles
}

// of gives looks to all series of a figure; two series of a figure look alike only when there are more than styles of them.
func (s stylist) of(series []evaluate.Series) []int {
	out := make([]int, len(series))
	var taken [styles]bool
	for i, y := range series {
		out[i] = -1
		if at := s.style(y.Name, -1); at >= 0 && !taken[at] {
			out[i] = at
			taken[at] = true
		}
	}
	for i := range out {
		if out[i] >= 0 {
			continue
		}
		free := slices.Index(taken[:], false)
		if free < 0 {
			free = i % styles
		}
		out[i] = free
		taken[free] = true
	}
	return out
}

// marker is the path of the marker of a style around (x, y), of radius r.
func marker(style int, x, y, r float64) string {
	c := coordinate
	switch style {
	case 0: // disc
		return fmt.Sprintf("M%s %sa%s %s 0 1 0 %s 0a%s %s 0 1 0 %s 0", c(x-r), c(y), c(r), c(r), c(2*r), c(r), c(r), c(-2*r))
	case 1: // diamond
		r *= 1.25
		return fmt.Sprintf("M%s %sl%s %s %s %s %s %sz", c(x), c(y-r), c(r), c(r), c(-r), c(r), c(-r), c(-r))
	case 2: // triangle that points down
		r *= 1.15
		return fmt.Sprintf("M%s %sh%sl%s %sz", c(x-r), c(y-0.7*r), c(2*r), c(-r), c(1.7*r))
	case 3: // square
		r *= 0.9
		return fmt.Sprintf("M%s %sh%sv%sh%sz", c(x-r), c(y-r), c(2*r), c(2*r), c(-2*r))
	case 4: // cross of two strokes, drawn as an outline
		return fmt.Sprintf("M%s %sl%s %sm0 %sl%s %s", c(x-r), c(y-r), c(2*r), c(2*r), c(-2*r), c(-2*r), c(2*r))
	}
	r *= 1.15 // triangle that points up
	return fmt.Sprintf("M%s %sh%sl%s %sz", c(x-r), c(y+0.7*r), c(2*r), c(-r), c(-1.7*r))
}

// legend writes the names of the series with their markers, in lines of at most the width, from y down; it returns the height
// it took.
func legend(d *drawing, series []evaluate.Series, looks []int, x, y, most float64, lines bool) float64 {
	const row, sample = 16.0, 22.0
	atX, atY := x, y
	for i, s := range series {
		name := clip(s.Name, most-sample-8)
		need := sample + width(name) + 12
		if atX > x && atX+need > x+most {
			atX, atY = x, atY+row
		}
		if lines {
			d.path(fmt.Sprintf("l s%d", looks[i]), fmt.Sprintf("M%s %sh18", coordinate(atX), coordinate(atY-4)))
		} else {
			d.path(fmt.Sprintf("m s%d", looks[i]), marker(looks[i], atX+9, atY-4, 4))
		}
		d.text("name", "start", atX+sample, atY, name)
		atX += need
	}
	return atY - y + row
}
