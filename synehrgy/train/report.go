package train

import (
	"math"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
)

// This file tells how a run goes: to a person by Progress, to a file by lines of metrics.

// Progress is where a run is after a step.
type Progress struct {
	Step, Steps     int64
	Epoch           float64 // passes so far
	Loss            float64 // of the step, bits per token
	LearningRate    float64
	GradNorm        float64 // before clipping
	Skipped         bool    // the gradient was not finite and nothing was changed
	TokensPerSecond float64 // targets, over the last steps
	Left            time.Duration
	Best            Validation // zero before the first validation
}

// StepLine is the line of metrics of one step.
type StepLine struct {
	Type            string  `json:"type"` // "train"
	Step            int64   `json:"step"`
	Epoch           float64 `json:"epoch"`
	BitsPerToken    float64 `json:"bits_per_token"`
	LearningRate    float64 `json:"lr"`
	GradNorm        float64 `json:"grad_norm"` // 0 where it was not finite
	Skipped         bool    `json:"skipped"`
	TokensPerSecond float64 `json:"tokens_per_second"`
}

// ValidationLine is the line of metrics of one validation.
type ValidationLine struct {
	Type string `json:"type"` // "validation"
	Validation
	Best    bool `json:"best"`
	Stale   int  `json:"stale"`
	Stopped bool `json:"stopped"`
}

// clock measures the speed of the last steps, smoothed so that the remaining time does not jump.
type clock struct {
	began, last time.Time
	perStep     float64 // seconds
	perSecond   float64 // targets
}

func newClock() clock {
	now := time.Now()
	return clock{began: now, last: now}
}

// smoothing is the weight of the newest step in the mean.
const smoothing = 0.1

func (c *clock) step(targets int64) {
	now := time.Now()
	seconds := max(now.Sub(c.last).Seconds(), 1e-9)
	c.last = now
	if c.perStep == 0 {
		c.perStep, c.perSecond = seconds, float64(targets)/seconds
		return
	}
	c.perStep += smoothing * (seconds - c.perStep)
	c.perSecond += smoothing * (float64(targets)/seconds - c.perSecond)
}

// resume leaves out the time since the last step, which validation and checkpoints took.
func (c *clock) resume() { c.last = time.Now() }

// report tells of the step that was just taken.
func (r *run) report(u *engine.Update) error {
	if r.o.Progress == nil && r.o.Metrics == nil {
		return nil
	}
	s := &r.state
	p := Progress{
		Step: s.Step, Steps: int64(r.schedule.Total), Epoch: float64(s.Step) / float64(r.perEpoch), Loss: r.loss / math.Ln2,
		LearningRate: r.schedule.Rate(s.Step - 1), GradNorm: u.GradNorm, Skipped: u.Skipped, TokensPerSecond: r.clock.perSecond,
		Best: s.Best,
	}
	p.Left = time.Duration(float64(p.Steps-p.Step) * r.clock.perStep * float64(time.Second))
	if r.o.Progress != nil {
		r.o.Progress(p)
	}
	line := StepLine{
		Type: "train", Step: p.Step, Epoch: p.Epoch, BitsPerToken: p.Loss, LearningRate: p.LearningRate, GradNorm: p.GradNorm,
		Skipped: p.Skipped, TokensPerSecond: p.TokensPerSecond,
	}
	if math.IsNaN(line.GradNorm) || math.IsInf(line.GradNorm, 0) {
		line.GradNorm = 0 // JSON has no such number
	}
	return r.line(line)
}

func (r *run) line(v any) error {
	if r.o.Metrics == nil {
		return nil
	}
	return r.o.Metrics.Line(v)
}
