package token

import (
	"math"
	"slices"
)

// This file cuts a sample into bins by what it holds.
//
// Values that hold much of the mass (atoms) and narrow bins in the tails are set apart first. Quantile: the bins that are
// left are dealt out to the stretches between by mass, and each stretch is cut into bins of nearly equal mass. Relative: see
// relative.

func fitQuantile(h *histogram, rule *Binning) Bins {
	groups := h.group(h.mostBins(rule), rule) // group g is values[groups[g]:groups[g+1]]
	b := Bins{Low: h.values[0]}
	for g := range len(groups) - 1 {
		last := h.values[groups[g+1]-1]
		if g == len(groups)-2 {
			b.Upper = append(b.Upper, last)
			break
		}
		// Numbers that training did not hold: an atom takes none of them from a neighbour that is none.
		next := h.values[groups[g+1]]
		switch this, that := isAtom(groups, g), isAtom(groups, g+1); {
		case this && !that:
			b.Upper = append(b.Upper, last)
		case that && !this:
			b.Upper = append(b.Upper, next-1)
		default:
			b.Upper = append(b.Upper, last+(next-last)/2)
		}
	}
	return b
}

// group cuts the values into at most bins groups and returns their limits.
func (h *histogram) group(bins int, rule *Binning) []int {
	if len(h.values) <= bins {
		limits := make([]int, len(h.values)+1)
		for i := range limits {
			limits[i] = i
		}
		return limits
	}
	stretches := h.stretches(bins, rule)
	if rule.Method == Relative {
		return h.relative(stretches, bins, rule.MinCount)
	}
	deal := h.deal(stretches, bins)
	limits := []int{0}
	for s, n := range deal {
		limits = h.split(limits, stretches[s], stretches[s+1], n)
	}
	return limits
}

// stretches returns the limits that atoms and tails force, at most bins stretches. Where that is too many the tails are given
// up first, then the lightest atoms.
func (h *histogram) stretches(bins int, rule *Binning) []int {
	var atoms []int
	for i := range h.values {
		if float64(h.mass(i, i+1)) > rule.AtomShare/float64(bins)*float64(h.size()) {
			atoms = append(atoms, i)
		}
	}
	slices.SortStableFunc(atoms, func(a, b int) int { return h.mass(b, b+1) - h.mass(a, a+1) })
	tails := h.tails(rule)
	for {
		limits := append([]int{0, len(h.values)}, tails...)
		for _, a := range atoms {
			limits = append(limits, a, a+1)
		}
		slices.Sort(limits)
		limits = slices.Compact(limits)
		switch {
		case len(limits)-1 <= bins:
			return limits
		case len(tails) > 0:
			tails = nil
		default:
			atoms = atoms[:len(atoms)-1]
		}
	}
}

// tails returns the limits at the tail probabilities that leave enough values on their far side and between each other.
func (h *histogram) tails(rule *Binning) []int {
	var limits []int
	from := 0
	for _, p := range rule.Tails {
		if p >= 0.5 {
			break
		}
		if to := h.indexOf(h.most(p)) + 1; to < len(h.values) && h.most(p) >= rule.MinCount && h.mass(from, to) >= rule.MinCount {
			limits = append(limits, to)
			from = to
		}
	}
	to := len(h.values)
	for _, p := range slices.Backward(rule.Tails) {
		if p < 0.5 {
			break
		}
		far := h.most(1 - p)
		if far < rule.MinCount {
			continue
		}
		if at := h.indexOf(h.size() - 1 - far); at > from && h.mass(at, to) >= rule.MinCount {
			limits = append(limits, at)
			to = at
		}
	}
	return limits
}

// deal gives every stretch one bin and the others, one by one, to the stretch with the most mass a bin that can still be cut.
func (h *histogram) deal(stretches []int, bins int) []int {
	deal := make([]int, len(stretches)-1)
	for s := range deal {
		deal[s] = 1
	}
	for range bins - len(deal) {
		best, most := -1, -1.0
		for s, n := range deal {
			mass := float64(h.mass(stretches[s], stretches[s+1])) / float64(n)
			if n < stretches[s+1]-stretches[s] && mass > most {
				best, most = s, mass
			}
		}
		if best < 0 {
			break
		}
		deal[best]++
	}
	return deal
}

// split appends the limits of n groups of nearly equal mass within values[from:to].
func (h *histogram) split(limits []int, from, to, n int) []int {
	for start := from; n > 1; n-- {
		target := h.before[start] + h.mass(start, to)/n
		end := max(upperBound(h.before, target)-1, start+1) // before[end] <= target
		if end < to && h.before[end+1]-target < target-h.before[end] {
			end++
		}
		end = min(end, to-(n-1)) // the groups to come need a value each
		limits = append(limits, end)
		start = end
	}
	return append(limits, to)
}

// relative cuts, again and again, the group in which mass times spread is greatest, where that makes the two parts most equal.
// It is meant for times: a clock adds up the errors of its gaps, and one gap of days drawn from a bin without end outweighs
// thousands of minutes. No part gets fewer than least values.
func (h *histogram) relative(limits []int, bins, least int) []int {
	limits = slices.Clone(limits)
	type candidate struct {
		cost float64
		cut  int
	}
	weigh := func(from, to int) candidate { return candidate{h.cost(from, to), h.balance(from, to, least)} }
	var groups []candidate
	for g := range len(limits) - 1 {
		groups = append(groups, weigh(limits[g], limits[g+1]))
	}
	for len(groups) < bins {
		worst := -1
		for g, c := range groups {
			if c.cut > 0 && (worst < 0 || c.cost > groups[worst].cost) {
				worst = g
			}
		}
		if worst < 0 {
			break
		}
		limits = slices.Insert(limits, worst+1, groups[worst].cut)
		groups[worst] = weigh(limits[worst], limits[worst+1])
		groups = slices.Insert(groups, worst+1, weigh(limits[worst+1], limits[worst+2]))
	}
	return limits
}

// balance returns where cutting values[from:to] leaves the lesser of the greater costs, 0 where it cannot be cut.
func (h *histogram) balance(from, to, least int) int {
	best, lowest := 0, math.Inf(1)
	for cut := from + 1; cut < to; cut++ {
		if h.mass(from, cut) < least || h.mass(cut, to) < least {
			continue
		}
		if cost := max(h.cost(from, cut), h.cost(cut, to)); cost < lowest {
			best, lowest = cut, cost
		}
	}
	return best
}

// cost is the mass of values[from:to] times their spread: the distance of the least and the greatest on a scale that is
// linear up to an hour and logarithmic beyond.
func (h *histogram) cost(from, to int) float64 {
	scale := func(q int64) float64 { return math.Asinh(float64(q) / 60) }
	return float64(h.mass(from, to)) * (scale(h.values[to-1]) - scale(h.values[from]))
}
