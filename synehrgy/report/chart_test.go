package report

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

func TestNumbersReadWell(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1: "1", -1: "−1", 0.5: "0.500", 0.98765: "0.988", 0.01234: "0.0123", 0.001234: "0.0012", 0.0004: "4.00\u202f×\u202f10⁻⁴",
		-0.0000567: "−5.67\u202f×\u202f10⁻⁵", 12.345: "12.3", -12.345: "−12.3", 123.45: "123", 1234.5: "1234", 12345.6: "12\u202f346", 1234567: "1\u202f234\u202f567",
		1e12: "1.00\u202f×\u202f10¹²", math.NaN(): "not finite"} {
		require.Equal(t, want, number(x))
	}
	require.Equal(t, "0.910 to 0.940", interval(0.925, 0.91, 0.94))
	require.Equal(t, "−0.600 to 0.000", interval(-0.5, -0.6, -0.0001), "nothing has no sign")
	require.Equal(t, "11.9 to 13.1", interval(12.34, 11.9, 13.08))
	require.Equal(t, "0.999 to 1", interval(1, 0.9994, 1))
	for x, want := range map[float64]string{0: "0", 1: "100", 0.5: "50", 0.12345: "12.3", 0.99999: "more than 99.99", 0.00001: "less than 0.01", 0.9876: "98.76", 0.00213: "0.21"} {
		require.Equal(t, want+"\u202f%", percent(x))
	}
	require.Equal(t, "−9\u202f223\u202f372\u202f036\u202f854\u202f775\u202f808", count(math.MinInt64))
}

func TestTicksAreRoundAndInside(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		log       bool
		want      string
	}{
		{0, 1, false, "0.0 0.2 0.4 0.6 0.8 1.0"}, {3.02, 4.49, false, "3.0 3.5 4.0 4.5"}, {-1, 1, false, "−1.0 −0.5 0.0 0.5 1.0"},
		{0, 123456, false, "0 50\u202f000 100\u202f000 150\u202f000"}, {7, 7, false, "6.0 6.5 7.0 7.5 8.0"}, {0.002, 0.9, true, "0.001 0.01 0.1 1"},
		{1e-9, 1, true, "10⁻⁹ 10⁻⁷ 10⁻⁵ 0.001 0.1"}, {1, 1, true, "1 10"},
	} {
		a := newAxis(c.low, c.high, c.log, 0, 100, 5)
		var texts []string
		last := -1.0
		for _, k := range a.ticks(5) {
			require.GreaterOrEqual(t, k.at, 0.0)
			require.LessOrEqual(t, k.at, 100.0)
			require.Greater(t, k.at, last)
			last = k.at
			texts = append(texts, k.text)
		}
		require.Equal(t, c.want, strings.Join(texts, " "), "%v", c)
		require.LessOrEqual(t, a.low, c.low)
		require.GreaterOrEqual(t, a.high, c.high)
	}
	a := axis{0, 10, false, 200, 100}
	require.Equal(t, []float64{200, 150, 100, 100, 200}, []float64{a.at(0), a.at(5), a.at(10), a.at(99), a.at(-99)}, "nothing leaves the frame")
}

func TestThinningACurveKeepsItsPeaks(t *testing.T) {
	const n = 100_000
	xs, ys := make([]float64, n), make([]float64, n)
	for i := range xs {
		xs[i], ys[i] = float64(i), 5
	}
	ys[33_333], ys[77_777] = 10, 0
	path := curve(axis{0, n, false, 0, 300}, axis{0, 10, false, 100, 0}, xs, ys)
	require.Contains(t, path, "L100 0", "the highest point")
	require.Contains(t, path, "L233.3 100", "the lowest point")
	require.Less(t, strings.Count(path, "L"), 4*600)
	require.Equal(t, "M0 50L100 50M200 50", curve(axis{0, 3, false, 0, 300}, axis{0, 10, false, 100, 0}, []float64{0, 1, 1.5, 2}, []float64{5, 5, math.NaN(), 5}),
		"what is not finite breaks the curve")
}

func TestEqualPointsAreDrawnOnce(t *testing.T) {
	x := axis{0, 1, false, 0, 100}
	path, missing := cloud(3, x, x, []float64{0.5, 0.5, 0.50001, 0.9, math.Inf(1)}, []float64{0.5, 0.5, 0.5, 0.9, 0})
	require.Equal(t, 2, strings.Count(path, "M"))
	require.Equal(t, 1, missing)
}

func TestASquareOfAHeatMapHasTheAreaOfItsNumber(t *testing.T) {
	d := &drawing{}
	heatCell(d, 50, 50, 21, 0.25, 1, "a × b", true)
	require.Equal(t, `<rect class="more" x="45" y="45" width="10" height="10"><title>a × b: 0.250</title></rect>`, d.b.String())
	d = &drawing{}
	heatCell(d, 50, 50, 21, -1, 1, "a × b", false)
	require.Equal(t, `<rect class="less" x="40.5" y="40.5" width="19" height="19"/>`, d.b.String(), "hollow, and no larger than a filled one")
}

func TestListsBreakBetweenItems(t *testing.T) {
	require.Equal(t, []string{"age 61 · sex female", "not readmitted", "a very long one tha…"}, wrap([]string{"age 61", "sex female", "not readmitted", "a very long one that goes on"}, 20*glyph))
	require.Empty(t, wrap(nil, 100))
}

func TestNoTwoSeriesOfAFigureLookAlike(t *testing.T) {
	s := stylist{[]evaluate.System{{ID: "synthetic", Title: "Synthetic"}, {ID: "ceiling", Title: "Held-out real"}}}
	series := []evaluate.Series{{Name: "training"}, {Name: "Held-out real"}, {Name: "synthetic"}, {Name: "chance"}, {Name: "Synthetic"}}
	require.Equal(t, []int{2, 1, 0, 3, 4}, s.of(series), "systems keep their look, others take what is free")
}

func TestFiguresThatCannotBeDrawnSayWhy(t *testing.T) {
	nan := []float64{math.NaN()}
	for words, f := range map[string]evaluate.Figure{
		"2 places for 1 values":                        {Kind: "lines", Series: []evaluate.Series{{Name: "a", X: []float64{1, 2}, Y: []float64{1}}}},
		"no point to draw":                             {Kind: "lines", Series: []evaluate.Series{{Name: "a", Y: nan}}},
		"there is no point":                            {Kind: "scatter", Log: true, Series: []evaluate.Series{{Name: "a", X: []float64{-1}, Y: []float64{1}}}},
		"1 values for 2 labels":                        {Kind: "bars", Labels: []string{"a", "b"}, Series: []evaluate.Series{{Name: "a", Y: []float64{1}}}},
		"no bar to draw":                               {Kind: "bars", Labels: []string{"a"}, Series: []evaluate.Series{{Name: "a", Y: nan}}},
		"no cell to draw":                              {Kind: "heatmap", Labels: []string{"a"}, Series: []evaluate.Series{{Y: nan}}},
		"needs one series of 4 values":                 {Kind: "heatmap", Labels: []string{"a", "b"}, Series: []evaluate.Series{{Y: nan}}},
		`there is no figure of kind ""`:                {},
		"a heat map of 0 labels needs one series of 0": {Kind: "heatmap"},
	} {
		c := stylist{}.draw("id", &f)
		require.Empty(t, c.SVG, words)
		require.Contains(t, c.Note, words)
	}
}

// colours reads the palettes of chart.css: light, dark, paper.
func colours(t *testing.T) []map[string][3]float64 {
	t.Helper()
	css, err := os.ReadFile("chart.css")
	require.NoError(t, err)
	var out []map[string][3]float64
	for _, block := range regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(string(css), -1) {
		palette := map[string][3]float64{}
		for _, c := range regexp.MustCompile(`--(\w+):#(\w+)`).FindAllStringSubmatch(block[1], -1) {
			hex := c[2]
			if len(hex) == 3 {
				hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
			}
			var rgb [3]float64
			for i := range rgb {
				n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
				require.NoError(t, err)
				rgb[i] = float64(n) / 255
			}
			palette[c[1]] = rgb
		}
		out = append(out, palette)
	}
	return out
}

// luminance and contrast are those of WCAG 2.2.
func luminance(c [3]float64) float64 {
	for i, x := range c {
		if c[i] = x / 12.92; x > 0.04045 {
			c[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
}

func contrast(a, b [3]float64) float64 {
	high, low := luminance(a), luminance(b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

func TestEveryColourStandsOutInEveryPalette(t *testing.T) {
	require.InDelta(t, 21, contrast([3]float64{}, [3]float64{1, 1, 1}), 1e-9)
	palettes := colours(t)
	require.Len(t, palettes, 3)
	for _, palette := range palettes {
		require.Len(t, palette, 12)
		for _, name := range []string{"ink", "soft", "s0", "s1", "s2", "s3", "s4", "s5"} {
			require.GreaterOrEqual(t, contrast(palette[name], palette["paper"]), 4.5, name)
		}
		require.GreaterOrEqual(t, contrast(palette["axis"], palette["paper"]), 3.0)
	}
}
