package token

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// requireChunks lays a record out and holds what chunks promise, with a header worked out anew from the whole record.
func requireChunks(t *testing.T, v *Vocabulary, record *Record, context int) []Chunk {
	t.Helper()
	chunks, cut, err := v.AppendChunks(nil, record, context)
	require.NoError(t, err)
	require.Zero(t, cut)
	require.Equal(t, 1, chunks[0].Prefix)
	said := slices.Clone(chunks[0].Tokens[:1]) // every token as a target, in order
	for i, c := range chunks {
		require.LessOrEqual(t, len(c.Tokens), context)
		if i < len(chunks)-1 {
			require.Len(t, c.Tokens, context, "only the last chunk is short")
		}
		require.Less(t, c.Prefix, len(c.Tokens), "a chunk says something new")
		if i > 0 {
			header := headerAt(t, v, record, len(said))
			require.Equal(t, header, c.Tokens[:len(header)])
			replay := c.Tokens[len(header):c.Prefix]
			require.Equal(t, said[len(said)-len(replay):], replay)
		}
		said = append(said, c.Tokens[c.Prefix:]...)
	}
	require.Equal(t, record.Tokens, said, "every token but the first is a target exactly once")
	return chunks
}

// headerAt is the header and replay start of a chunk after one that ended before position end, and the header alone.
func headerAt(t *testing.T, v *Vocabulary, record *Record, end int) []int32 {
	t.Helper()
	tables := v.Reading()
	m := tables.NewMachine()
	cut, state := 0, int16(0)
	for i, token := range record.Tokens[1:] {
		if i+1 <= end && tables.ChunkToken[m.State()] >= 0 {
			cut, state = i+1, m.State()
		}
		require.True(t, m.Step(token))
	}
	var visits, elapsed int32
	var said []int32
	clock := record.Clock
	minutes := int64(0)
	for _, token := range record.Tokens[1:cut] {
		switch tables.Role[tables.Class[token]] {
		case RoleVisit:
			visits, said, minutes = visits+1, nil, 0
		case RoleCovariate, RoleLabel:
			said = append(said, token)
		case RoleGap:
			minutes, clock = clock[0], clock[1:]
		}
	}
	for _, edge := range tables.ElapsedEdges {
		if edge <= minutes {
			elapsed++
		}
	}
	header := []int32{tables.ChunkToken[state], tables.VisitToken0 + min(visits, tables.Visits) - 1, tables.ElapsedToken0 + elapsed}
	return append(header, said...)
}

func TestEveryTokenIsATargetOnce(t *testing.T) {
	long := fullShape
	long.patients, long.visits, long.rows = 8, 9, 40
	for name, c := range configs() {
		if c.Overflow != InChunks {
			continue
		}
		t.Run(name, func(t *testing.T) {
			cohort := randomCohort(8, long)
			v := fit(t, cohort, c)
			several := 0
			for _, context := range []int{v.MinContext(), v.MinContext() + 1, v.MinContext() + 37, 256, 1 << 20} {
				for i := range cohort.Patients {
					record, err := v.Encode(&cohort.Patients[i])
					require.NoError(t, err)
					if chunks := requireChunks(t, v, &record, context); len(chunks) > 2 {
						several++
					}
				}
			}
			require.Positive(t, several)
		})
	}
}

// TestWalksOfAnyLengthHaveChunks: also what a generator says, such as visits without anything in them, can be cut.
func TestWalksOfAnyLengthHaveChunks(t *testing.T) {
	for name, c := range configs() {
		if c.Overflow != InChunks {
			continue
		}
		t.Run(name, func(t *testing.T) {
			v := fit(t, randomCohort(5, fullShape), c)
			f := &v.first
			tokens := []int32{v.Generation().StartToken, f.first}
			m := v.Generation().NewMachine()
			require.True(t, m.Step(f.first))
			for len(tokens) < 5*v.MinContext() {
				before := len(tokens)
				for _, token := range []int32{f.mark[kindEndCovariates], f.mark[kindEndLabels], f.mark[kindEndCodes], f.mark[kindEndRows],
					f.unknown[timeStay], f.mark[kindEndVisit], f.unknown[timeSince]} {
					if token >= 0 && m.Step(token) {
						tokens = append(tokens, token)
					}
				}
				require.Greater(t, len(tokens), before)
			}
			requireChunks(t, v, &Record{Tokens: tokens}, v.MinContext())
		})
	}
}

func TestContextTooSmallIsASentence(t *testing.T) {
	cohort := randomCohort(8, fullShape)
	v := fit(t, cohort, DefaultConfig())
	config := DefaultConfig()
	config.Context = v.MinContext() - 1
	_, err := Fit(cohort, config)
	var usage *fault.Usage
	require.ErrorAs(t, err, &usage)
	require.ErrorContains(t, err, "is too small, expected at least")
	var record Record
	for i := 0; len(record.Tokens) <= config.Context; i++ {
		record, err = v.Encode(&cohort.Patients[i])
		require.NoError(t, err)
	}
	_, _, err = v.AppendChunks(nil, &record, config.Context)
	require.ErrorAs(t, err, &usage)
	// 12 = header of 3 + 4 + 5; 11 = since, covariates, labels and the code or offset after which a cut is allowed
	require.Equal(t, 12+11, v.MinContext())
}

func TestCutRecordsCountWhatTheyLose(t *testing.T) {
	cohort := randomCohort(8, fullShape)
	config := configs()["published"]
	config.Context = 20
	v := fit(t, cohort, config)
	for i := range cohort.Patients {
		record, err := v.Encode(&cohort.Patients[i])
		require.NoError(t, err)
		chunks, cut, err := v.AppendChunks(nil, &record, config.Context)
		require.NoError(t, err)
		require.Len(t, chunks, 1)
		require.Equal(t, len(record.Tokens), len(chunks[0].Tokens)+cut)
	}
}
