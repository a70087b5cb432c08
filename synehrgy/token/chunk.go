package token

import (
	"fmt"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file lays a record that is longer than the context out as chunks. The first chunk is the first context tokens. Chunk
// k+1 is
//
//	header   ChunkToken[state] VisitToken ElapsedToken, covariates and labels of the visit so far
//	replay   the tokens from the last place at or before the end of chunk k where the record can be cut
//	         (state, visit, elapsed and "so far" are those of that place)
//	new      tokens, until the chunk has context of them or the record ends
//
// The core does the same when a record that it generates outgrows its context.

// Chunk is one segment of training data.
type Chunk struct {
	Tokens []int32
	Prefix int // Tokens[i] is a target iff i >= Prefix: what comes before is said elsewhere, or is a header
}

// MinContext is the least context in which every record has chunks: the longest header and the longest stretch of a record
// without a place to cut must fit together. 0 where records are cut off.
func (v *Vocabulary) MinContext() int { return v.minContext }

// leastContext computes MinContext from the places a record can be in.
func (v *Vocabulary) leastContext(states []place) int {
	if v.config.Overflow != InChunks {
		return 0
	}
	longest := 0
	for _, p := range states {
		if p == atStart || v.grammar.cuttable(p) {
			longest = max(longest, v.grammar.longestRun(p))
		}
	}
	return v.MaxHeader() + longest
}

// MaxHeader is the most tokens a chunk header has.
func (v *Vocabulary) MaxHeader() int { return 3 + len(v.covariates) + len(v.schema.Labels) }

// CheckContext says in a *fault.Usage when a context is too small for the records of the vocabulary.
func (v *Vocabulary) CheckContext(context int) error {
	if least := v.MinContext(); context < least {
		return fault.Usagef("a context of %d tokens is too small, expected at least %d: the header of a chunk may take %d and the longest stretch that cannot be cut %d",
			context, least, v.MaxHeader(), least-v.MaxHeader())
	}
	return nil
}

// AppendChunks appends the chunks of a record to dst and returns it, with the number of tokens that were cut off (0 unless
// the vocabulary cuts). The first chunk shares the memory of the record.
func (v *Vocabulary) AppendChunks(dst []Chunk, r *Record, context int) (chunks []Chunk, cut int, err error) {
	n := len(r.Tokens)
	dst = append(dst, Chunk{r.Tokens[:min(n, context)], 1})
	switch {
	case n <= context:
		return dst, 0, nil
	case v.config.Overflow == CutOff:
		return dst, n - context, nil
	}
	if err := v.CheckContext(context); err != nil {
		return dst, 0, err
	}
	w := chunkWalk{t: v.full, state: v.full.Start, clock: r.Clock}
	end := context // of the chunk before, in tokens of the record
	for i, token := range r.Tokens {
		if i > 0 { // the start token is before the first state
			w.mark(i)
		}
		if i == end {
			if w.cut == 0 {
				break
			}
			chunk, next := w.chunk(r.Tokens, context, end)
			if next <= end {
				break
			}
			if dst, end = append(dst, chunk), next; end == n {
				return dst, 0, nil
			}
		}
		if i > 0 {
			w.step(token)
		}
	}
	return dst, 0, fmt.Errorf("a record of %d tokens has no place to be cut within a context of %d", n, context)
}

// chunkWalk follows a record and remembers the last place where it can be cut.
type chunkWalk struct {
	t       *Tables
	state   int16
	clock   []int64 // of the rows to come
	visits  int32
	elapsed int64
	said    [2][]int32 // covariates and labels of the visit at hand and of another one, in turns
	turn    int

	cut     int // position of the first token after the cut, 0 for none yet
	header  [3]int32
	saidCut []int32
}

// mark notes that the record can be cut before the token at a position, if it can.
func (w *chunkWalk) mark(position int) {
	token := w.t.ChunkToken[w.state]
	if token < 0 {
		return
	}
	past, found := slices.BinarySearch(w.t.ElapsedEdges, w.elapsed)
	if found {
		past++
	}
	w.cut = position
	w.header = [3]int32{token, w.t.VisitToken0 + min(w.visits, w.t.Visits) - 1, w.t.ElapsedToken0 + int32(past)}
	w.saidCut = w.said[w.turn]
}

// step goes over a token of the record.
func (w *chunkWalk) step(token int32) {
	c := w.t.Class[token]
	switch w.t.Role[c] {
	case RoleVisit:
		w.turn ^= 1 // the last cut may still need what the visit before said
		w.said[w.turn] = w.said[w.turn][:0]
		w.visits++
		w.elapsed = 0
	case RoleCovariate, RoleLabel:
		w.said[w.turn] = append(w.said[w.turn], token)
	case RoleGap:
		w.elapsed, w.clock = w.clock[0], w.clock[1:]
	}
	w.state = w.t.Next[int(w.state)*w.t.Classes+int(c)]
}

// chunk makes the chunk after one that ended before the token at position end, and tells where it ends itself.
func (w *chunkWalk) chunk(tokens []int32, context, end int) (Chunk, int) {
	head := len(w.header) + len(w.saidCut)
	next := min(len(tokens), w.cut+context-head)
	if next <= end {
		return Chunk{}, end
	}
	out := make([]int32, 0, head+next-w.cut)
	out = append(append(out, w.header[:]...), w.saidCut...)
	return Chunk{append(out, tokens[w.cut:next]...), head + end - w.cut}, next
}
