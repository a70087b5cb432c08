package report

import (
	"errors"
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

const plotHeight = 190.0

// lines draws curves over a common axis. Numbers that are not finite break a curve.
func (s stylist) lines(id string, f *evaluate.Figure) (template.HTML, error) {
	var all, ups [][]float64
	for _, y := range f.Series {
		xs, err := paired(y)
		if err != nil {
			return "", err
		}
		all, ups = append(all, xs), append(ups, y.Y)
	}
	xLow, xHigh, xOK := span(false, all...)
	yLow, yHigh, yOK := span(false, ups...)
	if !xOK || !yOK {
		return "", errors.New("there is no point to draw")
	}
	d := &drawing{}
	looks := s.of(f.Series)
	top := legend(d, f.Series, looks, chartLeft, legendTop, chartRight-chartLeft, true) + legendTop + 8
	bottom := top + plotHeight
	x := newAxis(xLow, xHigh, false, chartLeft, chartRight, 5)
	y := newAxis(yLow, yHigh, false, bottom, top, 5)
	frame(d, x, y, f.XLabel, f.YLabel)
	for i := range f.Series {
		d.path(fmt.Sprintf("l s%d", looks[i]), curve(x, y, all[i], ups[i]))
	}
	return d.svg(id, pictureWidth, bottom+chartBottom, f.Title, describe(f, "")), nil
}

// curve is the path through the points. Of the points that share a column of half a unit it keeps the first, the lowest, the
// highest and the last, which look the same and bound the size of the file.
func curve(x, y axis, xs, ys []float64) string {
	var b strings.Builder
	pen := 'M'
	move := func(i int) {
		fmt.Fprintf(&b, "%c%s %s", pen, coordinate(x.at(xs[i])), coordinate(y.at(ys[i])))
		pen = 'L'
	}
	for i := 0; i < len(xs); {
		if !placeable(xs[i], false) || !placeable(ys[i], false) {
			pen = 'M'
			i++
			continue
		}
		column := math.Floor(2 * x.at(xs[i]))
		low, high, last := i, i, i
		for j := i + 1; j < len(xs) && placeable(xs[j], false) && placeable(ys[j], false) && math.Floor(2*x.at(xs[j])) == column; j++ {
			if ys[j] < ys[low] {
				low = j
			}
			if ys[j] > ys[high] {
				high = j
			}
			last = j
		}
		previous := -1
		for _, k := range []int{i, min(low, high), max(low, high), last} {
			if k > previous {
				move(k)
				previous = k
			}
		}
		i = last + 1
	}
	return b.String()
}
