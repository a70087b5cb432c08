package report

import (
	"fmt"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// life is where the visits of a patient lie, in days since the first one began.
type life struct {
	start, end []float64
	days       float64
	guessed    bool // a stay or a gap was unknown and is drawn as short as can be seen
}

const minutesPerDay = 24 * 60

// lifeline adds up stays and gaps. A stay that is not known lasts until the last row of the visit.
func lifeline(p *ehr.Patient) life {
	var l life
	now := 0.0
	for i := range p.Visits {
		v := &p.Visits[i]
		if i > 0 && v.SinceDischarge != ehr.Unknown {
			now += max(float64(v.SinceDischarge), 0) / minutesPerDay
		} else if i > 0 {
			l.guessed = true
		}
		stay := v.Stay
		if stay == ehr.Unknown {
			l.guessed = true
			stay = 0
			if n := len(v.Rows); n > 0 {
				stay = v.Rows[n-1].At
			}
		}
		l.start = append(l.start, now)
		now += max(float64(stay), 0) / minutesPerDay
		l.end = append(l.end, now)
	}
	l.days = now
	return l
}

// timeline draws all visits of a patient on one line from y down, marks the one that is shown below it, and returns where it
// ends.
func (s *scene) timeline(d *drawing, p *ehr.Patient, shown int, y float64) float64 {
	l := lifeline(p)
	unit, per := "days", 1.0
	switch {
	case s.days > 3*365.25:
		unit, per = "years", 365.25
	case s.days <= 3:
		unit, per = "hours", 1.0/24
	}
	text := "1 visit"
	if n := len(p.Visits); n != 1 {
		text = fmt.Sprintf("%d visits", n)
		if n > 0 {
			text += fmt.Sprintf(", number %d below", shown+1)
		}
	}
	if l.guessed {
		text += "; times not all known"
	}
	d.text("tick", "start", patientEdge, y, text)
	x := axis{0, s.days / per, false, patientEdge + 4, patientEdge + patientInner - 10}
	base := y + 26
	d.line("axis", x.from, base, x.to, base)
	for _, t := range x.ticks(5) {
		d.line("axis", t.at, base, t.at, base+3)
		d.below(t, base+15)
	}
	for i := range l.start {
		from, to := x.at(l.start[i]/per), x.at(l.end[i]/per)
		class := "visit"
		if i == shown {
			class = "visit shown"
		}
		d.rect(class, from, base-9, max(to-from, 3), 9, "")
		if i == shown && len(l.start) > 1 {
			d.path("pointer", fmt.Sprintf("M%s %sl-4 -6h8z", coordinate((from+max(to, from+3))/2), coordinate(base-11)))
		}
	}
	d.text("label", "end", patientEdge+patientInner, base+28, unit+" since the first visit")
	return base + 28
}
