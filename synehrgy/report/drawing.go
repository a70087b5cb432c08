package report

import (
	"encoding/xml"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"
)

// drawing collects the elements of one SVG. Every text that comes from outside passes through escape; class names and path
// data are ours. Colours live in chart.css, so that a drawing follows light and dark mode.
type drawing struct{ b strings.Builder }

// coordinate writes a place to a tenth of a unit, as short as that goes.
func coordinate(x float64) string {
	s := strconv.FormatFloat(x, 'f', 1, 64)
	s = strings.TrimSuffix(s, ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder never fails
	return b.String()
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.path(class, "M"+coordinate(x1)+" "+coordinate(y1)+"L"+coordinate(x2)+" "+coordinate(y2))
}

func (d *drawing) path(class, data string) {
	fmt.Fprintf(&d.b, `<path class="%s" d="%s"/>`, class, data)
}

// text sets s at (x, y), the left end, the middle or the right end of its baseline by anchor: start, middle, end.
func (d *drawing) text(class, anchor string, x, y float64, s string) {
	if s == "" {
		return
	}
	if anchor != "start" {
		class += " " + anchor
	}
	fmt.Fprintf(&d.b, `<text class="%s" x="%s" y="%s">%s</text>`, class, coordinate(x), coordinate(y), escape(s))
}

// rect draws a rectangle; a title, where there is one, shows under the pointer.
func (d *drawing) rect(class string, x, y, width, height float64, title string) {
	fmt.Fprintf(&d.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"`, class, coordinate(x), coordinate(y), coordinate(width), coordinate(height))
	if title == "" {
		d.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&d.b, `><title>%s</title></rect>`, escape(title))
}

// svg closes the drawing into an element of that size in units. The id must be unique on the page; title and description are
// what a screen reader says.
func (d *drawing) svg(id string, width, height float64, title, description string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %s %s" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>%s</svg>`,
		coordinate(width), coordinate(height), id, id, id, escape(title), id, escape(description), d.b.String()))
}

// glyph is the mean width of a letter of chart text in a wide font, in units: type is 11 units high, and no font is asked.
const glyph = 6.4

// width estimates how wide a text is set.
func width(s string) float64 { return glyph * float64(utf8.RuneCountInString(s)) }

// clip shortens s to about the width.
func clip(s string, most float64) string {
	n := max(int(most/glyph), 1)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:n-1]), " ") + "…"
}

// wrap sets items end to end, with middle dots between them, in lines of about the width. It breaks between items; a longer
// item is clipped.
func wrap(items []string, most float64) []string {
	const dot = " · "
	var lines []string
	line := ""
	for _, item := range items {
		item = clip(item, most)
		switch {
		case line == "":
			line = item
		case width(line+dot+item) <= most:
			line += dot + item
		default:
			lines = append(lines, line)
			line = item
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
