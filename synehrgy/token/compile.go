package token

import (
	"math"
	"slices"
)

// This file compiles the grammar and the vocabulary to Tables.

// states returns the places a record can be in, atStart first, in the order in which they are found.
func (g *grammar) states() []place {
	found := []place{atStart}
	for i := 0; i < len(found); i++ {
		for c := range class(classCount) {
			if q := g.next(found[i], c); q != nowhere && !slices.Contains(found, q) {
				found = append(found, q)
			}
		}
	}
	return found
}

// compile makes the tables. Those for a generator leave out the tokens that stand for nothing in particular.
func (v *Vocabulary) compile(states []place, generation bool) *Tables {
	n := len(states)
	t := &Tables{
		Vocab: v.Size(), States: n, Classes: int(classCount),
		Start: 0, Done: int16(slices.Index(states, done)), StartToken: v.first.mark[kindStart],
		Rule: slices.Clone(classRule[:]), Role: slices.Clone(classRole[:]),
		Next: make([]int16, n*int(classCount)), Forget: make([]uint8, n*int(classCount)),
		ChunkToken: make([]int32, n), VisitToken0: v.first.visit, ElapsedToken0: v.first.elapsed,
	}
	for s, p := range states {
		for c := range class(classCount) {
			at := s*int(classCount) + int(c)
			t.Next[at] = int16(slices.Index(states, v.grammar.next(p, c)))
			if t.Next[at] >= 0 {
				t.Forget[at] = v.grammar.forget(c)
			}
		}
		t.ChunkToken[s] = -1
		if v.first.chunkState != nil {
			t.ChunkToken[s] = v.first.chunkState[s]
		}
	}
	if v.config.Overflow == InChunks {
		t.Visits, t.ElapsedEdges = int32(v.config.Visits), elapsedEdges
	}
	v.compileTokens(t, generation)
	t.Distance = t.distances()
	t.closeDeadEnds()
	return t
}

// closeDeadEnds forbids what leads to a state without a way out: a row, for instance, when training saw no second row and so
// no gap can end it.
func (t *Tables) closeDeadEnds() {
	for at, next := range t.Next {
		if next >= 0 && t.Distance[next] == math.MaxUint16 {
			t.Next[at], t.Forget[at] = -1, 0
		}
	}
}

func (v *Vocabulary) compileTokens(t *Tables, generation bool) {
	t.Class, t.Order = make([]uint16, t.Vocab), make([]int32, t.Vocab)
	t.Decimals, t.KnotStart = make([]int8, t.Vocab), make([]int32, 1, t.Vocab+1)
	for token, m := range v.meaning {
		t.Class[token], t.Order[token] = classOf(m), v.order(m)
		if f := v.fieldOf(m); f != nil {
			t.Knots = append(t.Knots, f.knots(int(m.bin))...)
			t.Decimals[token] = int8(f.decimals)
			if generation && !f.fitted() {
				t.Class[token] = NoClass
			}
		}
		if generation && m.kind == kindUnknownCode {
			t.Class[token] = NoClass
		}
		t.KnotStart = append(t.KnotStart, int32(len(t.Knots)))
	}
}

func classOf(m meaning) class {
	switch m.kind {
	case kindEnd:
		return classEnd
	case kindEndCovariates, kindEndLabels, kindEndCodes, kindEndRows, kindEndVisit:
		return classEndCovariates + class(m.kind-kindEndCovariates)
	case kindFirst:
		return classFirst
	case kindTime:
		return [timeCount]class{timeGap: classGap, timeOffset: classOffset, timeSince: classSince, timeRest: classRest, timeStay: classStay}[m.index]
	case kindCovariate:
		return classCovariate
	case kindLabel:
		return classLabel
	case kindVariable:
		return classValue
	case kindCode:
		return classCode
	case kindUnknownCode:
		return classUnknownCode
	}
	return NoClass // the start and the headers of chunks
}

// order numbers covariates, labels and variables through, so that the labels of a visit ascend after its covariates without
// anything having to be forgotten between them.
func (v *Vocabulary) order(m meaning) int32 {
	switch m.kind {
	case kindCovariate:
		return m.index
	case kindLabel:
		return int32(v.grammar.covariates) + m.index
	case kindVariable:
		return int32(v.grammar.covariates+v.grammar.labels) + m.index
	}
	return 0
}

// distances returns for every state the fewest tokens to Done, over classes that have a token.
func (t *Tables) distances() []uint16 {
	said := make([]bool, t.Classes)
	for _, c := range t.Class {
		if c != NoClass {
			said[c] = true
		}
	}
	distance := make([]uint16, t.States)
	for s := range distance {
		distance[s] = math.MaxUint16
	}
	distance[t.Done] = 0
	for changed := true; changed; {
		changed = false
		for at, next := range t.Next {
			s, c := at/t.Classes, at%t.Classes
			if next < 0 || !said[c] || distance[next] == math.MaxUint16 {
				continue
			}
			if d := distance[next] + 1; d < distance[s] {
				distance[s], changed = d, true
			}
		}
	}
	return distance
}
