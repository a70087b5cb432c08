package report

import (
	"math"
	"strconv"
)

// This file maps numbers to places: axis, its ticks, and the frame of a chart. Coordinates are SVG units, y pointing down.

// axis maps [low, high], which may be logarithmic, to [from, to].
type axis struct {
	low, high float64
	log       bool
	from, to  float64
}

// tick is a labelled place of an axis.
type tick struct {
	at   float64 // SVG units
	text string
}

// at is the place of x. Numbers outside the axis lie on its nearer end, so that nothing leaves the frame.
func (a axis) at(x float64) float64 {
	low, high := a.low, a.high
	if a.log {
		x, low, high = math.Log10(x), math.Log10(low), math.Log10(high)
	}
	share := (x - low) / (high - low)
	return a.from + min(max(share, 0), 1)*(a.to-a.from)
}

// span is the smallest range that holds the finite numbers of all lists, positive ones alone when log; ok is false when there
// are none.
func span(log bool, lists ...[]float64) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, list := range lists {
		for _, x := range list {
			if math.IsNaN(x) || math.IsInf(x, 0) || log && x <= 0 {
				continue
			}
			low, high = min(low, x), max(high, x)
		}
	}
	return low, high, low <= high
}

// newAxis makes an axis for [low, high], widened to round numbers so that about n ticks fit.
func newAxis(low, high float64, log bool, from, to float64, n int) axis {
	if log {
		low, high = math.Pow(10, math.Floor(math.Log10(low)+1e-9)), math.Pow(10, math.Ceil(math.Log10(high)-1e-9))
		if low >= high {
			high = 10 * low
		}
		return axis{low, high, true, from, to}
	}
	if low == high {
		half := max(math.Abs(low)*0.1, 0.5)
		low, high = low-half, high+half
	}
	step := niceStep((high - low) / float64(n))
	return axis{math.Floor(low/step+1e-9) * step, math.Ceil(high/step-1e-9) * step, false, from, to}
}

// niceStep is the smallest of 1, 2, 5 times a power of ten that is not below x.
func niceStep(x float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= x*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// ticks are about n ticks at round numbers, ascending.
func (a axis) ticks(n int) []tick {
	if a.log {
		return a.decades(n)
	}
	step := niceStep((a.high - a.low) / float64(n))
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var out []tick
	for i := math.Ceil(a.low/step - 1e-9); i*step <= a.high+1e-9*step; i++ {
		out = append(out, tick{a.at(i * step), axisNumber(i*step, step, decimals)})
	}
	return out
}

func axisNumber(x, step float64, decimals int) string {
	if x != 0 && (step < 1e-4 || step >= 1e7) {
		return scientific(x)
	}
	return fixed(x, decimals)
}

// decades are ticks at powers of ten, at most n of them where that leaves two.
func (a axis) decades(n int) []tick {
	first, last := int(math.Round(math.Log10(a.low))), int(math.Round(math.Log10(a.high)))
	stride := max(1, (last-first+n-1)/n)
	var out []tick
	for e := first; e <= last; e += stride {
		text := power(e)
		if e >= -3 && e <= 4 {
			text = grouped(strconv.FormatFloat(math.Pow(10, float64(e)), 'f', max(0, -e), 64))
		}
		out = append(out, tick{a.at(math.Pow(10, float64(e))), text})
	}
	return out
}

// below writes a tick label under an axis, centred on its tick as far as the picture reaches.
func (d *drawing) below(t tick, y float64) {
	half := width(t.text) / 2
	d.text("tick", "middle", min(max(t.at, half+1), pictureWidth-half-1), y, t.text)
}

// frame draws the axes of a chart: grid lines, tick labels and the two titles. x runs left to right, y bottom to top.
func frame(d *drawing, x, y axis, xLabel, yLabel string) {
	for _, t := range y.ticks(5) {
		d.line("grid", x.from, t.at, x.to, t.at)
		d.text("tick", "end", x.from-5, t.at+3.5, t.text)
	}
	for _, t := range x.ticks(5) {
		d.line("grid", t.at, y.from, t.at, y.to)
		d.below(t, y.from+14)
	}
	d.line("axis", x.from, y.from, x.to, y.from)
	d.line("axis", x.from, y.from, x.from, y.to)
	d.text("label", "end", x.to, y.from+30, clip(xLabel, x.to-x.from))
	d.text("label", "start", 4, y.to-9, clip(yLabel, x.to-4))
}
