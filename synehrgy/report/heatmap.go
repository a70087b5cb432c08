package report

import (
	"errors"
	"fmt"
	"html/template"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

// maxCells is how many rows a heat map shows; the note says when there are more.
const maxCells = 40

// heatmap draws a square matrix. The area of a cell's square is proportional to the size of its number; positive squares are
// filled and negative ones hollow, so that the picture reads without colour.
func heatmap(id string, f *evaluate.Figure) (template.HTML, string, error) {
	n := len(f.Labels)
	if len(f.Series) != 1 || len(f.Series[0].Y) != n*n {
		return "", "", fmt.Errorf("a heat map of %d labels needs one series of %d values", n, n*n)
	}
	values := f.Series[0].Y
	low, high, ok := span(false, values)
	if !ok {
		return "", "", errors.New("there is no cell to draw")
	}
	most := max(math.Abs(low), math.Abs(high))
	shown, note := min(n, maxCells), ""
	if n > maxCells {
		note = fmt.Sprintf("The first %d of %d are drawn.", maxCells, n)
	}
	const left, top = 100.0, 100.0
	cell := min((chartRight-left)/float64(shown), 34)
	side := cell * float64(shown)
	d := &drawing{}
	for i := range shown {
		at := left + cell*(float64(i)+0.5)
		if every := int(math.Ceil(9 / cell)); i%every == 0 { // labels thin out where cells are lower than type
			d.text("tick", "end", left-5, at-left+top+3.5, clip(f.Labels[i], left-8))
			fmt.Fprintf(&d.b, `<text class="tick" transform="translate(%s %s)rotate(-90)">%s</text>`, coordinate(at+3.5), coordinate(top-5), escape(clip(f.Labels[i], top-8)))
		}
	}
	d.rect("plate", left, top, side, side, "")
	for i := range shown {
		for j := range shown {
			heatCell(d, left+cell*(float64(j)+0.5), top+cell*(float64(i)+0.5), cell, values[i*n+j], most, f.Labels[i]+" × "+f.Labels[j], shown <= 24)
		}
	}
	bottom := heatKey(d, left, top+side+18, most, low < 0)
	return d.svg(id, pictureWidth, bottom, f.Title, describe(&evaluate.Figure{About: f.About, Series: f.Series}, note)), note, nil
}

// heatCell draws the square of one number around (x, y); titles are left out of large matrices to keep the file small.
func heatCell(d *drawing, x, y, cell, value, most float64, title string, titled bool) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		d.text("tick", "middle", x, y+3, "·")
		return
	}
	side := (cell - 1) * math.Sqrt(math.Abs(value)/max(most, math.SmallestNonzeroFloat64))
	if side < 0.3 {
		return
	}
	class := "more"
	if value < 0 {
		class = "less"
		side = max(side-1, 0.5) // the outline lies half outside
	}
	if titled {
		title += ": " + number(value)
	} else {
		title = ""
	}
	d.rect(class, x-side/2, y-side/2, side, side, title)
}

// heatKey explains the squares; it returns where the drawing ends.
func heatKey(d *drawing, x, y, most float64, negative bool) float64 {
	const size = 14.0
	d.rect("more", x, y-size+3, size, size, "")
	d.text("tick", "start", x+size+5, y, number(most))
	quarter := x + size + 5 + width(number(most)) + 14
	d.rect("more", quarter+size/4, y-size+3+size/4, size/2, size/2, "")
	d.text("tick", "start", quarter+size+5, y, number(most/4))
	if negative {
		hollow := quarter + size + 5 + width(number(most/4)) + 14
		d.rect("less", hollow, y-size+3, size-1, size-1, "")
		d.text("tick", "start", hollow+size+5, y, number(-most))
	}
	return y + 12
}
