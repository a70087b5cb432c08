// Package corpus keeps encoded records on disk and serves them to training in packed batches.
//
// A corpus is a folder: vocabulary.json, index.json and, for every split, shards of chunks (shard.go). It is written whole or
// not at all, and everything in it is checked when it is opened.
package corpus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// IndexName is what the index is called in the folder of a corpus.
const IndexName = "index.json"

const indexFormat = 1

// Index says what a corpus holds. Nothing in it tells of one patient.
type Index struct {
	Format     int          `json:"format"`
	Vocabulary string       `json:"vocabulary"` // fingerprint
	Context    int          `json:"context"`    // most tokens of a chunk
	Splits     []SplitIndex `json:"splits"`     // train, tuning, held_out
}

// SplitIndex says what one split holds.
type SplitIndex struct {
	Name string `json:"name"`
	Counts
	Shards []ShardIndex `json:"shards"`
}

// ShardIndex is one file of a split.
type ShardIndex struct {
	File   string `json:"file"`
	Chunks int    `json:"chunks"`
	Tokens int    `json:"tokens"` // headers and replays included
	SHA256 string `json:"sha256"`
}

// Counts is what the patients of a split came to. Events and EncodedEvents are counted apart, in the cohort and in the
// targets of the shards; they are equal unless the vocabulary cuts records off.
type Counts struct {
	Patients      int64       `json:"patients"`
	EmptyPatients int64       `json:"empty_patients"` // patients without visits, of whom there is nothing to encode
	Visits        int64       `json:"visits"`
	Events        int64       `json:"events"`
	EncodedEvents int64       `json:"encoded_events"`
	Tokens        int64       `json:"tokens"`     // of the records, start tokens included
	CutTokens     int64       `json:"cut_tokens"` // of those, how many lie beyond the context and were cut off
	Chunks        int64       `json:"chunks"`
	ChunkTokens   int64       `json:"chunk_tokens"` // with headers and replays
	Targets       int64       `json:"targets"`      // tokens to be predicted
	Longest       int64       `json:"longest"`      // tokens of the longest record
	UnknownCodes  []CodeCount `json:"unknown_codes"`
	Unfitted      int64       `json:"unfitted"`    // see token.Loss
	Outside       int64       `json:"outside"`     // see token.Loss
	FirstSince    int64       `json:"first_since"` // see token.Loss
	Absent        int64       `json:"absent"`      // see token.Loss
}

// CodeCount counts the codes of a system that had no token of their own.
type CodeCount struct {
	System string       `json:"system"`
	Kind   ehr.CodeKind `json:"kind"`
	Count  int64        `json:"count"`
}

// splitsOnDisk is the order of the splits in the index.
var splitsOnDisk = [...]ehr.Split{ehr.Train, ehr.Tuning, ehr.HeldOut}

// Split returns what the index says of a split, nil for NoSplit.
func (x *Index) Split(s ehr.Split) *SplitIndex {
	for i := range x.Splits {
		if x.Splits[i].Name == s.String() {
			return &x.Splits[i]
		}
	}
	return nil
}

// ReadIndex reads the index of a corpus without its shards. What is wrong is a *fault.Input.
func ReadIndex(dir string) (*Index, error) {
	path := filepath.Join(dir, IndexName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &fault.Input{File: path, Found: "no file that can be read", Expected: "the index of a corpus", Err: err}
	}
	var x Index
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return nil, &fault.Input{File: path, Found: "text that is no index (" + err.Error() + ")", Expected: "the JSON that tokenize writes", Err: err}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &fault.Input{File: path, Found: "something after the end of the index", Expected: "the end of the file"}
	}
	if found, expected := x.check(); found != "" {
		return nil, &fault.Input{File: path, Found: found, Expected: expected}
	}
	return &x, nil
}

func (x *Index) check() (found, expected string) {
	if x.Format != indexFormat {
		return fmt.Sprintf("format %d", x.Format), fmt.Sprintf("format %d", indexFormat)
	}
	if len(x.Splits) != len(splitsOnDisk) {
		return fmt.Sprintf("%d splits", len(x.Splits)), fmt.Sprintf("%d", len(splitsOnDisk))
	}
	for i, s := range splitsOnDisk {
		if x.Splits[i].Name != s.String() {
			return "a split out of its place", s.String()
		}
		chunks, tokens := int64(0), int64(0)
		for _, shard := range x.Splits[i].Shards {
			if shard.File != filepath.Base(shard.File) || shard.File == "." || shard.File == ".." {
				return "a shard outside the folder", "the name of a file in it"
			}
			if shard.Chunks < 0 || shard.Tokens < 0 || shard.Chunks > maxShard || shard.Tokens > maxShard {
				return "a shard of an impossible size", fmt.Sprintf("at most %d tokens", maxShard)
			}
			chunks, tokens = chunks+int64(shard.Chunks), tokens+int64(shard.Tokens)
		}
		if chunks != x.Splits[i].Chunks || tokens != x.Splits[i].ChunkTokens {
			return "shards that do not add up to their split", "the counts of the split"
		}
	}
	return "", ""
}

// addRecord counts a record and its chunks.
func (c *Counts) addRecord(v *token.Vocabulary, r *token.Record, chunks []token.Chunk, cut int) {
	c.Tokens += int64(len(r.Tokens))
	c.CutTokens += int64(cut)
	c.Longest = max(c.Longest, int64(len(r.Tokens)))
	for i := range chunks {
		fresh := chunks[i].Tokens[chunks[i].Prefix:]
		c.Chunks++
		c.ChunkTokens += int64(len(chunks[i].Tokens))
		c.Targets += int64(len(fresh))
		for _, t := range fresh {
			if v.IsEvent(t) {
				c.EncodedEvents++
			}
		}
	}
	for i, n := range r.Loss.UnknownCodes {
		c.UnknownCodes[i].Count += n
	}
	c.Unfitted += r.Loss.Unfitted
	c.Outside += r.Loss.Outside
	c.FirstSince += r.Loss.FirstSince
	c.Absent += r.Loss.Absent
}
