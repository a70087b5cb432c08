package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

func simulated(t testing.TB, patients int) *ehr.Cohort {
	t.Helper()
	cohort, err := simulate.Cohort(simulate.Options{Patients: patients, Seed: 3})
	require.NoError(t, err)
	cohort.AssignSplits(1, ehr.DefaultShares)
	return cohort
}

// fitted is the vocabulary of a cohort with a context so small that most records go on in chunks.
func fitted(t testing.TB, cohort *ehr.Cohort, change func(c *token.Config)) *token.Vocabulary {
	t.Helper()
	config := token.DefaultConfig()
	config.Context = 64
	if change != nil {
		change(&config)
	}
	v, err := token.Fit(cohort, config)
	require.NoError(t, err)
	return v
}

// written is an open corpus of several shards a split.
func written(t testing.TB, cohort *ehr.Cohort, v *token.Vocabulary) (*Corpus, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "corpus")
	_, err := write(t.Context(), dir, cohort, v, 3000)
	require.NoError(t, err)
	c, err := Open(dir)
	require.NoError(t, err)
	return c, dir
}

// TestCorpusHoldsEveryEventOfTheCohort: split by split, with chunks that say every token once.
func TestCorpusHoldsEveryEventOfTheCohort(t *testing.T) {
	cohort := simulated(t, 700) // more than one block
	v := fitted(t, cohort, nil)
	c, _ := written(t, cohort, v)
	for _, s := range splitsOnDisk {
		part, x, split := cohort.Only(s), c.Index.Split(s), c.Split(s)
		require.Equal(t, int64(len(part.Patients)), x.Patients)
		require.Equal(t, int64(part.Visits()), x.Visits)
		require.Equal(t, int64(part.Events()), x.Events)
		require.Equal(t, x.Events, x.EncodedEvents)
		require.Equal(t, x.Tokens-x.Patients, x.Targets, "every token but the start is a target once")
		require.Greater(t, split.Len(), len(part.Patients), "some records have several chunks")
		require.Equal(t, int64(split.Len()), x.Chunks)
		require.Zero(t, x.CutTokens)
		at := 0
		for i := range cohort.Patients {
			if cohort.Patients[i].Split != s {
				continue
			}
			record, err := v.Encode(&cohort.Patients[i])
			require.NoError(t, err)
			said := record.Tokens[:1:1]
			for ; at < split.Len() && split.Patient(at) == i; at++ {
				chunk := split.Chunk(at)
				said = append(said, chunk.Tokens[chunk.Prefix:]...)
			}
			require.Equal(t, record.Tokens, said)
		}
		require.Equal(t, split.Len(), at)
	}
	require.Greater(t, len(c.Index.Splits[0].Shards), 1)
	require.Zero(t, c.Split(ehr.NoSplit).Len())
}

func TestCutTokensAndLostEventsAreCounted(t *testing.T) {
	cohort := simulated(t, 100)
	v := fitted(t, cohort, func(c *token.Config) { c.Overflow = token.CutOff })
	c, _ := written(t, cohort, v)
	x := c.Index.Split(ehr.Train)
	require.Positive(t, x.CutTokens)
	require.Less(t, x.EncodedEvents, x.Events)
	require.Equal(t, x.Tokens, x.ChunkTokens+x.CutTokens)
	require.Equal(t, x.Patients, x.Chunks)
}

func TestUnknownCodesAreCountedBySystem(t *testing.T) {
	cohort := simulated(t, 60)
	v := fitted(t, cohort, nil)
	for i := range cohort.Patients {
		if p := &cohort.Patients[i]; p.Split == ehr.HeldOut {
			p.Visits[0].Codes = []ehr.Code{{System: 0, Code: "new"}, {System: 2, Code: "new"}, {System: 2, Code: "newer"}}
		}
	}
	c, _ := written(t, cohort, v)
	x := c.Index.Split(ehr.HeldOut)
	require.GreaterOrEqual(t, x.UnknownCodes[0].Count, x.Patients)
	require.GreaterOrEqual(t, x.UnknownCodes[2].Count, 2*x.Patients)
	require.Equal(t, cohort.Schema.Systems[2].Name, x.UnknownCodes[2].System)
	require.Equal(t, x.Events, x.EncodedEvents, "an unknown code is an event too")
	require.Zero(t, c.Index.Split(ehr.Train).UnknownCodes[0].Count)
}

func TestCorpusDoesNotDependOnThreads(t *testing.T) {
	cohort := simulated(t, 200)
	v := fitted(t, cohort, nil)
	_, one := written(t, cohort, v)
	before := runtime.GOMAXPROCS(5)
	_, many := written(t, cohort, v)
	runtime.GOMAXPROCS(before)
	entries, err := os.ReadDir(one)
	require.NoError(t, err)
	require.Greater(t, len(entries), 5)
	for _, e := range entries {
		a, err := os.ReadFile(filepath.Join(one, e.Name()))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(many, e.Name()))
		require.NoError(t, err)
		require.Equal(t, a, b, e.Name())
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestCohortOfOnePatient(t *testing.T) {
	cohort := simulated(t, 1)
	cohort.Patients[0].Split = ehr.Train
	c, _ := written(t, cohort, fitted(t, cohort, nil))
	require.Equal(t, int64(1), c.Index.Split(ehr.Train).Patients)
	require.Equal(t, int64(cohort.Events()), c.Index.Split(ehr.Train).EncodedEvents)
	require.Zero(t, c.Split(ehr.HeldOut).Len())
}

func TestPatientsWithoutVisitsAreCounted(t *testing.T) {
	cohort := simulated(t, 50)
	cohort.Patients = append(cohort.Patients, ehr.Patient{ID: "nobody", Split: ehr.Train})
	c, _ := written(t, cohort, fitted(t, cohort, nil))
	x := c.Index.Split(ehr.Train)
	require.Equal(t, int64(1), x.EmptyPatients)
	require.Equal(t, x.Tokens-(x.Patients-1), x.Targets)
}

func TestWriteLeavesNothingBehindWhenItFails(t *testing.T) {
	cohort := simulated(t, 50)
	v := fitted(t, cohort, nil)
	parent := t.TempDir()
	dir := filepath.Join(parent, "corpus")
	requireNothing := func() {
		t.Helper()
		left, err := os.ReadDir(parent)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Write(cancelled, dir, cohort, v)
	require.ErrorIs(t, err, context.Canceled)
	requireNothing()

	var input *fault.Input
	visit := &cohort.Patients[49].Visits[0]
	visit.Labels = append(visit.Labels, ehr.Label{Label: -1})
	_, err = Write(t.Context(), dir, cohort, v)
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, "patient 50: visit 1")
	requireNothing()

	cohort.Patients[3].Split = ehr.NoSplit
	_, err = Write(t.Context(), dir, cohort, v)
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, "patient 4 in no split")
	requireNothing()
}

// scene is a corpus on disk that a test damages.
type scene struct {
	dir, shard, index string
	vocab             int
	pristine          map[string][]byte
}

func newScene(t *testing.T) *scene {
	t.Helper()
	cohort := simulated(t, 60)
	v := fitted(t, cohort, nil)
	_, dir := written(t, cohort, v)
	s := &scene{dir: dir, shard: filepath.Join(dir, "train-00000.shard"), index: filepath.Join(dir, IndexName), vocab: v.Size(), pristine: map[string][]byte{}}
	for _, path := range []string{s.shard, s.index, filepath.Join(dir, token.FileName)} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		s.pristine[path] = text
	}
	return s
}

// requireRefused demands a sentence about the file, and repairs the damage.
func (s *scene) requireRefused(t *testing.T, path, says string) {
	t.Helper()
	_, err := Open(s.dir)
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, says)
	require.ErrorContains(t, err, path)
	for path, text := range s.pristine {
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	_, err = Open(s.dir)
	require.NoError(t, err)
}

// forge changes the index and the integers of a shard and makes the checksum right again.
func (s *scene) forge(t *testing.T, change func(x *Index, words []int32)) {
	t.Helper()
	var x Index
	require.NoError(t, json.Unmarshal(s.pristine[s.index], &x))
	words := make([]int32, len(s.pristine[s.shard])/4)
	for i := range words {
		words[i] = int32(binary.LittleEndian.Uint32(s.pristine[s.shard][4*i:]))
	}
	change(&x, words)
	var raw []byte
	for _, w := range words {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(w))
	}
	sum := sha256.Sum256(raw)
	x.Splits[0].Shards[0].SHA256 = hex.EncodeToString(sum[:])
	text, err := json.Marshal(&x)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.shard, raw, 0o600))
	require.NoError(t, os.WriteFile(s.index, text, 0o600))
}

func TestDamagedCorpusIsASentence(t *testing.T) {
	s := newScene(t)
	shard, index := s.pristine[s.shard], s.pristine[s.index]
	flipped := slices.Clone(shard)
	flipped[40] ^= 1
	for _, c := range []struct {
		path, says string
		text       []byte // nil removes the file
	}{
		{s.shard, "another size", shard[:len(shard)-4]},
		{s.shard, "another size", append(slices.Clone(shard), 0)},
		{s.shard, "checksum", flipped},
		{s.shard, "no file that can be read", nil},
		{s.index, "no file that can be read", nil},
		{s.index, "no index", index[:100]},
		{s.index, "after the end", append(slices.Clone(index), "{}"...)},
	} {
		if c.text == nil {
			require.NoError(t, os.Remove(c.path))
		} else {
			require.NoError(t, os.WriteFile(c.path, c.text, 0o600))
		}
		s.requireRefused(t, c.path, c.says)
	}
}

// TestForgedCorpusIsASentence: damage by somebody who also made the checksum right.
func TestForgedCorpusIsASentence(t *testing.T) {
	s := newScene(t)
	tokens := func(x *Index) int { return x.Splits[0].Shards[0].Tokens }
	chunks := func(x *Index) int { return x.Splits[0].Shards[0].Chunks }
	for _, c := range []struct {
		path, says string
		change     func(x *Index, words []int32)
	}{
		{s.shard, "the vocabulary does not have", func(x *Index, w []int32) { w[5] = int32(s.vocab) }},
		{s.shard, "the vocabulary does not have", func(x *Index, w []int32) { w[5] = -1 }},
		{s.shard, "impossible length", func(x *Index, w []int32) { w[tokens(x)+1] = -7 }},
		{s.shard, "impossible length", func(x *Index, w []int32) { w[tokens(x)+1] = int32(x.Context) + 1 }},
		{s.shard, "do not fill", func(x *Index, w []int32) { w[tokens(x)] = 1 }},
		{s.shard, "do not fill", func(x *Index, w []int32) { w[tokens(x)+chunks(x)]-- }},
		{s.shard, "without targets", func(x *Index, w []int32) { w[tokens(x)+chunks(x)+1] = int32(x.Context) }},
		{s.shard, "without targets", func(x *Index, w []int32) { w[tokens(x)+chunks(x)+1] = 0 }},
		{s.shard, "out of order", func(x *Index, w []int32) { w[tokens(x)+2*chunks(x)+2] = -1 }},
		{s.shard, "no shard", func(x *Index, w []int32) { w[len(w)-4]++ }},
		{s.index, "do not add up", func(x *Index, w []int32) { x.Splits[0].Chunks++ }},
		{s.index, "events in the shards", func(x *Index, w []int32) { x.Splits[0].EncodedEvents++ }},
		{s.index, "outside the folder", func(x *Index, w []int32) { x.Splits[0].Shards[0].File = "../x" }},
		{s.index, "impossible size", func(x *Index, w []int32) { x.Splits[0].Shards[0].Tokens = 1 << 40 }},
		{s.index, "another vocabulary", func(x *Index, w []int32) { x.Vocabulary = "" }},
		{s.index, "a context of", func(x *Index, w []int32) { x.Context = 1 << 20 }},
		{s.index, "format 7", func(x *Index, w []int32) { x.Format = 7 }},
		{s.index, "out of its place", func(x *Index, w []int32) { x.Splits[1].Name = "train" }},
		{s.index, "2 splits", func(x *Index, w []int32) { x.Splits = x.Splits[:2] }},
	} {
		t.Run(c.says, func(t *testing.T) {
			s.forge(t, c.change)
			s.requireRefused(t, c.path, c.says)
		})
	}
}

// BenchmarkWrite encodes a cohort into a corpus on disk, checksums and flushes included.
func BenchmarkWrite(b *testing.B) {
	cohort := simulated(b, 4000)
	v := fitted(b, cohort, func(c *token.Config) { c.Context = 1024 })
	tokens := int64(0)
	for b.Loop() {
		index, err := Write(b.Context(), filepath.Join(b.TempDir(), "corpus"), cohort, v)
		require.NoError(b, err)
		tokens = 0
		for i := range index.Splits {
			tokens += index.Splits[i].Tokens
		}
	}
	b.ReportMetric(float64(b.N*len(cohort.Patients))/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(tokens)/float64(len(cohort.Patients)), "tokens/record")
}
