package train

import "math"

// Decay is how the learning rate falls after the warm-up.
type Decay string

// The ways of falling.
const (
	Cosine   Decay = "cosine"
	Linear   Decay = "linear"
	Constant Decay = "constant" // not at all
)

// Schedule is the learning rate as a function of the step.
type Schedule struct {
	Peak   float64
	Final  float64 // where it ends, as a part of Peak
	Warmup int     // steps
	Total  int     // steps of the whole run
	Decay  Decay
}

// Rate is the learning rate of step s, counted from 0:
//
//	s < Warmup   Peak (s + 1) / Warmup
//	cosine       Peak (Final + (1 - Final) (1 + cos(pi p)) / 2)
//	linear       Peak (Final + (1 - Final) (1 - p))
//	constant     Peak
//
// where p = (s - Warmup) / (Total - Warmup) is the part of the decay that is over, at most 1.
func (c Schedule) Rate(s int64) float64 {
	if s < int64(c.Warmup) {
		return c.Peak * float64(s+1) / float64(c.Warmup)
	}
	p := 1.0
	if c.Total > c.Warmup {
		p = min(1, float64(s-int64(c.Warmup))/float64(c.Total-c.Warmup))
	}
	switch c.Decay {
	case Cosine:
		return c.Peak * (c.Final + (1-c.Final)*(1+math.Cos(math.Pi*p))/2)
	case Linear:
		return c.Peak * (c.Final + (1-c.Final)*(1-p))
	}
	return c.Peak
}
