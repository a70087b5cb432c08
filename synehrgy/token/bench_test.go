package token

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// benchShape gives records of about 200 tokens.
var benchShape = shape{covariates: 4, labels: 10, systems: 2, variables: 12, patients: 2000, visits: 2, rows: 32}

func benchCohort(b *testing.B) (*ehr.Cohort, *Vocabulary, float64) {
	cohort := randomCohort(1, benchShape)
	v := fit(b, cohort, DefaultConfig())
	tokens := 0
	for i := range cohort.Patients {
		r, err := v.Encode(&cohort.Patients[i])
		require.NoError(b, err)
		tokens += len(r.Tokens)
	}
	return cohort, v, float64(tokens) / float64(len(cohort.Patients))
}

// BenchmarkEncode encodes on all processors and lays out chunks, one encoder a goroutine.
func BenchmarkEncode(b *testing.B) {
	cohort, v, mean := benchCohort(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		e, chunks := v.NewEncoder(), []Chunk{}
		var r Record
		for i := 0; pb.Next(); i++ {
			if err := e.Encode(&cohort.Patients[i%len(cohort.Patients)], &r); err != nil {
				b.Error(err)
			}
			chunks, _, _ = v.AppendChunks(chunks[:0], &r, 1024)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(mean, "tokens/record")
}

func BenchmarkDecode(b *testing.B) {
	cohort, v, _ := benchCohort(b)
	r, err := v.Encode(&cohort.Patients[0])
	require.NoError(b, err)
	numbers := v.Draw(r.Tokens, 0, 0)
	for b.Loop() {
		if _, err := v.Decode(r.Tokens, numbers); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(r.Tokens))/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkFit(b *testing.B) {
	cohort := randomCohort(1, benchShape)
	values := cohort.Only(ehr.Train).Events()
	for b.Loop() {
		if _, err := Fit(cohort, DefaultConfig()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(values)/b.Elapsed().Seconds(), "events/s")
}
