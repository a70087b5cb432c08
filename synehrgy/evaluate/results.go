// Package evaluate measures how faithful, how useful and how private a synthetic cohort is. Every number stands beside its
// ceiling (held-out real patients in the place of the synthetic ones), beside two controls whose verdict is known
// beforehand (independent marginals, a copy of the training set), and inside a bootstrap interval over patients.
package evaluate

// Results is everything an evaluation found, in the order in which a person should read it. It is written as results.json.
type Results struct {
	Format   int       `json:"format"` // 1
	Source   string    `json:"source"` // ehr.Schema.Source of the cohorts
	Seed     uint64    `json:"seed"`
	Cohorts  []Size    `json:"cohorts"`
	Systems  []System  `json:"systems"` // what is judged, in the order of Metric.Scores
	Sections []Section `json:"sections"`
	Verdicts []Verdict `json:"verdicts"`
}

// Size says how large a cohort of the evaluation is.
type Size struct {
	Role     string `json:"role"` // "train", "held_out", "synthetic"
	Patients int    `json:"patients"`
	Visits   int    `json:"visits"`
	Events   int    `json:"events"`
}

// System is one candidate that took the place of the synthetic cohort.
type System struct {
	ID    string `json:"id"` // "synthetic", "ceiling", "independent", "copy"
	Title string `json:"title"`
	About string `json:"about"`
}

// The candidates of every table.
const (
	Synthetic   = "synthetic"   // what is being judged
	Ceiling     = "ceiling"     // held-out real patients: the best a generator can do without copying
	Independent = "independent" // every field drawn from its own marginal: what no model at all achieves
	Copy        = "copy"        // the training patients themselves: perfect fidelity, no privacy
)

// Section is one group of metrics: "codes", "values", "missingness", "records", "utility", "privacy".
type Section struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	About   string   `json:"about"`
	Metrics []Metric `json:"metrics"`
	Figures []Figure `json:"figures,omitempty"`
}

// Ledger says whether a metric is reproduced as published, with its flaws, or is one to rely on.
type Ledger string

// The ledgers.
const (
	Published  Ledger = "published"
	Corrected  Ledger = "corrected"
	Diagnostic Ledger = "diagnostic"
)

// Direction says which values of a metric are good.
type Direction string

// The directions.
const (
	Higher Direction = "higher"
	Lower  Direction = "lower"
	Target Direction = "target" // close to Metric.Ideal
)

// Metric is one number about every system.
type Metric struct {
	ID     string    `json:"id"` // stable: "codes.unigram_r2"
	Title  string    `json:"title"`
	About  string    `json:"about"` // the formula, in words and symbols, with coefficient, threshold, distance and tie rule
	Ledger Ledger    `json:"ledger"`
	Better Direction `json:"better"`
	Ideal  float64   `json:"ideal"`
	Scores []Score   `json:"scores"` // as Results.Systems
}

// Score is the value of a metric for one system.
type Score struct {
	System string   `json:"system"`
	Value  *float64 `json:"value"` // nil: undefined, Note says why
	Low    *float64 `json:"low"`   // 95 % bootstrap interval over patients
	High   *float64 `json:"high"`
	Note   string   `json:"note,omitempty"`
}

// Figure is data for one picture; the report draws it.
type Figure struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	About  string   `json:"about"`
	Kind   string   `json:"kind"` // "scatter", "lines", "bars", "heatmap"
	XLabel string   `json:"x_label"`
	YLabel string   `json:"y_label"`
	Log    bool     `json:"log,omitempty"`    // both axes logarithmic (scatter)
	Labels []string `json:"labels,omitempty"` // categories of a bar chart, rows and columns of a heat map
	Series []Series `json:"series"`
}

// Series is one line, cloud or set of bars of a figure. A heat map has one series whose Y is the matrix, row by row.
type Series struct {
	Name string    `json:"name"`
	X    []float64 `json:"x,omitempty"`
	Y    []float64 `json:"y"`
}

// Verdict is one sentence a reader may rely on, with what it rests on.
type Verdict struct {
	ID     string `json:"id"`    // "privacy.nearest_neighbour", "control.planted_copies", "fidelity.codes"
	State  string `json:"state"` // "pass", "warn", "fail", "blind" (the audit could not have seen it)
	Text   string `json:"text"`
	Metric string `json:"metric,omitempty"`
}
