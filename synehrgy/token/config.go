package token

import (
	"maps"
	"math"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file holds the settings of a vocabulary. The published tokenizer is one point in this space (configs/reference.yaml);
// DefaultConfig is another.

// Config says how a vocabulary is fitted and what the grammar of its records is.
type Config struct {
	Values    Binning              `yaml:"values" json:"values"`         // measured variables and covariates that are numbers
	Times     Binning              `yaml:"times" json:"times"`           // gap, offset, since, stay, rest
	Edges     map[string][]float64 `yaml:"edges" json:"edges"`           // fixed bin edges of covariates and variables by name, in their unit
	TimeEdges map[string][]float64 `yaml:"time_edges" json:"time_edges"` // fixed bin edges of the times by name, in minutes
	Codes     CodeRule             `yaml:"codes" json:"codes"`
	Grammar   GrammarConfig        `yaml:"grammar" json:"grammar"`
	Overflow  string               `yaml:"overflow" json:"overflow"` // what happens to a record longer than the context: InChunks or CutOff
	Context   int                  `yaml:"context" json:"context"`   // tokens a model sees at once
	Visits    int                  `yaml:"visits" json:"visits"`     // visit numbers that chunk headers tell apart; later visits share the last
}

// Binning says how the numbers of a field become bins, and a bin a number.
type Binning struct {
	Method         string    `yaml:"method" json:"method"`                     // Quantile, Relative or Uniform
	Bins           int       `yaml:"bins" json:"bins"`                         // most bins a field gets
	MinCount       int       `yaml:"min_count" json:"min_count"`               // a field gets no more bins than it has training values / MinCount
	DistinctPerBin int       `yaml:"distinct_per_bin" json:"distinct_per_bin"` // nor more than it has distinct training values / DistinctPerBin
	AtomShare      float64   `yaml:"atom_share" json:"atom_share"`             // Quantile, Relative: a value that holds more than AtomShare/Bins of all gets its own bin
	Tails          []float64 `yaml:"tails" json:"tails"`                       // Quantile: probabilities at which a bin ends where counts allow, so that tails stay
	Trim           bool      `yaml:"trim" json:"trim"`                         // Uniform: the published rule that leaves far tails out of the binned range
	Density        string    `yaml:"density" json:"density"`                   // Learned (quantiles of the training values in the bin) or Flat (uniform between its edges)
	Knots          int       `yaml:"knots" json:"knots"`                       // Learned: most knots a bin gets, 2 to 8
}

// CodeRule says which codes get a token of their own; the others become the unknown token of their system, and are counted.
type CodeRule struct {
	MinCount int    `yaml:"min_count" json:"min_count"`
	Count    string `yaml:"count" json:"count"` // what is counted on the training split: Patients or Occurrences
}

// GrammarConfig says what a record looks like.
type GrammarConfig struct {
	Marks     bool   `yaml:"marks" json:"marks"`           // sections end with marks: </covar> </label> </code> </ts> </adm>
	Gap       string `yaml:"gap" json:"gap"`               // First: a row begins with its gap; Last: it ends with it
	OwnOffset bool   `yaml:"own_offset" json:"own_offset"` // the first row of a visit has tokens of its own for the minutes since the visit began
	Since     bool   `yaml:"since" json:"since"`           // a visit begins with the time since the previous discharge
	Stay      bool   `yaml:"stay" json:"stay"`             // a visit ends with the time from its last row to the discharge
}

// The words of a Config.
const (
	Quantile    = "quantile"
	Relative    = "relative"
	Uniform     = "uniform"
	Learned     = "learned"
	Flat        = "flat"
	Patients    = "patients"
	Occurrences = "occurrences"
	First       = "first"
	Last        = "last"
	InChunks    = "chunk"
	CutOff      = "cut"
)

// maxKnots is the most knots a bin may have: what the sampler of the core provides for.
const maxKnots = 8

// DefaultConfig is the tokenizer this project recommends. Every code seen in training has a token (min_count 1), so nothing
// of the training split is lost; a higher count keeps codes of single patients out of the vocabulary and out of synthetic
// records, at the price of their events.
func DefaultConfig() Config {
	values := Binning{
		Method: Quantile, Bins: 32, MinCount: 5, DistinctPerBin: 1, AtomShare: 1.5,
		Tails: []float64{0.001, 0.01, 0.99, 0.999}, Density: Learned, Knots: maxKnots,
	}
	times := values
	times.Bins = 64 // there are five of them, every row says one, and a clock adds up their errors
	times.Method, times.Tails = Relative, []float64{}
	return Config{
		Values: values, Times: times,
		Edges: map[string][]float64{}, TimeEdges: map[string][]float64{},
		Codes:    CodeRule{MinCount: 1, Count: Patients},
		Grammar:  GrammarConfig{Gap: First, OwnOffset: true, Since: true, Stay: true},
		Overflow: InChunks, Context: 1024, Visits: 16,
	}
}

// Validate returns a *fault.Usage that names the first setting that makes no sense.
func (c *Config) Validate() error {
	for _, b := range []struct {
		name string
		*Binning
	}{{"values", &c.Values}, {"times", &c.Times}} {
		if err := b.validate("token." + b.name); err != nil {
			return err
		}
	}
	for _, edges := range []map[string][]float64{c.Edges, c.TimeEdges} {
		for _, name := range sortedKeys(edges) {
			if !ascending(edges[name]) {
				return fault.Usagef("token: the edges of %q must be two or more finite numbers in ascending order", name)
			}
		}
	}
	for _, name := range sortedKeys(c.TimeEdges) {
		if !slices.Contains(timeNames[:], name) {
			return fault.Usagef("token.time_edges: unknown time %q; the nearest known one is %q", name, fault.Nearest(name, timeNames[:]))
		}
	}
	return c.validateGrammar()
}

func (c *Config) validateGrammar() error {
	g := &c.Grammar
	switch {
	case c.Codes.MinCount < 1:
		return fault.Usagef("token.codes.min_count is %d, expected 1 or more", c.Codes.MinCount)
	case c.Codes.Count != Patients && c.Codes.Count != Occurrences:
		return fault.Usagef("token.codes.count is %q, expected %q or %q", c.Codes.Count, Patients, Occurrences)
	case g.Gap != First && g.Gap != Last:
		return fault.Usagef("token.grammar.gap is %q, expected %q or %q", g.Gap, First, Last)
	case !g.Marks && !g.Since && !g.Stay:
		return fault.Usagef("token.grammar: nothing tells one visit from the next, expected marks, since or stay to be true")
	case c.Overflow != InChunks && c.Overflow != CutOff:
		return fault.Usagef("token.overflow is %q, expected %q or %q", c.Overflow, InChunks, CutOff)
	case c.Overflow == InChunks && !g.Since:
		return fault.Usagef("token.overflow is %q, which needs token.grammar.since to be true: a chunk header counts the visits by it", InChunks)
	case c.Context < 2 || c.Context > math.MaxInt32:
		return fault.Usagef("token.context is %d, expected 2 or more", c.Context)
	case c.Visits < 1 || c.Visits > 1<<16:
		return fault.Usagef("token.visits is %d, expected 1 to 65536", c.Visits)
	}
	return nil
}

func (b *Binning) validate(name string) error {
	switch {
	case b.Method != Quantile && b.Method != Relative && b.Method != Uniform:
		return fault.Usagef("%s.method is %q, expected %q, %q or %q", name, b.Method, Quantile, Relative, Uniform)
	case b.Bins < 1 || b.Bins > 4096:
		return fault.Usagef("%s.bins is %d, expected 1 to 4096", name, b.Bins)
	case b.MinCount < 1:
		return fault.Usagef("%s.min_count is %d, expected 1 or more", name, b.MinCount)
	case b.DistinctPerBin < 1:
		return fault.Usagef("%s.distinct_per_bin is %d, expected 1 or more", name, b.DistinctPerBin)
	case !(b.AtomShare > 0) || math.IsInf(b.AtomShare, 0):
		return fault.Usagef("%s.atom_share is %g, expected a positive number", name, b.AtomShare)
	case b.Density != Learned && b.Density != Flat:
		return fault.Usagef("%s.density is %q, expected %q or %q", name, b.Density, Learned, Flat)
	case b.Knots < 2 || b.Knots > maxKnots:
		return fault.Usagef("%s.knots is %d, expected 2 to %d", name, b.Knots, maxKnots)
	}
	for _, t := range b.Tails {
		if !(t > 0 && t < 1) {
			return fault.Usagef("%s.tails holds %g, expected probabilities between 0 and 1", name, t)
		}
	}
	if !slices.IsSorted(b.Tails) {
		return fault.Usagef("%s.tails is not in ascending order", name)
	}
	return nil
}

func ascending(edges []float64) bool {
	for i, e := range edges {
		if math.IsNaN(e) || math.IsInf(e, 0) || i > 0 && e <= edges[i-1] {
			return false
		}
	}
	return len(edges) >= 2
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
