package corpus

import (
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file packs chunks into batches for training: in an order that depends on seed and epoch alone, as many whole chunks
// one after another as the budgets allow. A step allocates nothing.

// NoTarget stands in Batch.Targets where nothing is to be predicted, and in Batch.SoftRow where the target is hard.
const NoTarget int32 = -1

// LoaderOptions says how a split is packed.
type LoaderOptions struct {
	Seed        uint64
	Tokens      int     // most tokens of a batch
	MaxSegments int     // most chunks of a batch; 0 is no bound
	Ordered     bool    // keep the order of the cohort, for evaluation
	SoftRow     []int32 // [vocabulary] row of the soft targets of each token, from token.Vocabulary.SoftTable; nil for hard targets
}

// Batch is a packed batch, T tokens in S segments.
type Batch struct {
	Tokens   []int32 // [T]
	Targets  []int32 // [T] what follows each token, or NoTarget
	SoftRow  []int32 // [T] row of the soft targets, or NoTarget; nil without soft targets
	Offsets  []int32 // [S+1] where segments begin, and T
	Patients []int32 // [S] index in the cohort
	Count    int     // positions that have a target
	Epoch    uint64  // the epoch the batch belongs to
	Last     bool    // the batch is the last of its epoch
}

// Cursor is a place between two batches. The zero Cursor is the beginning.
type Cursor struct {
	Epoch    uint64 `json:"epoch"`
	Position int    `json:"position"` // chunks of the epoch that have been served
}

// Loader serves batches of a split for ever. One goroutine at a time may use it.
type Loader struct {
	split   *Split
	options LoaderOptions
	cursor  Cursor
	order   []int32 // of the epoch of the cursor
	batch   Batch
}

// NewLoader returns a loader at the beginning of the first epoch. It fails with *fault.Usage when the budget does not hold
// the longest chunk, and with *fault.Input when the split has no chunks.
func NewLoader(split *Split, options LoaderOptions) (*Loader, error) {
	if split.Len() == 0 {
		return nil, &fault.Input{File: "the corpus", Found: "a split without patients", Expected: "at least one"}
	}
	shortest, longest := len(split.chunks[0].Tokens), 0
	for i := range split.chunks {
		n := len(split.chunks[i].Tokens)
		shortest, longest = min(shortest, n), max(longest, n)
	}
	if options.Tokens < longest {
		return nil, fault.Usagef("a batch of %d tokens is too small, expected at least the longest chunk, %d", options.Tokens, longest)
	}
	if options.MaxSegments < 0 {
		return nil, fault.Usagef("a batch of at most %d segments, expected 1 or more, or 0 for no bound", options.MaxSegments)
	}
	segments := min(options.Tokens/shortest, split.Len())
	if options.MaxSegments > 0 {
		segments = min(segments, options.MaxSegments)
	}
	l := &Loader{split: split, options: options, order: make([]int32, split.Len())}
	b := &l.batch
	b.Tokens, b.Targets = make([]int32, 0, options.Tokens), make([]int32, 0, options.Tokens)
	b.Offsets, b.Patients = make([]int32, 0, segments+1), make([]int32, 0, segments)
	if options.SoftRow != nil {
		b.SoftRow = make([]int32, 0, options.Tokens)
	}
	l.arrange()
	return l, nil
}

// Cursor returns the place after the batch that was served last.
func (l *Loader) Cursor() Cursor { return l.cursor }

// Seek goes to a place that Cursor returned: the batches from there on are those that followed then.
func (l *Loader) Seek(c Cursor) error {
	if c.Position < 0 || c.Position >= l.split.Len() {
		return fault.Usagef("the data cursor stands at chunk %d of an epoch of %d: it belongs to another corpus", c.Position, l.split.Len())
	}
	l.cursor = c
	l.arrange()
	return nil
}

// arrange brings the chunks into the order of the epoch.
func (l *Loader) arrange() {
	for i := range l.order {
		l.order[i] = int32(i)
	}
	if !l.options.Ordered {
		token.Shuffle(l.order, l.options.Seed, l.cursor.Epoch)
	}
}

// Next returns the next batch. It is valid until Next is called again; batches do not reach across epochs.
func (l *Loader) Next() *Batch {
	b := &l.batch
	b.Tokens, b.Targets, b.SoftRow = b.Tokens[:0], b.Targets[:0], b.SoftRow[:0]
	b.Offsets, b.Patients = append(b.Offsets[:0], 0), b.Patients[:0]
	b.Count, b.Epoch = 0, l.cursor.Epoch
	for l.cursor.Position < len(l.order) {
		i := l.order[l.cursor.Position]
		c := &l.split.chunks[i]
		full := l.options.MaxSegments > 0 && len(b.Patients) == l.options.MaxSegments
		if full || len(b.Tokens)+len(c.Tokens) > l.options.Tokens {
			break
		}
		l.add(c)
		b.Patients = append(b.Patients, l.split.patients[i])
		l.cursor.Position++
	}
	if b.Last = l.cursor.Position == len(l.order); b.Last {
		l.cursor = Cursor{Epoch: l.cursor.Epoch + 1}
		l.arrange()
	}
	return b
}

// add appends a chunk to the batch.
func (l *Loader) add(c *token.Chunk) {
	b := &l.batch
	start := len(b.Tokens)
	b.Tokens = append(b.Tokens, c.Tokens...)
	for i := range c.Tokens {
		target := NoTarget
		if i+1 >= c.Prefix && i+1 < len(c.Tokens) {
			target = b.Tokens[start+i+1]
			b.Count++
		}
		b.Targets = append(b.Targets, target)
		if rows := l.options.SoftRow; rows != nil {
			row := NoTarget
			if target != NoTarget {
				row = rows[target]
			}
			b.SoftRow = append(b.SoftRow, row)
		}
	}
	b.Offsets = append(b.Offsets, int32(len(b.Tokens)))
}
