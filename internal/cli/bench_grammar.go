package cli

import "github.com/synehrgy/synehrgy-go/synehrgy/token"

// This file makes the grammars under which generation is timed.

// anyToken is the grammar of records in which any token may follow any other, until the last token of the vocabulary ends
// them at the length limit.
func anyToken(vocab int) *token.Tables {
	t := &token.Tables{
		Vocab: vocab, States: 2, Classes: 2, Start: 0, Done: 1,
		Class: make([]uint16, vocab), Order: make([]int32, vocab), Rule: make([]uint8, 2), Role: []uint8{token.RoleMark, token.RoleEnd},
		Next: []int16{0, 1, -1, -1}, Forget: make([]uint8, 4), Distance: []uint16{1, 0},
		KnotStart: make([]int32, vocab+1), Decimals: make([]int8, vocab), ChunkToken: []int32{-1, -1},
		Visits: 1,
	}
	t.Class[vocab-1] = 1
	return t
}

// The classes and states of hospitalRecords: the default grammar of package token, but that a visit has at most benchCodes
// codes, because a model that has learned nothing would go on with them for ever.
const (
	benchSince = iota
	benchCovariate
	benchLabel
	benchCode
	benchGap
	benchValue
	benchStay
	benchEnd
	benchClasses
)

const (
	benchStart = iota
	benchOpened
	benchLabels
	benchRowOpened
	benchInRow
	benchBetween
	benchDone
	benchFirstCode // a state for each code of a visit so far

	benchCodes  = 12
	benchStates = benchFirstCode + benchCodes
)

// The parts of the vocabulary that are not codes, about as large as in the published one: fields of some bins each.
var benchFields = []struct {
	class        uint16
	fields, bins int
}{
	{benchSince, 1, 15}, {benchCovariate, 2, 9}, {benchLabel, 13, 2}, {benchGap, 1, 15}, {benchValue, 41, 9}, {benchStay, 1, 2}, {benchEnd, 1, 1},
}

// hospitalRecords is the grammar of hospital records over a vocabulary whose tokens are for the most part codes, as those
// of real hospitals are. The vocabulary must have room for them; nil when it has not.
func hospitalRecords(vocab int) *token.Tables {
	t := &token.Tables{
		Vocab: vocab, States: benchStates, Classes: benchClasses, Start: benchStart, Done: benchDone,
		Rule: make([]uint8, benchClasses), Role: []uint8{
			token.RoleVisit, token.RoleCovariate, token.RoleLabel, token.RoleCode, token.RoleGap, token.RoleValue, token.RoleStay, token.RoleEnd,
		},
		Next: make([]int16, benchStates*benchClasses), Forget: make([]uint8, benchStates*benchClasses),
		Distance:  []uint16{benchStart: 3, benchOpened: 2, benchLabels: 2, benchRowOpened: 3, benchInRow: 2, benchBetween: 1, benchDone: 0},
		KnotStart: make([]int32, vocab+1), Decimals: make([]int8, vocab), ChunkToken: make([]int32, benchStates), Visits: 1,
	}
	t.Rule[benchCovariate], t.Rule[benchLabel], t.Rule[benchValue], t.Rule[benchCode] =
		token.RuleAscending, token.RuleAscending, token.RuleAscending, token.RuleUnique
	t.Class, t.Order = append(t.Class, token.NoClass), append(t.Order, 0) // the start
	order := int32(0)
	for _, part := range benchFields {
		for range part.fields {
			for range part.bins {
				t.Class, t.Order = append(t.Class, part.class), append(t.Order, order)
			}
			order++
		}
	}
	if len(t.Class) >= vocab {
		return nil
	}
	for len(t.Class) < vocab {
		t.Class, t.Order = append(t.Class, benchCode), append(t.Order, 0)
	}
	for i := range t.Next {
		t.Next[i] = -1
	}
	for i := range t.ChunkToken {
		t.ChunkToken[i] = -1
	}
	for range benchCodes {
		t.Distance = append(t.Distance, 2)
	}
	goes := func(to int16, class int, forget uint8, from ...int) {
		for _, s := range from {
			t.Next[s*benchClasses+class], t.Forget[s*benchClasses+class] = to, forget
		}
	}
	goes(benchOpened, benchSince, token.ForgetOrder|token.ForgetSeen, benchStart, benchBetween)
	goes(benchOpened, benchCovariate, 0, benchOpened)
	goes(benchLabels, benchLabel, 0, benchOpened, benchLabels)
	goes(benchFirstCode, benchCode, 0, benchOpened, benchLabels)
	for s := benchFirstCode; s < benchStates; s++ {
		if s+1 < benchStates {
			goes(int16(s+1), benchCode, 0, s)
		}
		goes(benchRowOpened, benchGap, token.ForgetOrder, s)
		goes(benchBetween, benchStay, 0, s)
	}
	goes(benchRowOpened, benchGap, token.ForgetOrder, benchOpened, benchLabels, benchInRow)
	goes(benchInRow, benchValue, 0, benchRowOpened, benchInRow)
	goes(benchBetween, benchStay, 0, benchOpened, benchLabels, benchInRow)
	goes(benchDone, benchEnd, 0, benchBetween)
	return t
}
