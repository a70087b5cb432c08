package token

import (
	"fmt"
	"math"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// This file holds the vocabulary: what it was fitted to, and which token stands for what.

// Vocabulary turns patients of one schema into tokens and back. It does not change once made and may be used by many
// goroutines.
type Vocabulary struct {
	schema ehr.Schema
	config Config

	covariates []field
	variables  []field
	times      [timeCount]field
	codes      [][]string // by system, in the order of their tokens

	meaning    []meaning // [size]
	first      firstTokens
	codeToken  []map[string]int32 // by system
	grammar    grammar
	full       *Tables // what Encode may say
	generation *Tables // what a generator may say
	minContext int
	print      string // fingerprint
}

// The times of a visit that have bins.
const (
	timeGap    = iota // from the row before
	timeOffset        // from the start of the visit to its first row
	timeSince         // from the previous discharge to the start of the visit
	timeRest          // from the last row to the discharge
	timeStay          // from the start to the discharge of a visit without rows
	timeCount
)

var timeNames = [timeCount]string{"gap", "offset", "since", "rest", "stay"}

// newTime is the field of a time. A gap is at least a minute where the first row has tokens of its own; the other times may
// be negative where sources disagree with themselves, except a whole stay and an offset.
func newTime(which int, g *GrammarConfig) field {
	f := field{name: timeNames[which], unit: "minutes", low: -farthest, high: farthest}
	switch {
	case which == timeGap && g.OwnOffset:
		f.low = 1
	case which == timeGap, which == timeOffset, which == timeStay:
		f.low = 0
	}
	return f
}

// kind is what a token says.
type kind uint8

const (
	kindStart kind = iota
	kindEnd
	kindEndCovariates
	kindEndLabels
	kindEndCodes
	kindEndRows
	kindEndVisit
	kindFirst
	kindTime // index is the time, bin its bin, or -1 for "unknown"
	kindCovariate
	kindLabel
	kindVariable
	kindCode
	kindUnknownCode
	kindChunk   // index is the state
	kindVisit   // bin is the visit number, from 0
	kindElapsed // bin is the number of ElapsedEdges that have passed
)

// meaning is what one token stands for: the bin of a field, a label on or off, a code of a system …
type meaning struct {
	kind  kind
	index int32 // field, label, system, time or state
	bin   int32 // bin or category, 1 on or 0 off, index of the code
}

// firstTokens are the tokens at which the blocks of the vocabulary begin. -1 stands for a block that is absent.
type firstTokens struct {
	mark       [kindEndVisit + 1]int32 // start, end and the section marks
	first      int32
	time       [timeCount]int32
	unknown    [timeCount]int32 // the time is not known
	covariate  []int32
	label      []int32 // "off", then "on"; of a label that is only positive just "on"
	variable   []int32
	code       []int32
	other      []int32 // unknown codes, by system
	chunk      int32
	visit      int32
	elapsed    int32
	chunkState []int32 // [states] token of a chunk that begins in the state
}

// elapsedEdges are the minutes at which the elapsed token of a chunk header changes: hours on the first day, then days, then
// weeks and months.
var elapsedEdges = []int64{
	60, 2 * 60, 3 * 60, 4 * 60, 6 * 60, 8 * 60, 12 * 60, 16 * 60, 20 * 60, 24 * 60,
	36 * 60, 48 * 60, 60 * 60, 72 * 60, 96 * 60, 120 * 60, 144 * 60, 7 * 1440,
	10 * 1440, 14 * 1440, 21 * 1440, 30 * 1440, 45 * 1440, 60 * 1440, 90 * 1440, 180 * 1440, 365 * 1440,
}

// lay gives every meaning its token and compiles the grammar. Bins of a field, and categories, have consecutive tokens.
func (v *Vocabulary) lay() error {
	f := &v.first
	for k := range f.mark {
		f.mark[k] = -1
		if k := kind(k); k <= kindEnd || v.config.Grammar.Marks {
			f.mark[k] = v.add(meaning{kind: k})
		}
	}
	v.layTimes()
	for i := range v.covariates {
		f.covariate = append(f.covariate, v.addField(kindCovariate, int32(i), v.covariates[i].tokens()))
	}
	for i := range v.schema.Labels {
		f.label = append(f.label, v.nextToken())
		if !v.schema.Labels[i].PositiveOnly {
			v.add(meaning{kindLabel, int32(i), 0})
		}
		v.add(meaning{kindLabel, int32(i), 1})
	}
	for i := range v.variables {
		f.variable = append(f.variable, v.addField(kindVariable, int32(i), v.variables[i].tokens()))
	}
	v.layCodes()
	v.grammar = newGrammar(v)
	states := v.grammar.states()
	f.chunk, f.visit, f.elapsed = -1, -1, -1
	if v.config.Overflow == InChunks {
		v.layHeaders(states)
	}
	if len(v.meaning) > math.MaxInt32/4 {
		return fmt.Errorf("a vocabulary of %d tokens", len(v.meaning))
	}
	v.minContext = v.leastContext(states)
	v.full, v.generation = v.compile(states, false), v.compile(states, true)
	return nil
}

func (v *Vocabulary) layTimes() {
	f, g := &v.first, v.config.Grammar
	used := [timeCount]bool{timeGap: true, timeOffset: g.OwnOffset, timeSince: g.Since, timeRest: g.Stay, timeStay: g.Stay}
	f.first = -1
	if g.Since {
		f.first = v.add(meaning{kind: kindFirst})
	}
	for t := range v.times {
		f.time[t], f.unknown[t] = -1, -1
		if !used[t] {
			continue
		}
		if t == timeSince || t == timeRest || t == timeStay {
			f.unknown[t] = v.add(meaning{kindTime, int32(t), -1})
		}
		f.time[t] = v.addField(kindTime, int32(t), v.times[t].tokens())
	}
}

func (v *Vocabulary) layCodes() {
	for i, codes := range v.codes {
		v.first.code = append(v.first.code, v.nextToken())
		index := make(map[string]int32, len(codes))
		for j, c := range codes {
			index[c] = v.add(meaning{kindCode, int32(i), int32(j)})
		}
		v.codeToken = append(v.codeToken, index)
	}
	for i := range v.schema.Systems {
		v.first.other = append(v.first.other, v.add(meaning{kind: kindUnknownCode, index: int32(i)}))
	}
}

func (v *Vocabulary) layHeaders(states []place) {
	f := &v.first
	f.chunk = v.nextToken()
	f.chunkState = make([]int32, len(states))
	for s, p := range states {
		f.chunkState[s] = -1
		if v.grammar.cuttable(p) {
			f.chunkState[s] = v.add(meaning{kind: kindChunk, index: int32(s)})
		}
	}
	f.visit = v.addField(kindVisit, 0, v.config.Visits)
	f.elapsed = v.addField(kindElapsed, 0, len(elapsedEdges)+1)
}

func (v *Vocabulary) nextToken() int32 { return int32(len(v.meaning)) }

func (v *Vocabulary) add(m meaning) int32 {
	v.meaning = append(v.meaning, m)
	return int32(len(v.meaning) - 1)
}

// addField adds n tokens and returns the first.
func (v *Vocabulary) addField(k kind, index int32, n int) int32 {
	first := v.nextToken()
	for bin := range n {
		v.add(meaning{k, index, int32(bin)})
	}
	return first
}

// fieldOf returns the field that a token is a bin of, nil when there is none.
func (v *Vocabulary) fieldOf(m meaning) *field {
	switch {
	case m.kind == kindTime && m.bin >= 0:
		return &v.times[m.index]
	case m.kind == kindCovariate:
		return &v.covariates[m.index]
	case m.kind == kindVariable:
		return &v.variables[m.index]
	}
	return nil
}

// Size is the number of tokens.
func (v *Vocabulary) Size() int { return len(v.meaning) }

// Schema is what the patients of the vocabulary look like. It must not be changed.
func (v *Vocabulary) Schema() *ehr.Schema { return &v.schema }

// Config is what the vocabulary was made with. Its maps and slices must not be changed.
func (v *Vocabulary) Config() Config { return v.config }

// Fingerprint is the SHA-256 of everything the vocabulary says, in hexadecimal. Equal fingerprints mean equal tokens.
func (v *Vocabulary) Fingerprint() string { return v.print }

// Generation returns the grammar that a generator follows: as Reading, but tokens that stand for nothing in particular
// (codes without a token of their own, fields that training never saw) have no class. They must not be changed.
func (v *Vocabulary) Generation() *Tables { return v.generation }

// Reading returns the grammar of everything Encode says. The tables must not be changed.
func (v *Vocabulary) Reading() *Tables { return v.full }

// IsEvent tells whether a token says one of the things that ehr counts as events: a covariate, a label, a code, a value.
func (v *Vocabulary) IsEvent(token int32) bool {
	switch v.meaning[token].kind {
	case kindCovariate, kindLabel, kindCode, kindUnknownCode, kindVariable:
		return true
	}
	return false
}
