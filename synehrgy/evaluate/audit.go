package evaluate

// The audits of one suspect: nearest distances, and what they say about members and non-members.
//
// Resampling weighs people. The membership attack is judged given the release, so its distances stay as they are. Adversarial
// accuracy compares with sets that are samples themselves: there a replicate looks for the nearest of the people it drew,
// among the ten nearest of all (one of them is drawn but for a chance of e^-10). With distances held fixed the interval
// of the privacy loss comes out too narrow by a third to a half, and independent marginals are called a leak.

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// audited is the outcome.
type audited struct {
	auroc, tpr     estimate // membership attack
	loss, accuracy estimate // NNAA
	copied, copies estimate // exact copies, as share of the members (less others) and of the release
	closer         estimate // DCR share
	rocX, rocY     []float64
}

func unaudited(why string) *audited {
	u := undefined(why)
	return &audited{auroc: u, tpr: u, loss: u, accuracy: u, copied: u, copies: u, closer: u}
}

// searcher finds nearest distances and remembers them: the same two clouds meet in several audits.
type searcher struct {
	engine  Neighbours
	threads int
	done    map[search]nearby
}

type search struct {
	query, base   *cloud
	queries, rows int
	self          bool
}

func newSearcher(engine Neighbours, threads int) *searcher {
	return &searcher{engine, threads, map[search]nearby{}}
}

// neighboursKept is how many neighbours of each patient a replicate can choose from.
const neighboursKept = 10

// nearby is the nearest patients of each patient, nearest first: squared distances and indices, [patients][neighboursKept],
// +Inf and -1 where there are no more.
type nearby struct {
	d     [][neighboursKept]float64
	index [][neighboursKept]int32
}

// first is the distance of patient i to the nearest of all.
func (n *nearby) first(i int) float64 { return n.d[i][0] }

// drawn is the distance of patient i to the nearest that the weights hold, or the farthest kept when they hold none.
func (n *nearby) drawn(i int, w []uint16) float64 {
	last := math.Inf(1)
	for k, j := range n.index[i] {
		if j < 0 {
			break
		}
		if last = n.d[i][k]; w[j] > 0 {
			break
		}
	}
	return last
}

// nearest finds the neighbours of the first queries patients of one cloud among the first rows patients of the other; self
// leaves each patient itself out. The engine names the neighbours and the distances are summed again here in double
// precision, so a tie is a tie and a copy is at 0 whatever the engine's arithmetic.
func (s *searcher) nearest(ctx context.Context, query, base *cloud, queries, rows int, self bool) (nearby, error) {
	key := search{query, base, queries, rows, self}
	if n, ok := s.done[key]; ok {
		return n, nil
	}
	q := Matrix{queries, query.points.Cols, query.points.Data[:queries*query.points.Cols]}
	b := Matrix{rows, base.points.Cols, base.points.Data[:rows*base.points.Cols]}
	_, index, err := s.engine.Nearest(ctx, q, b, neighboursKept, self)
	if err != nil {
		return nearby{}, err
	}
	if len(index) != queries*neighboursKept {
		return nearby{}, fmt.Errorf("%d neighbours for %d patients, expected %d for each", len(index), queries, neighboursKept)
	}
	n := nearby{make([][neighboursKept]float64, queries), make([][neighboursKept]int32, queries)}
	err = parallel(ctx, s.threads, queries, func(i int) error {
		list := newShortlist(neighboursKept)
		own := index[i*neighboursKept : (i+1)*neighboursKept]
		slices.Sort(own) // so that equal distances stay with the lower index
		for _, j := range own {
			if j >= 0 {
				if d := squaredDistance(q.Row(i), b.Row(int(j)), math.Inf(1)); d < list.worst() {
					list.insert(d, j)
				}
			}
		}
		copy(n.d[i][:], list.d)
		copy(n.index[i][:], list.index)
		return nil
	})
	if err != nil {
		return nearby{}, err
	}
	s.done[key] = n
	return n, nil
}

func (s *suspect) audit(ctx context.Context, find *searcher) (*audited, error) {
	if s.failure != "" {
		return unaudited(s.failure), nil
	}
	a := &audited{}
	if err := a.attack(ctx, s, find); err != nil {
		return nil, err
	}
	if err := a.adversarial(ctx, s, find); err != nil {
		return nil, err
	}
	a.count(s)
	return a, nil
}

// attack is the membership attack by the nearest released patient.
func (a *audited) attack(ctx context.Context, s *suspect, find *searcher) error {
	var score []float64
	var member []bool
	var patient []int32
	for _, side := range []*cloud{s.members, s.others} {
		near, err := find.nearest(ctx, side, s.released, side.size(), s.released.size(), false)
		if err != nil {
			return err
		}
		for i := range side.size() {
			score, member, patient = append(score, -near.first(i)), append(member, side == s.members), append(patient, int32(i))
		}
	}
	r := ranking(score, member, patient)
	w, v := s.members.weights, s.others.weights
	a.auroc = estimated(len(w), "", func(b int) float64 { return r.auroc(w[b], v[b]) })
	a.tpr = estimated(len(w), "", func(b int) float64 { return r.tprAt(attackFPR, w[b], v[b]) })
	a.rocX, a.rocY = r.roc(w[0], v[0])
	return nil
}

// adversarial is nearest neighbour adversarial accuracy and what follows from its distances, on equal numbers.
func (a *audited) adversarial(ctx context.Context, s *suspect, find *searcher) error {
	n := min(s.members.size(), s.others.size(), s.released.size())
	if n < 2 {
		why := undefined("fewer than two patients on a side")
		a.loss, a.accuracy, a.closer = why, why, why
		return nil
	}
	meet, err := meetAll(ctx, s, find, n)
	if err != nil {
		return err
	}
	rows := len(s.members.weights)
	member, other, closer := make([]float64, rows), make([]float64, rows), make([]float64, rows)
	for b := range rows {
		w, v, u := s.members.weights[b][:n], s.others.weights[b][:n], s.released.weights[b][:n]
		member[b] = accuracy(meet.fromMembers.exceeds(u, &meet.amongMembers, w), meet.toMembers.exceeds(w, &meet.among, u), w, u)
		other[b] = accuracy(meet.fromOthers.exceeds(u, &meet.amongOthers, v), meet.toOthers.exceeds(v, &meet.among, u), v, u)
		closer[b] = weightedMean(meet.toOthers.exceeds(v, &meet.toMembers, w), u)
	}
	a.accuracy, a.closer = fromRows(member, ""), fromRows(closer, "")
	a.loss = estimated(rows, "", func(b int) float64 { return other[b] - member[b] })
	return nil
}

// meetings is who is nearest to whom among n members, n others and n released patients.
type meetings struct {
	fromMembers, fromOthers          nearby // to the released
	toMembers, toOthers              nearby // from the released
	among, amongMembers, amongOthers nearby // each patient itself left out
}

func meetAll(ctx context.Context, s *suspect, find *searcher, n int) (m meetings, err error) {
	for _, one := range []struct {
		to          *nearby
		query, base *cloud
		self        bool
	}{
		{&m.fromMembers, s.members, s.released, false}, {&m.fromOthers, s.others, s.released, false},
		{&m.toMembers, s.released, s.members, false}, {&m.toOthers, s.released, s.others, false},
		{&m.among, s.released, s.released, true}, {&m.amongMembers, s.members, s.members, true}, {&m.amongOthers, s.others, s.others, true},
	} {
		if *one.to, err = find.nearest(ctx, one.query, one.base, n, n, one.self); err != nil {
			return m, err
		}
	}
	return m, nil
}

// exceeds is, for each patient, 1 where the nearest that w holds is farther than the nearest of the other search that v
// holds, 1/2 where they are equally far, 0 else.
func (n *nearby) exceeds(w []uint16, o *nearby, v []uint16) []float64 {
	out := make([]float64, len(n.d))
	for i := range out {
		switch a, b := n.drawn(i, w), o.drawn(i, v); {
		case a > b:
			out[i] = 1
		case a == b:
			out[i] = 0.5
		}
	}
	return out
}

// accuracy is AA, from who of one side and who of the release is farther from the other set than from the own.
func accuracy(side, released []float64, sideWeights, releasedWeights []uint16) float64 {
	return (weightedMean(side, sideWeights) + weightedMean(released, releasedWeights)) / 2
}

func weightedMean(x []float64, w []uint16) float64 {
	sum, n := 0.0, 0.0
	for i, v := range x {
		sum += v * float64(w[i])
		n += float64(w[i])
	}
	return sum / n
}

// count counts exact copies.
func (a *audited) count(s *suspect) {
	released, members := printsOf(s.released), printsOf(s.members)
	member, other, twin := among(s.members, released), among(s.others, released), among(s.released, members)
	w, v, u := s.members.weights, s.others.weights, s.released.weights
	a.copied = estimated(len(w), "", func(b int) float64 { return weightedMean(member, w[b]) - weightedMean(other, v[b]) })
	a.copies = estimated(len(u), "", func(b int) float64 { return weightedMean(twin, u[b]) })
}

func printsOf(c *cloud) map[[32]byte]bool {
	set := make(map[[32]byte]bool, len(c.prints))
	for _, p := range c.prints {
		set[p] = true
	}
	delete(set, [32]byte{}) // the patients without events
	return set
}

// among is 1 for each patient whose record is in the set, else 0.
func among(c *cloud, set map[[32]byte]bool) []float64 {
	out := make([]float64, c.size())
	for i, p := range c.prints {
		if set[p] {
			out[i] = 1
		}
	}
	return out
}
