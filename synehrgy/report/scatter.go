package report

import (
	"errors"
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// scatter draws clouds of points in a square. Where both axes carry about the same range they carry the same one, and the
// diagonal of agreement is drawn. Points that fall on the same tenth of a unit are drawn once, which bounds the size of the
// file by that of the picture. The note counts what is not drawn.
func (s stylist) scatter(id string, f *evaluate.Figure) (template.HTML, string, error) {
	var all, ups [][]float64
	for _, y := range f.Series {
		xs, err := paired(y)
		if err != nil {
			return "", "", err
		}
		all, ups = append(all, xs), append(ups, y.Y)
	}
	xLow, xHigh, xOK := span(f.Log, all...)
	yLow, yHigh, yOK := span(f.Log, ups...)
	if !xOK || !yOK {
		return "", "", errors.New("there is no point to draw")
	}
	same := alike(xLow, xHigh, yLow, yHigh, f.Log)
	if same {
		xLow, xHigh = min(xLow, yLow), max(xHigh, yHigh)
		yLow, yHigh = xLow, xHigh
	}
	d := &drawing{}
	looks := s.of(f.Series)
	top := legend(d, f.Series, looks, chartLeft, legendTop, chartRight-chartLeft, false) + legendTop + 8
	bottom := top + chartRight - chartLeft
	x := newAxis(xLow, xHigh, f.Log, chartLeft, chartRight, 5)
	y := newAxis(yLow, yHigh, f.Log, bottom, top, 5)
	frame(d, x, y, f.XLabel, f.YLabel)
	if same {
		d.line("ideal", x.from, y.from, x.to, y.to)
	}
	missing := 0
	for i := range f.Series {
		data, lost := cloud(looks[i], x, y, all[i], ups[i])
		missing += lost
		d.path(fmt.Sprintf("m cloud s%d", looks[i]), data)
	}
	note := ""
	if missing > 0 {
		note = fmt.Sprintf("%s not drawn, because a coordinate is not finite%s.", points(missing), map[bool]string{true: ", zero or negative"}[f.Log])
	}
	return d.svg(id, pictureWidth, bottom+chartBottom, f.Title, describe(f, note)), note, nil
}

// cloud is the path of the markers of the points, and how many points have no place.
func cloud(style int, x, y axis, xs, ys []float64) (path string, missing int) {
	var b strings.Builder
	drawn := map[[2]string]bool{}
	for i := range xs {
		if !placeable(xs[i], x.log) || !placeable(ys[i], y.log) {
			missing++
			continue
		}
		px, py := x.at(xs[i]), y.at(ys[i])
		key := [2]string{coordinate(px), coordinate(py)}
		if drawn[key] {
			continue
		}
		drawn[key] = true
		b.WriteString(marker(style, px, py, 2.2))
	}
	return b.String(), missing
}

func placeable(x float64, log bool) bool {
	return !math.IsNaN(x) && !math.IsInf(x, 0) && !(log && x <= 0)
}

// alike tells whether two ranges overlap in more than half of what they cover together.
func alike(aLow, aHigh, bLow, bHigh float64, log bool) bool {
	if log {
		aLow, aHigh, bLow, bHigh = math.Log(aLow), math.Log(aHigh), math.Log(bLow), math.Log(bHigh)
	}
	together := max(aHigh, bHigh) - min(aLow, bLow)
	return together == 0 || (min(aHigh, bHigh)-max(aLow, bLow)) > together/2
}

func points(n int) string {
	if n == 1 {
		return "1 point is"
	}
	return count(int64(n)) + " points are"
}
