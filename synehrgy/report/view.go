package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
)

//go:embed report.css
var pageCSS string

//go:embed report.html
var pageHTML string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{"count": count}).Parse(pageHTML))

// view is a page made ready for the template: every number is text, every figure is drawn.
type view struct {
	*Page
	Style      template.CSS
	Verdicts   []verdict
	Systems    []column
	Ledgers    []ledger
	Sections   []section
	Sizes      []size
	Loss       *chart
	Generated  []Fact
	Patients   []template.HTML
	Unfinished bool // there is no evaluation
}

// verdict is a sentence with its state as a word and as a sign, so that colour only repeats.
type verdict struct {
	State, Sign, Word, Text, Metric string
}

// column is a system as it heads a column.
type column struct {
	Title, About string
	Key          template.HTML
}

type ledger struct{ ID, Word, About string }

type section struct {
	Anchor, Title, About string
	Metrics              []metric
	Charts               []chart
}

type metric struct {
	Title, About, Ledger, LedgerWord, Aim string
	Cells                                 []cell
	Strip                                 template.HTML
}

// cell is the score of one system.
type cell struct {
	System          string
	Value, Interval string // Value is empty when the score is undefined
	Note            string
	value           *float64
	low, high       *float64
}

type size struct{ Role, Patients, Visits, Events string }

func newView(p *Page) (*view, error) {
	v := &view{Page: p, Style: template.CSS(chartCSS + pageCSS), Unfinished: p.Results == nil}
	if p.Examples != nil && len(p.Examples.Patients) > 0 {
		var err error
		if v.Patients, err = p.Examples.pictures(); err != nil {
			return nil, err
		}
	}
	if r := p.Results; r != nil {
		v.evaluation(r)
	}
	v.Loss = lossChart(p.Training)
	v.Generated = generated(p.Generation)
	return v, nil
}

var verdictWords = map[string][2]string{"pass": {"✓", "Pass"}, "warn": {"!", "Caution"}, "fail": {"✕", "Fail"}, "blind": {"?", "Blind"}}

var ledgers = []ledger{
	{string(evaluate.Corrected), "Corrected", "the numbers to rely on"},
	{string(evaluate.Diagnostic), "Diagnostic", "explains a number, supports no claim by itself"},
	{string(evaluate.Published), "Published", "computed as the literature prints it, flaws included, to compare with papers"},
}

func (v *view) evaluation(r *evaluate.Results) {
	titles := map[string]string{}
	for i := range r.Sections {
		for _, m := range r.Sections[i].Metrics {
			titles[m.ID] = m.Title
		}
	}
	for _, x := range r.Verdicts {
		words, known := verdictWords[x.State]
		if !known {
			words = [2]string{"·", x.State}
		}
		v.Verdicts = append(v.Verdicts, verdict{State: x.State, Sign: words[0], Word: words[1], Text: x.Text, Metric: titles[x.Metric]})
	}
	for i, y := range r.Systems {
		v.Systems = append(v.Systems, column{y.Title, y.About, key(fmt.Sprintf("key-%d", i+1), i, y.Title)})
	}
	for _, l := range ledgers {
		if slices.ContainsFunc(r.Sections, func(s evaluate.Section) bool {
			return slices.ContainsFunc(s.Metrics, func(m evaluate.Metric) bool { return string(m.Ledger) == l.ID })
		}) {
			v.Ledgers = append(v.Ledgers, l)
		}
	}
	for _, c := range r.Cohorts {
		v.Sizes = append(v.Sizes, size{spoken(c.Role), count(int64(c.Patients)), count(int64(c.Visits)), count(int64(c.Events))})
	}
	looks := stylist{r.Systems}
	for i := range r.Sections {
		v.Sections = append(v.Sections, looks.section(i+1, &r.Sections[i], r.Systems))
	}
}

func (s stylist) section(number int, in *evaluate.Section, systems []evaluate.System) section {
	out := section{Anchor: fmt.Sprintf("section-%d", number), Title: in.Title, About: in.About}
	for i := range in.Metrics {
		out.Metrics = append(out.Metrics, s.metric(fmt.Sprintf("strip-%d-%d", number, i+1), &in.Metrics[i], systems))
	}
	for i := range in.Figures {
		out.Charts = append(out.Charts, s.draw(fmt.Sprintf("figure-%d-%d", number, i+1), &in.Figures[i]))
	}
	return out
}

func (s stylist) metric(id string, m *evaluate.Metric, systems []evaluate.System) metric {
	out := metric{Title: m.Title, About: m.About, Ledger: string(m.Ledger), LedgerWord: string(m.Ledger), Aim: aim(m)}
	if i := slices.IndexFunc(ledgers, func(l ledger) bool { return l.ID == string(m.Ledger) }); i >= 0 {
		out.LedgerWord = ledgers[i].Word
	}
	for _, y := range systems {
		out.Cells = append(out.Cells, newCell(m, y))
	}
	out.Strip = s.strip(id, m, out.Cells)
	return out
}

// newCell finds the score of a system by its name, whatever the order of the scores.
func newCell(m *evaluate.Metric, y evaluate.System) cell {
	c := cell{System: y.Title}
	i := slices.IndexFunc(m.Scores, func(s evaluate.Score) bool { return s.System == y.ID })
	if i < 0 {
		c.Note = "not measured"
		return c
	}
	s := &m.Scores[i]
	c.Note = s.Note
	if s.Value == nil {
		c.Note = orElse(s.Note, "no reason given")
		return c
	}
	c.value, c.Value = s.Value, number(*s.Value)
	if s.Low != nil && s.High != nil {
		c.low, c.high, c.Interval = s.Low, s.High, interval(*s.Value, *s.Low, *s.High)
	}
	return c
}

// aim says which values are good.
func aim(m *evaluate.Metric) string {
	switch m.Better {
	case evaluate.Higher:
		return "higher is better, ideal " + number(m.Ideal)
	case evaluate.Lower:
		return "lower is better, ideal " + number(m.Ideal)
	}
	return "ideal " + number(m.Ideal)
}

// lossChart draws both loss curves, nil when there are none.
func lossChart(t *Training) *chart {
	if t == nil || len(t.Train)+len(t.Validation) == 0 {
		return nil
	}
	f := evaluate.Figure{Title: "Loss while training", About: "Mean cross-entropy of the next token.", XLabel: "step", YLabel: "bits per token"}
	for _, c := range []struct {
		name   string
		points []LossPoint
	}{{"training", t.Train}, {"validation", t.Validation}} {
		if len(c.points) == 0 {
			continue
		}
		y := evaluate.Series{Name: c.name}
		for _, p := range c.points {
			y.X, y.Y = append(y.X, float64(p.Step)), append(y.Y, p.BitsPerToken)
		}
		f.Series = append(f.Series, y)
	}
	f.Kind = "lines"
	out := stylist{}.draw("loss", &f)
	if n := len(t.Validation); n > 0 && out.Note == "" {
		best := slices.MinFunc(t.Validation, func(a, b LossPoint) int {
			switch {
			case a.BitsPerToken < b.BitsPerToken:
				return -1
			case a.BitsPerToken > b.BitsPerToken:
				return 1
			}
			return 0
		})
		out.Note = fmt.Sprintf("Lowest on validation patients: %s bits per token, at step %s.", number(best.BitsPerToken), count(best.Step))
	}
	return &out
}

// generated lists the facts of the generation.
func generated(g *Generation) []Fact {
	if g == nil {
		return nil
	}
	out := []Fact{{"Patients", count(g.Patients)}, {"Tokens", count(g.Tokens)}}
	if g.Patients > 0 {
		out = append(out, Fact{"Records that parse", fmt.Sprintf("%s of %s (%s)", count(g.Valid), count(g.Patients), percent(float64(g.Valid)/float64(g.Patients)))})
	}
	if g.TokensPerSecond > 0 {
		out = append(out, Fact{"Speed", number(g.TokensPerSecond) + " tokens a second"})
	}
	if g.Measured == 0 {
		return out
	}
	return append(out, Fact{"Probability the grammar took away", fmt.Sprintf("%s a token, on average over %s of %s draws", percent(g.MaskedMass), count(g.Measured), count(g.Draws))})
}
