package ptxsim

// Order between blocks, as the PTX memory model has it: a fence and then an atomic of one thread, an atomic on the same word and then a
// fence of another. What the first thread did before its fence, and its block before the barrier in front of it, is then before what
// the second thread does from there on, and what its block does behind its next barrier. An atomic alone orders nothing.

// moment is a place in the life of a block: behind the epochs before epoch, and behind what one thread did before so many fences.
type moment struct{ epoch, thread, fences int32 }

// acquired is a moment of another block that lies before what thread by does, and what the others do behind epoch at.
type acquired struct {
	moment
	by, at int32
}

// order is what a block has to do with others.
type order struct {
	fences []int32                    // of each thread, so far
	last   []moment                   // of each thread, at its last fence
	seen   map[int32]map[int32]moment // by thread: what its atomics have met since then, by block
	others map[int32]acquired         // by block
}

func newOrder(threads int) order {
	return order{make([]int32, threads), make([]moment, threads), map[int32]map[int32]moment{}, map[int32]acquired{}}
}

// put keeps the later of two moments of a block.
func put(to map[int32]moment, block int32, m moment) {
	was, ok := to[block]
	if !ok || was.epoch < m.epoch || was.epoch == m.epoch && (was.thread != m.thread || was.fences < m.fences) {
		to[block] = m
	}
}

func (b *Block) knows(a acquired, thread int32) bool { return a.by == thread || a.at < b.epoch }

// fence of a thread: what its atomics have met is before what follows, and what came before goes out with its next atomic.
func (b *Block) fence(thread int32) {
	o := &b.order
	o.fences[thread]++
	o.last[thread] = moment{b.epoch, thread, o.fences[thread]}
	for block, m := range o.seen[thread] {
		if block != b.lin {
			o.others[block] = acquired{m, thread, b.epoch}
		}
	}
	delete(o.seen, thread)
}

// atomic of a thread on a word of global memory.
func (b *Block) atomic(word uint64, thread int32) {
	o, published := &b.order, b.d.published[word]
	if published == nil {
		published = map[int32]moment{}
		b.d.published[word] = published
	}
	seen := o.seen[thread]
	if seen == nil {
		seen = map[int32]moment{}
		o.seen[thread] = seen
	}
	for block, m := range published {
		put(seen, block, m)
	}
	if o.fences[thread] == 0 {
		return
	}
	put(published, b.lin, o.last[thread])
	for block, a := range o.others {
		if b.knows(a, thread) {
			put(published, block, a.moment)
		}
	}
}

// behind says whether what a thread does now comes after an access of another block.
func (b *Block) behind(s *gshadow, thread int32) bool {
	a, ok := b.order.others[s.blk]
	return ok && b.knows(a, thread) && (s.ep < a.epoch || s.ep == a.epoch && s.thr == a.thread && s.fences < a.fences)
}
