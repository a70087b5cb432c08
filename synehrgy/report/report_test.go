package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
	"github.com/synehrgy/synehrgy-go/synehrgy/report"
)

var update = flag.Bool("update", false, "write testdata anew")

func render(t *testing.T, p report.Page) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Render(&b, p))
	return b.String()
}

func renderPatients(t *testing.T, e report.Examples) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.RenderPatients(&b, e))
	return b.String()
}

// requireHas and requireLacks are Contains and NotContains for texts that are too long to print.
func requireHas(t *testing.T, page, word string) {
	t.Helper()
	require.True(t, strings.Contains(page, word), "%q is missing", word)
}

func requireLacks(t *testing.T, page, word string) {
	t.Helper()
	at := strings.Index(page, word)
	require.Negative(t, at, "%q is there", word)
}

func TestTheReportIsAsItWas(t *testing.T) {
	for name, got := range map[string]string{"report.html": render(t, samplePage()), "patients.svg": renderPatients(t, *examples())} {
		path := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err, "go test -update writes it")
		require.True(t, string(want) == got, "%s changed; look at it, then go test -update", path)
	}
}

func TestTheSamePageIsTheSameBytes(t *testing.T) {
	first := render(t, samplePage())
	for range 5 {
		require.True(t, first == render(t, samplePage()))
	}
}

// tags reads markup and calls each for every element that begins; it fails on tags that do not balance.
func tags(t *testing.T, markup string, each func(e xml.StartElement)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(markup))
	d.Strict, d.Entity = false, xml.HTMLEntity
	void := map[string]bool{"meta": true}
	var open []string
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch e := token.(type) {
		case xml.StartElement:
			if each(e); !void[e.Name.Local] {
				open = append(open, e.Name.Local)
			}
		case xml.EndElement:
			require.NotEmpty(t, open, "</%s> closes nothing", e.Name.Local)
			require.Equal(t, open[len(open)-1], e.Name.Local, "within %v", open)
			open = open[:len(open)-1]
		}
	}
	require.Empty(t, open, "these are never closed")
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func TestTheMarkupIsSound(t *testing.T) {
	seen, ids, refs := map[string]int{}, map[string]bool{}, []string{}
	level := 0
	tags(t, render(t, samplePage()), func(e xml.StartElement) {
		name := e.Name.Local
		seen[name]++
		if id := attribute(e, "id"); id != "" {
			require.False(t, ids[id], "the id %s twice", id)
			ids[id] = true
		}
		refs = append(refs, strings.Fields(attribute(e, "aria-labelledby"))...)
		if target, local := strings.CutPrefix(attribute(e, "href"), "#"); local {
			refs = append(refs, target)
		}
		switch {
		case name == "th":
			require.Contains(t, []string{"col", "row"}, attribute(e, "scope"))
		case name == "svg":
			require.Equal(t, "img", attribute(e, "role"))
			require.Len(t, strings.Fields(attribute(e, "aria-labelledby")), 2, "title and description")
		case len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6':
			require.LessOrEqual(t, int(name[1]-'0'), level+1, "headings skip no level")
			level = int(name[1] - '0')
		}
	})
	for _, ref := range refs {
		require.True(t, ids[ref], "#%s leads nowhere", ref)
	}
	for _, landmark := range []string{"header", "nav", "main", "footer", "h1"} {
		require.Equal(t, 1, seen[landmark], landmark)
	}
	require.Equal(t, seen["table"], seen["caption"], "every table says what it is")
	require.Equal(t, seen["svg"], seen["desc"])
	require.Greater(t, seen["svg"], 12)
}

func TestNothingIsLoadedAndNothingRuns(t *testing.T) {
	page := render(t, samplePage())
	for _, word := range []string{"http://", "https://", "src=", "@import", "url(", "<script", "<link", "<iframe", "<img", "javascript:", "onload", "onclick"} {
		requireLacks(t, strings.ToLower(page), word)
	}
	requireHas(t, page, `content="default-src 'none'; style-src 'unsafe-inline'"`)
	picture := renderPatients(t, *examples())
	require.Equal(t, 1, strings.Count(picture, "http://"), "the namespace alone")
	requireHas(t, picture, `xmlns="http://www.w3.org/2000/svg"`)
	requireLacks(t, picture, "<script")
}

func TestNamesThatLookLikeMarkupStayText(t *testing.T) {
	page := render(t, samplePage())
	requireLacks(t, page, "<script")
	requireHas(t, page, "&lt;script&gt;") // the name is there, as text
	p := report.Page{Title: hostile, Creator: hostile, Facts: []report.Fact{{hostile, hostile}}, Drops: []report.Drop{{hostile, hostile, 1}},
		Results: &evaluate.Results{Source: hostile, Systems: []evaluate.System{{ID: "synthetic", Title: hostile, About: hostile}},
			Verdicts: []evaluate.Verdict{{State: `"><script>`, Text: hostile}}, Cohorts: []evaluate.Size{{Role: hostile}},
			Sections: []evaluate.Section{{ID: hostile, Title: hostile, About: hostile, Metrics: []evaluate.Metric{{Title: hostile, About: hostile, Ledger: hostile,
				Scores: []evaluate.Score{{System: "synthetic", Note: hostile}}}},
				Figures: []evaluate.Figure{{Title: hostile, About: hostile, Kind: hostile}, {Title: hostile, About: hostile, Kind: "lines", XLabel: hostile, YLabel: hostile,
					Series: []evaluate.Series{{Name: hostile, Y: []float64{1, 2}}}}}}}}}
	page = render(t, p)
	requireLacks(t, page, "<script")
	tags(t, page, func(xml.StartElement) {})
}

func TestTheStandalonePictureIsStrictXML(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(renderPatients(t, *examples())))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestUndefinedIsSaidWithItsReason(t *testing.T) {
	page := render(t, samplePage())
	requireHas(t, page, `<span class="undefined">undefined</span> <span class="note">every patient has one visit</span>`)
	requireHas(t, page, `<span class="note">not measured</span>`) // a system without a score
	requireHas(t, page, `Not drawn: there is no figure of kind &#34;pie&#34;.`)
	requireHas(t, page, `Not drawn: a heat map of 1 labels needs one series of 1 values.`)
	requireHas(t, page, `3 points are not drawn`)
}

func TestScoresStandUnderTheirSystemWhateverTheirOrder(t *testing.T) {
	page := render(t, samplePage())
	row := page[strings.Index(page, "Prevalence R², single codes</span>"):]
	row = row[:strings.Index(row, "</tr>")]
	cells := regexp.MustCompile(`data-system="([^"]*)"><span class="value">([^<]*)</span> <span class="interval">([^<]*)</span>`).FindAllStringSubmatch(row, -1)
	require.Len(t, cells, 4)
	require.Equal(t, []string{"Synthetic", "0.951", "0.940 to 0.962"}, cells[0][1:])
	require.Equal(t, []string{"Held-out real", "0.981", "0.975 to 0.989"}, cells[1][1:])
	require.Equal(t, []string{"Copy", "1", "1 to 1"}, cells[3][1:])
}

func TestTheLedgerOfEveryMetricIsMarked(t *testing.T) {
	page := render(t, samplePage())
	for word, times := range map[string]int{"corrected": 3 + 1, "diagnostic": 1 + 1, "published": 1 + 1} { // the metrics, and the key
		require.Equal(t, times, strings.Count(page, `<span class="ledger `+word+`">`), word)
	}
}

func TestWhatIsEmptyIsLeftOut(t *testing.T) {
	page := render(t, report.Page{Title: "t", Creator: "c"})
	tags(t, page, func(xml.StartElement) {})
	requireHas(t, page, "There is no evaluation in this run.")
	for _, word := range []string{"Verdicts", "How to read", "Patients side", "<svg", "<table", "<h3"} {
		requireLacks(t, page, word)
	}
	alone := samplePage()
	alone.Examples.Patients = alone.Examples.Patients[1:]
	page = render(t, alone)
	requireHas(t, page, "One patient")
	requireLacks(t, page, "A simulated patient")
}

func TestALargeEvaluationIsASmallFile(t *testing.T) {
	p := samplePage()
	p.Training = &report.Training{Train: losses(200_000, 1, 0.3)}
	big := scatter()
	for i := range big.Series {
		for range 6 {
			big.Series[i].X = append(big.Series[i].X, big.Series[i].X...)
			big.Series[i].Y = append(big.Series[i].Y, big.Series[i].Y...)
		}
	}
	p.Results.Sections[0].Figures = []evaluate.Figure{big, heat(200)}
	page := render(t, p)
	require.Less(t, len(page), 400_000)
	requireHas(t, page, "The first 40 of 200 are drawn.")
}

func TestAReportIsWrittenWholeForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	require.NoError(t, report.Write(path, samplePage()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	broken := samplePage()
	broken.Examples.Patients[0].Patient.Visits[0].Covariates[1].X = 7 // no such category
	require.ErrorContains(t, report.Write(path, broken), "example 1 cannot be drawn")
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, string(got) == render(t, samplePage()), "the old report stays")
	picture := filepath.Join(dir, "patients.svg")
	require.NoError(t, report.WritePatients(picture, *examples()))
	require.ErrorContains(t, report.WritePatients(picture, *broken.Examples), "example 1 cannot be drawn")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

func TestPatientsWithNextToNothingAreDrawn(t *testing.T) {
	e := examples()
	e.Patients[0].Patient.Visits = nil
	v := &e.Patients[1].Patient.Visits
	*v = (*v)[:1]
	(*v)[0].Rows, (*v)[0].Codes, (*v)[0].Labels, (*v)[0].Covariates = nil, nil, nil, nil
	picture := renderPatients(t, *e)
	requireHas(t, picture, "No visits.")
	require.Equal(t, 4, strings.Count(picture, "nothing recorded"))
	requireLacks(t, picture, "NaN")
	requireLacks(t, picture, "Inf")
}
