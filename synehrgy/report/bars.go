package report

import (
	"errors"
	"fmt"
	"html/template"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// maxBars is how many categories a bar chart shows; the note says when there are more.
const maxBars = 40

// bars draws a group of horizontal bars for each label, one bar a series: long names stay readable that way.
func (s stylist) bars(id string, f *evaluate.Figure) (template.HTML, string, error) {
	var values [][]float64
	for _, y := range f.Series {
		if len(y.Y) != len(f.Labels) {
			return "", "", fmt.Errorf("%s has %d values for %d labels", y.Name, len(y.Y), len(f.Labels))
		}
		values = append(values, y.Y)
	}
	low, high, ok := span(false, values...)
	if !ok {
		return "", "", errors.New("there is no bar to draw")
	}
	shown, note := len(f.Labels), ""
	if shown > maxBars {
		shown, note = maxBars, fmt.Sprintf("The first %d of %d are drawn.", maxBars, len(f.Labels))
	}
	const left, thick, space = 118.0, 7.0, 7.0
	d := &drawing{}
	looks := s.of(f.Series)
	top := legend(d, f.Series, looks, 4, legendTop, chartRight-4, false) + legendTop
	step := thick*float64(len(f.Series)) + space
	bottom := top + step*float64(shown) + space/2
	x := newAxis(min(low, 0), max(high, 0), false, left, chartRight, 4)
	for _, t := range x.ticks(4) {
		d.line("grid", t.at, bottom, t.at, top-2)
		d.below(t, bottom+14)
	}
	for j, label := range f.Labels[:shown] {
		y := top + step*float64(j) + space/2
		d.text("name", "end", left-6, y+(step-space)/2+4, clip(label, left-10))
		for i, series := range f.Series {
			bar(d, looks[i], x, y+thick*float64(i), thick-1, series.Y[j], label+", "+series.Name)
		}
	}
	d.line("axis", x.at(0), bottom, x.at(0), top-2)
	d.text("label", "end", chartRight, bottom+30, f.YLabel)
	return d.svg(id, pictureWidth, bottom+chartBottom, f.Title, describe(&evaluate.Figure{About: f.About, XLabel: f.YLabel, Series: f.Series}, note)), note, nil
}

// bar draws one bar from zero, with the marker of its series at the end.
func bar(d *drawing, look int, x axis, y, height, value float64, title string) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	from, to := min(x.at(0), x.at(value)), max(x.at(0), x.at(value))
	d.rect(fmt.Sprintf("bar s%d", look), from, y, to-from, height, title+": "+number(value))
	d.path(fmt.Sprintf("m s%d", look), marker(look, x.at(value), y+height/2, 2.6))
}
