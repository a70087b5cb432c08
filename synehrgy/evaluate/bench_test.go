package evaluate

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// stays is patients of one stay with 37 variables and some 440 values in 75 rows: the size of the Challenge 2012 data.
func stays(n int, seed uint64) *ehr.Cohort {
	c := &ehr.Cohort{Schema: ehr.Schema{Source: "stays", Labels: []ehr.LabelDef{{Name: "died"}}}}
	for i := range 37 {
		c.Schema.Variables = append(c.Schema.Variables, ehr.Variable{Name: "v" + strconv.Itoa(i), Kind: ehr.Number})
	}
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		severity := r.NormFloat64()
		v := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: int64(r.IntN(9000)), Labels: []ehr.Label{{Label: 0, On: r.NormFloat64()+severity > 1.5}}}
		for row := range 75 {
			out := ehr.Row{At: int64(38 * row)}
			for j := range 37 {
				if j == row%37 || r.Float64() < 0.13 {
					out.Values = append(out.Values, ehr.Value{Var: int32(j), X: severity + r.NormFloat64()})
				}
			}
			v.Rows = append(v.Rows, out)
		}
		c.Patients = append(c.Patients, ehr.Patient{ID: strconv.Itoa(i), Visits: []ehr.Visit{v}})
	}
	return c
}

// BenchmarkFourThousandStays is everything but the trees, with the neighbours in plain Go.
func BenchmarkFourThousandStays(b *testing.B) {
	in := Input{stays(2800, 1), stays(800, 2), stays(2800, 3)}
	for b.Loop() {
		_, err := Run(b.Context(), in, Options{})
		require.NoError(b, err)
	}
}
