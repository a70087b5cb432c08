package corpus

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

func trainSplit(t testing.TB) (*Corpus, *Split) {
	t.Helper()
	cohort := simulated(t, 150)
	c, _ := written(t, cohort, fitted(t, cohort, nil))
	return c, c.Split(ehr.Train)
}

func loader(t testing.TB, s *Split, o LoaderOptions) *Loader {
	t.Helper()
	l, err := NewLoader(s, o)
	require.NoError(t, err)
	return l
}

// clone keeps a batch beyond the next one.
func clone(b *Batch) Batch {
	c := *b
	c.Tokens, c.Targets, c.SoftRow = slices.Clone(b.Tokens), slices.Clone(b.Targets), slices.Clone(b.SoftRow)
	c.Offsets, c.Patients = slices.Clone(b.Offsets), slices.Clone(b.Patients)
	return c
}

// TestAnEpochServesEveryChunkOnceAndWhole within the budget, with the targets that the chunks define.
func TestAnEpochServesEveryChunkOnceAndWhole(t *testing.T) {
	c, split := trainSplit(t)
	_, _, rows := c.Vocabulary.SoftTable()
	for _, o := range []LoaderOptions{{Seed: 7, Tokens: 300}, {Seed: 7, Tokens: 64}, {Tokens: 1000, Ordered: true}, {Seed: 1, Tokens: 1000, MaxSegments: 3, SoftRow: rows}} {
		l := loader(t, split, o)
		var served, all [][]int32
		targets := int64(0)
		for last := false; !last; {
			b := l.Next()
			last = b.Last
			require.Zero(t, b.Epoch)
			require.LessOrEqual(t, len(b.Tokens), o.Tokens)
			require.Len(t, b.Targets, len(b.Tokens))
			require.Len(t, b.Patients, len(b.Offsets)-1)
			if o.MaxSegments > 0 {
				require.LessOrEqual(t, len(b.Patients), o.MaxSegments)
			}
			count := 0
			for s := range b.Patients {
				tokens := b.Tokens[b.Offsets[s]:b.Offsets[s+1]]
				served = append(served, slices.Clone(tokens))
				for i, target := range b.Targets[b.Offsets[s]:b.Offsets[s+1]] {
					if target == NoTarget {
						continue
					}
					count++
					require.Equal(t, tokens[i+1], target)
					if o.SoftRow != nil {
						require.Equal(t, rows[target], b.SoftRow[int(b.Offsets[s])+i])
					}
				}
				require.Equal(t, NoTarget, b.Targets[b.Offsets[s+1]-1], "no target reaches into the next segment")
			}
			require.Equal(t, count, b.Count)
			targets += int64(count)
		}
		require.Equal(t, c.Index.Split(ehr.Train).Targets, targets)
		for i := range split.Len() {
			all = append(all, slices.Clone(split.Chunk(i).Tokens))
		}
		if o.Ordered {
			require.Equal(t, all, served)
		}
		slices.SortFunc(all, slices.Compare)
		slices.SortFunc(served, slices.Compare)
		require.Equal(t, all, served)
		require.Equal(t, Cursor{Epoch: 1}, l.Cursor())
	}
}

func TestBatchesDependOnSeedAndEpochAlone(t *testing.T) {
	_, split := trainSplit(t)
	first := func(seed, epoch uint64) Batch {
		l := loader(t, split, LoaderOptions{Seed: seed, Tokens: 500})
		require.NoError(t, l.Seek(Cursor{Epoch: epoch}))
		return clone(l.Next())
	}
	require.Equal(t, first(1, 0), first(1, 0))
	require.NotEqual(t, first(1, 0).Tokens, first(1, 1).Tokens)
	require.NotEqual(t, first(1, 0).Tokens, first(2, 0).Tokens)
}

// TestCursorResumesExactly: from every place between two batches, across the end of an epoch.
func TestCursorResumesExactly(t *testing.T) {
	_, split := trainSplit(t)
	o := LoaderOptions{Seed: 5, Tokens: 400}
	l := loader(t, split, o)
	var cursors []Cursor
	var batches []Batch
	for epochs := 0; epochs < 2; {
		cursors = append(cursors, l.Cursor())
		batches = append(batches, clone(l.Next()))
		if batches[len(batches)-1].Last {
			epochs++
		}
	}
	require.Greater(t, len(batches), 10)
	for i, cursor := range cursors {
		resumed := loader(t, split, o)
		require.NoError(t, resumed.Seek(cursor))
		for j := i; j < min(i+3, len(batches)); j++ {
			require.Equal(t, batches[j], clone(resumed.Next()))
		}
	}
	var usage *fault.Usage
	require.ErrorAs(t, l.Seek(Cursor{Position: split.Len()}), &usage)
	require.ErrorAs(t, l.Seek(Cursor{Position: -1}), &usage)
}

func TestAStepAllocatesNothing(t *testing.T) {
	c, split := trainSplit(t)
	_, _, rows := c.Vocabulary.SoftTable()
	l := loader(t, split, LoaderOptions{Tokens: 300, SoftRow: rows})
	served := 0
	require.Zero(t, testing.AllocsPerRun(500, func() { served += l.Next().Count }))
	require.Positive(t, served)
	require.Positive(t, l.Cursor().Epoch, "the ends of epochs are among the steps")
}

func TestImpossibleBudgetsAreRefused(t *testing.T) {
	_, split := trainSplit(t)
	var usage *fault.Usage
	_, err := NewLoader(split, LoaderOptions{Tokens: 63})
	require.ErrorAs(t, err, &usage)
	require.ErrorContains(t, err, "the longest chunk, 64")
	_, err = NewLoader(split, LoaderOptions{Tokens: 64, MaxSegments: -1})
	require.ErrorAs(t, err, &usage)
	var input *fault.Input
	_, err = NewLoader(&Split{}, LoaderOptions{Tokens: 64})
	require.ErrorAs(t, err, &input)
}

var sink int

func BenchmarkLoader(b *testing.B) {
	cohort := simulated(b, 2000)
	c, _ := written(b, cohort, fitted(b, cohort, func(c *token.Config) { c.Context = 1024 }))
	l := loader(b, c.Split(ehr.Train), LoaderOptions{Tokens: 8192})
	tokens := 0
	for b.Loop() {
		tokens += len(l.Next().Tokens)
	}
	sink = tokens
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
