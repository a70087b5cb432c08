package evaluate

// Run: check the cohorts, draw the sets, walk the sections, sum up.

import (
	"context"
	"log/slog"
	"runtime"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Input is the cohorts of an evaluation, under one schema: the patients a generator was trained on, real patients it never
// saw, and what it made.
type Input struct {
	Train, HeldOut, Synthetic *ehr.Cohort
}

// Options of an evaluation. The results depend on Seed, Bootstrap, AuditPatients and what Trees computes, never on Threads.
type Options struct {
	Seed          uint64
	Bootstrap     int        // replicates behind every interval; 0 is 200
	AuditPatients int        // most patients on each side of a privacy audit (time and memory grow with its square); 0 is 5000
	Threads       int        // 0 is one for each processor
	Trees         Trees      // nil: no utility section values, and a note that says so
	Neighbours    Neighbours // nil: PlainNeighbours
	Logger        *slog.Logger
	Progress      func(done, total int, what string) // called before each stage and after the last
}

// defaultBootstrap replicates give a 95 % interval five replicates beyond each end.
const defaultBootstrap = 200

func (o Options) filled() Options {
	if o.Bootstrap <= 0 {
		o.Bootstrap = defaultBootstrap
	}
	if o.AuditPatients <= 0 {
		o.AuditPatients = auditPatients
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Neighbours == nil {
		o.Neighbours = PlainNeighbours(o.Threads)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(int, int, string) {}
	}
	return o
}

// Run evaluates a synthetic cohort. A metric that the cohorts do not allow is undefined in the results and says why. The
// errors are fault.Usage for cohorts that cannot be compared, those of Trees and Neighbours, and the context's.
func Run(ctx context.Context, in Input, opt Options) (*Results, error) {
	opt = opt.filled()
	if err := in.check(); err != nil {
		return nil, err
	}
	r := newRoles(in, opt.Seed)
	p := newPanel(r.schema, r.train, r.heldOut, r.synthetic, r.independent, opt.Seed, opt.Bootstrap)
	var privacy *privacyFindings
	stages := []struct {
		what string
		do   func() (*chapter, error)
	}{
		{"codes", func() (*chapter, error) { return codesSection(ctx, p, opt.Threads) }},
		{"values", func() (*chapter, error) { return valuesSection(ctx, p, opt.Threads) }},
		{"missingness", func() (*chapter, error) { return missingnessSection(ctx, p, opt.Threads) }},
		{"records", func() (*chapter, error) { return recordsSection(ctx, p, opt.Threads) }},
		{"utility", func() (*chapter, error) { return utilitySection(ctx, r, &opt) }},
		{"privacy", func() (c *chapter, err error) { c, privacy, err = privacySection(ctx, r, &opt); return c, err }},
	}
	out := &Results{Format: 1, Source: r.schema.Source, Seed: opt.Seed, Systems: systemTable[:],
		Cohorts: []Size{sizeOf("train", in.Train), sizeOf("held_out", in.HeldOut), sizeOf("synthetic", in.Synthetic)}}
	chapters := map[string]*chapter{}
	for i, s := range stages {
		opt.Progress(i, len(stages), s.what)
		c, err := s.do()
		if err != nil {
			return nil, err
		}
		opt.Logger.DebugContext(ctx, "evaluated", "section", s.what, "metrics", len(c.findings))
		chapters[s.what] = c
		out.Sections = append(out.Sections, c.closed())
	}
	out.Verdicts = verdicts(chapters, privacy)
	opt.Progress(len(stages), len(stages), "done")
	return out, nil
}

func sizeOf(role string, c *ehr.Cohort) Size {
	return Size{Role: role, Patients: len(c.Patients), Visits: c.Visits(), Events: c.Events()}
}

// newRoles shuffles each cohort and draws the patients of the independent marginals.
func newRoles(in Input, seed uint64) *roles {
	r := &roles{
		schema:    &in.Train.Schema,
		train:     shuffled(in.Train, seed, "train"),
		heldOut:   shuffled(in.HeldOut, seed, "held-out"),
		synthetic: shuffled(in.Synthetic, seed, "synthetic"),
	}
	most := min(len(r.synthetic), max(len(r.train), len(r.heldOut)))
	independent := SampleIndependent(in.Train, most, seed)
	for i := range independent.Patients {
		r.independent = append(r.independent, &independent.Patients[i])
	}
	return r
}

func (in Input) check() error {
	for _, c := range []struct {
		role   string
		cohort *ehr.Cohort
	}{{"training", in.Train}, {"held-out", in.HeldOut}, {"synthetic", in.Synthetic}} {
		if c.cohort == nil || len(c.cohort.Patients) == 0 {
			return fault.Usagef("the %s cohort holds no patient; an evaluation needs at least one training, one held-out and one synthetic patient", c.role)
		}
		if what := difference(&in.Train.Schema, &c.cohort.Schema); what != "" {
			return fault.Usagef("the %s cohort has other %s than the training cohort; an evaluation needs cohorts of one schema", c.role, what)
		}
		s := relaxed(&c.cohort.Schema)
		for i := range c.cohort.Patients {
			if err := s.Check(&c.cohort.Patients[i]); err != nil {
				return fault.Usagef("patient %d of the %s cohort does not fit its schema: %v", i+1, c.role, err)
			}
		}
	}
	return nil
}

// difference names the part in which two schemas differ, or "". Ranges, units and titles may differ.
func difference(a, b *ehr.Schema) string {
	same := func(x, y ehr.Variable) bool {
		return x.Name == y.Name && x.Kind == y.Kind && slices.Equal(x.Categories, y.Categories)
	}
	switch {
	case !slices.EqualFunc(a.Covariates, b.Covariates, same):
		return "covariates"
	case !slices.Equal(a.Labels, b.Labels) || a.Mortality != b.Mortality:
		return "labels"
	case !slices.Equal(a.Systems, b.Systems):
		return "code systems"
	case !slices.EqualFunc(a.Variables, b.Variables, same):
		return "variables"
	}
	return ""
}

// relaxed is a schema without ranges. What fits it has the order and the indices that the metrics rely on; values outside
// their range pass, for to count them is one of the metrics.
func relaxed(s *ehr.Schema) *ehr.Schema {
	out := *s
	out.Covariates, out.Variables = unbounded(s.Covariates), unbounded(s.Variables)
	return &out
}

func unbounded(defs []ehr.Variable) []ehr.Variable {
	out := make([]ehr.Variable, len(defs))
	for i, d := range defs {
		out[i] = ehr.Variable{Name: d.Name, Kind: ehr.Number}
	}
	return out
}
