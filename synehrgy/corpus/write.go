package corpus

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file encodes a cohort into a corpus. Patients are encoded by all processors, a block at a time, and written in the
// order of the cohort, so the files do not depend on how many there are.

// shardTokens is where a new shard begins: 64 MiB of tokens.
const shardTokens = 1 << 24

// blockPatients is how many patients are in memory as tokens at once.
const blockPatients = 512

// Write encodes a cohort by a vocabulary into the folder dir, which must not exist or be empty, and returns the index. The
// context is that of the vocabulary. It fails with *fault.Input when a patient is in no split or breaks the promises of ehr.
func Write(ctx context.Context, dir string, cohort *ehr.Cohort, v *token.Vocabulary) (*Index, error) {
	return write(ctx, dir, cohort, v, shardTokens)
}

func write(ctx context.Context, dir string, cohort *ehr.Cohort, v *token.Vocabulary, shard int) (*Index, error) {
	for i := range cohort.Patients {
		if cohort.Patients[i].Split == ehr.NoSplit {
			return nil, &fault.Input{File: "the cohort", Found: fmt.Sprintf("patient %d in no split", i+1), Expected: "train, tuning or held_out"}
		}
	}
	index := &Index{Format: indexFormat, Vocabulary: v.Fingerprint(), Context: v.Config().Context}
	err := checkpoint.WriteDir(dir, func(tmp string) error {
		for _, s := range splitsOnDisk {
			w := &splitWriter{dir: tmp, v: v, cohort: cohort, split: s, shardTokens: shard}
			if err := w.write(ctx); err != nil {
				return err
			}
			index.Splits = append(index.Splits, w.index)
		}
		if err := v.Save(filepath.Join(tmp, token.FileName)); err != nil {
			return err
		}
		text, err := json.MarshalIndent(index, "", " ")
		if err != nil {
			return err
		}
		return checkpoint.WriteFile(filepath.Join(tmp, IndexName), append(text, '\n'))
	})
	if err != nil {
		return nil, err
	}
	return index, nil
}

// splitWriter writes the shards of one split.
type splitWriter struct {
	dir         string
	v           *token.Vocabulary
	cohort      *ehr.Cohort
	split       ehr.Split
	shardTokens int
	index       SplitIndex
	shard       *shardWriter // nil between shards
}

// encoded is one patient in tokens; its memory is used again for a patient of the next block.
type encoded struct {
	record token.Record
	chunks []token.Chunk
	cut    int
	empty  bool
}

func (w *splitWriter) write(ctx context.Context) error {
	w.index = SplitIndex{Name: w.split.String(), Shards: []ShardIndex{}}
	w.index.UnknownCodes = []CodeCount{}
	for _, s := range w.cohort.Schema.Systems {
		w.index.UnknownCodes = append(w.index.UnknownCodes, CodeCount{System: s.Name, Kind: s.Kind})
	}
	defer func() {
		if w.shard != nil {
			w.shard.file.Close()
		}
	}()
	var members []int
	for i := range w.cohort.Patients {
		if w.cohort.Patients[i].Split == w.split {
			members = append(members, i)
		}
	}
	slots := make([]encoded, min(blockPatients, len(members)))
	encoders := make([]*token.Encoder, runtime.GOMAXPROCS(0))
	for i := range encoders {
		encoders[i] = w.v.NewEncoder()
	}
	for len(members) > 0 {
		block := members[:min(blockPatients, len(members))]
		members = members[len(block):]
		if err := w.encode(ctx, block, slots, encoders); err != nil {
			return err
		}
		for i, patient := range block {
			if err := w.add(&slots[i], patient); err != nil {
				return err
			}
		}
	}
	return w.endShard()
}

// encode fills a slot for every patient of a block; every encoder takes its share of them.
func (w *splitWriter) encode(ctx context.Context, block []int, slots []encoded, encoders []*token.Encoder) error {
	g, ctx := errgroup.WithContext(ctx)
	for n, encoder := range encoders {
		g.Go(func() error {
			for i := n; i < len(block); i += len(encoders) {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				if err := slots[i].fill(w.v, encoder, &w.cohort.Patients[block[i]]); err != nil {
					return &fault.Input{File: "the cohort", Found: fmt.Sprintf("patient %d: %v", block[i]+1, err), Expected: "a patient that keeps to the schema", Err: err}
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (e *encoded) fill(v *token.Vocabulary, encoder *token.Encoder, p *ehr.Patient) error {
	e.chunks = e.chunks[:0]
	if e.empty = len(p.Visits) == 0; e.empty {
		return nil
	}
	err := encoder.Encode(p, &e.record)
	if err != nil {
		return err
	}
	e.chunks, e.cut, err = v.AppendChunks(e.chunks, &e.record, v.Config().Context)
	return err
}

// add writes the chunks of a patient.
func (w *splitWriter) add(e *encoded, patient int) error {
	c := &w.index.Counts
	c.Patients++
	if e.empty {
		c.EmptyPatients++
		return nil
	}
	c.Visits += int64(len(w.cohort.Patients[patient].Visits))
	c.Events += int64(w.cohort.Patients[patient].Events())
	c.addRecord(w.v, &e.record, e.chunks, e.cut)
	for _, chunk := range e.chunks {
		if w.shard == nil {
			name := fmt.Sprintf("%s-%05d.shard", w.split, len(w.index.Shards))
			var err error
			if w.shard, err = newShardWriter(w.dir, name); err != nil {
				return err
			}
		}
		if err := w.shard.add(chunk, int32(patient)); err != nil {
			return fmt.Errorf("the shard %s cannot be written: %w", w.shard.index.File, err)
		}
		if w.shard.index.Tokens >= w.shardTokens {
			if err := w.endShard(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *splitWriter) endShard() error {
	if w.shard == nil {
		return nil
	}
	index, err := w.shard.finish()
	if err != nil {
		return fmt.Errorf("the shard %s cannot be written: %w", index.File, err)
	}
	w.index.Shards = append(w.index.Shards, index)
	w.shard = nil
	return nil
}
