package generate

import (
	"math"
	"time"
)

// This file reports on a run: rates and means.

const reportEvery = 200 * time.Millisecond

// report tells the progress when enough time went by, or when always is set.
func (r *run) report(always bool) {
	now := time.Now()
	if r.o.Progress == nil || !always && now.Sub(r.reported) < reportEvery {
		return
	}
	r.reported = now
	seconds := now.Sub(r.started).Seconds()
	p := Progress{
		Done: r.stats.Patients, Patients: r.o.Patients, RecordsPerSecond: rate(float64(r.stats.Patients), seconds),
		TokensPerSecond: rate(float64(r.stats.Draws), seconds),
	}
	if r.stats.Draws > 0 && r.stats.Patients > 0 {
		p.Left = time.Duration(seconds / float64(p.Done) * float64(p.Patients-p.Done) * float64(time.Second))
	}
	r.o.Progress(p)
}

func (r *run) finish() Stats {
	s := &r.stats
	s.Seconds = time.Since(r.started).Seconds()
	s.RecordsPerSecond, s.TokensPerSecond = rate(float64(s.Patients), s.Seconds), rate(float64(s.Draws), s.Seconds)
	if n := float64(s.Measured); n > 0 {
		s.MaskedMass, s.BitsModel = r.mass/n, -r.nats[0]/n/math.Ln2
	}
	if n := float64(s.Draws); n > 0 {
		s.BitsMasked = -r.nats[1] / n / math.Ln2
	}
	return *s
}

func rate(n, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return n / seconds
}
