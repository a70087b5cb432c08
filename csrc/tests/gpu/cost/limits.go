package cost

import (
	"errors"
	"fmt"
	"strings"
)

// This file holds what is counted to limits that no page can move.

// What the kernels were built for, whatever the page says: an op that memory bounds touches at most mostTouched times the least
// bytes, no op asks for more than mostSectors times the sectors that its accesses need, and none of attention's has bank conflicts in
// shared memory. nearest has some, 1.093 times the wavefronts that would do: its rows of 64 bytes lie 80 apart, for the reads.
const (
	mostTouched = 1.2
	mostSectors = 2
)

func withinLimits(cases []counted) error {
	var problems []error
	for _, c := range cases {
		m, err := c.minimum()
		if err != nil {
			return err
		}
		sum := total(c.kernels)
		if touched := float64(sum.Read+sum.Written) / m.bytes(); touched > mostTouched && memoryBound(c.op) {
			problems = append(problems, fmt.Errorf("%s touches %.2f times the least bytes, at most %.1f are allowed", c.op, touched,
				mostTouched))
		}
		if sum.Sectors > mostSectors*sum.LeastSectors {
			problems = append(problems, fmt.Errorf("%s asks for %d sectors where %d would do, at most %d times as many are allowed",
				c.op, sum.Sectors, sum.LeastSectors, mostSectors))
		}
		if strings.HasPrefix(c.op, "attention_") && sum.Wavefronts > sum.LeastWavefronts {
			problems = append(problems, fmt.Errorf("%s needs %d wavefronts of shared memory where %d would do: it has bank conflicts", c.op,
				sum.Wavefronts, sum.LeastWavefronts))
		}
	}
	return errors.Join(problems...)
}

// memoryBound says whether bytes bound a call of the op at the published shape on one of the devices.
func memoryBound(op string) bool {
	for _, p := range published {
		c, err := parseCall(p.call)
		if err != nil || c.op != op {
			continue
		}
		m, err := c.minimum()
		for _, d := range devices {
			if _, arithmetic := d.bound(m); err == nil && !arithmetic {
				return true
			}
		}
	}
	return false
}
