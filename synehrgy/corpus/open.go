package corpus

import (
	"fmt"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file opens a corpus and hands out its chunks.

// Corpus is an open corpus. It lies in memory whole, four bytes a token, and does not change.
type Corpus struct {
	Index      *Index
	Vocabulary *token.Vocabulary
	splits     [len(splitsOnDisk)]Split
}

// Split is the chunks of one split, in the order of the cohort.
type Split struct {
	chunks   []token.Chunk
	patients []int32
}

// Open reads a corpus and checks everything in it: sizes, checksums, offsets, tokens. What is wrong is a *fault.Input.
func Open(dir string) (*Corpus, error) {
	index, err := ReadIndex(dir)
	if err != nil {
		return nil, err
	}
	v, err := token.Load(filepath.Join(dir, token.FileName))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, IndexName)
	if v.Fingerprint() != index.Vocabulary {
		return nil, &fault.Input{File: path, Found: "shards of another vocabulary", Expected: "those of the " + token.FileName + " beside it"}
	}
	if index.Context != v.Config().Context {
		return nil, &fault.Input{File: path, Found: fmt.Sprintf("a context of %d", index.Context), Expected: fmt.Sprintf("that of the vocabulary, %d", v.Config().Context)}
	}
	c := &Corpus{Index: index, Vocabulary: v}
	for i := range c.splits {
		for j := range index.Splits[i].Shards {
			if err := c.splits[i].readShard(dir, &index.Splits[i].Shards[j], v.Size(), index.Context); err != nil {
				return nil, err
			}
		}
		if found := c.splits[i].count(v); found != index.Splits[i].EncodedEvents {
			return nil, &fault.Input{File: path, Found: fmt.Sprintf("%d events in the shards of %s", found, index.Splits[i].Name), Expected: fmt.Sprintf("%d", index.Splits[i].EncodedEvents)}
		}
	}
	return c, nil
}

// Split returns the chunks of a split; that of NoSplit is empty.
func (c *Corpus) Split(s ehr.Split) *Split {
	for i, on := range splitsOnDisk {
		if on == s {
			return &c.splits[i]
		}
	}
	return &Split{}
}

// Len is the number of chunks.
func (s *Split) Len() int { return len(s.chunks) }

// Chunk returns a chunk. Its tokens are the memory of the corpus and must not be changed.
func (s *Split) Chunk(i int) token.Chunk { return s.chunks[i] }

// Patient returns the index in the cohort of the patient that a chunk tells of.
func (s *Split) Patient(i int) int { return int(s.patients[i]) }

// count counts the events among the targets.
func (s *Split) count(v *token.Vocabulary) int64 {
	n := int64(0)
	for i := range s.chunks {
		for _, t := range s.chunks[i].Tokens[s.chunks[i].Prefix:] {
			if v.IsEvent(t) {
				n++
			}
		}
	}
	return n
}
