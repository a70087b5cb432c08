package evaluate

// From a value and its bootstrap replicates to a score with an interval.

import (
	"math"
	"slices"
)

// systemCount is the number of candidates in every table, in the order of the constants below.
const systemCount = 4

const (
	atSynthetic = iota
	atCeiling
	atIndependent
	atCopy
)

var systemTable = [systemCount]System{
	{Synthetic, "Synthetic", "what is being judged"},
	{Ceiling, "Ceiling (held-out real)", "held-out real patients in the place of the synthetic ones: the best that a generator can do without copying"},
	{Independent, "Independent marginals", "every field drawn from its own distribution in the training patients: what no model at all achieves"},
	{Copy, "Copy of training", "the training patients themselves: perfect fidelity, no privacy"},
}

// level is that of all printed intervals.
const level = 0.95

// estimate is one number about one system: its value and what the bootstrap made of it.
type estimate struct {
	value float64   // NaN: undefined
	draws []float64 // replicates; NaN where a replicate leaves it undefined
	note  string    // why it is undefined, or what a reader should know
}

type estimates [systemCount]estimate

func undefined(why string) estimate { return estimate{value: math.NaN(), note: why} }

func allUndefined(why string) (e estimates) {
	for i := range e {
		e[i] = undefined(why)
	}
	return e
}

// estimated evaluates a statistic of a weight row: row 0 is the value, the others are the replicates. note explains a value
// that turns out undefined.
func estimated(rows int, note string, statistic func(row int) float64) estimate {
	e := estimate{value: statistic(0), draws: make([]float64, rows-1)}
	if math.IsNaN(e.value) {
		return undefined(note)
	}
	for b := range e.draws {
		e.draws[b] = statistic(b + 1)
	}
	return e
}

// fromRows makes an estimate of a column of already evaluated rows.
func fromRows(rows []float64, note string) estimate {
	return estimated(len(rows), note, func(b int) float64 { return rows[b] })
}

func (e estimate) defined() bool { return !math.IsNaN(e.value) }

// minus is the paired difference of two estimates that share their resamples.
func (e estimate) minus(o estimate) estimate {
	if !e.defined() || !o.defined() {
		return undefined("one of the two is undefined")
	}
	d := estimate{value: e.value - o.value, draws: make([]float64, min(len(e.draws), len(o.draws)))}
	for b := range d.draws {
		d.draws[b] = e.draws[b] - o.draws[b]
	}
	return d
}

// quantile is the q-quantile of the replicates after they are moved so that their mean is the value (interpolated between
// order statistics). The move matters: resampling a resample doubles the noise of sparse prevalences and of distances
// between distributions, so that plain percentiles of R2, KS or W1 can lie altogether on one side of the value. NaN when
// fewer than half of the replicates are defined.
func (e estimate) quantile(q float64) float64 {
	draws := slices.DeleteFunc(slices.Clone(e.draws), math.IsNaN)
	if !e.defined() || len(draws) == 0 || 2*len(draws) < len(e.draws) {
		return math.NaN()
	}
	slices.Sort(draws)
	at := q * float64(len(draws)-1)
	i := int(at)
	x := draws[i]
	if i+1 < len(draws) {
		x += (at - float64(i)) * (draws[i+1] - draws[i])
	}
	return x + e.value - mean(draws)
}

func mean(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// above tells whether the estimate lies above x beyond chance, one-sided at the level alpha.
func (e estimate) above(x, alpha float64) bool {
	return e.defined() && e.value > x && e.quantile(alpha) > x
}

// finding is a metric together with the estimates behind its scores.
type finding struct {
	Metric
	by       estimates
	min, max float64 // values that the metric can have; an interval is cut to them
}

// found fills the scores of a metric.
func found(m Metric, least, most float64, by estimates) finding {
	f := finding{Metric: m, by: by, min: least, max: most}
	for i, e := range by {
		s := Score{System: systemTable[i].ID, Note: e.note}
		if e.defined() && !math.IsInf(e.value, 0) {
			s.Value = &e.value
			s.Low = f.end(e.quantile((1 - level) / 2))
			s.High = f.end(e.quantile((1 + level) / 2))
		}
		f.Scores = append(f.Scores, s)
	}
	return f
}

func (f *finding) end(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	x = math.Min(math.Max(x, f.min), f.max)
	return &x
}

// chapter is a section under construction.
type chapter struct {
	Section
	findings []finding
}

func (c *chapter) add(m Metric, least, most float64, by estimates) {
	c.findings = append(c.findings, found(m, least, most, by))
}

// closed is the section as it is written down.
func (c *chapter) closed() Section {
	for i := range c.findings {
		c.Metrics = append(c.Metrics, c.findings[i].Metric)
	}
	return c.Section
}

// by returns the estimates of a metric; all undefined when there is no such metric.
func (c *chapter) by(id string) estimates {
	for i := range c.findings {
		if c.findings[i].ID == id {
			return c.findings[i].by
		}
	}
	return allUndefined("not computed")
}
