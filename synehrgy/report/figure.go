package report

import (
	"fmt"
	"html/template"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// pictureWidth is the width of every picture, in SVG units. It is that of a phone held upright, so that type is hardly smaller
// there than it was meant; a wide window puts several pictures side by side rather than making one larger.
const pictureWidth = 340.0

// What the charts share.
const (
	chartLeft   = 46.0
	chartRight  = 332.0
	chartBottom = 34.0 // below the x axis: tick labels and the title of the axis
	legendTop   = 14.0 // the baseline of the first line of the legend
)

// chart is a figure made ready for the template.
type chart struct {
	Title, About string
	SVG          template.HTML
	Note         string // what the picture does not show, or why there is none
}

// draw draws a figure by its kind.
func (s stylist) draw(id string, f *evaluate.Figure) chart {
	c := chart{Title: f.Title, About: f.About}
	var err error
	switch f.Kind {
	case "scatter":
		c.SVG, c.Note, err = s.scatter(id, f)
	case "lines":
		c.SVG, err = s.lines(id, f)
	case "bars":
		c.SVG, c.Note, err = s.bars(id, f)
	case "heatmap":
		c.SVG, c.Note, err = heatmap(id, f)
	default:
		err = fmt.Errorf("there is no figure of kind %q", f.Kind)
	}
	if err != nil {
		c.SVG, c.Note = "", "Not drawn: "+err.Error()+"."
	}
	return c
}

// describe is what a screen reader says of a figure beyond its title.
func describe(f *evaluate.Figure, more string) string {
	names := ""
	for i, s := range f.Series {
		if i > 0 {
			names += ", "
		}
		names += s.Name
	}
	text := f.About
	if f.XLabel != "" || f.YLabel != "" {
		text += fmt.Sprintf(" Axes: %s across, %s up.", orElse(f.XLabel, "none"), orElse(f.YLabel, "none"))
	}
	if names != "" {
		text += " Series: " + names + "."
	}
	return text + " " + more
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// paired returns the coordinates of a series: X counts from 0 where the series has none.
func paired(y evaluate.Series) (xs []float64, err error) {
	if len(y.X) == 0 {
		xs = make([]float64, len(y.Y))
		for i := range xs {
			xs[i] = float64(i)
		}
		return xs, nil
	}
	if len(y.X) != len(y.Y) {
		return nil, fmt.Errorf("%s has %d places for %d values", y.Name, len(y.X), len(y.Y))
	}
	return y.X, nil
}
