package evaluate

// A world whose law is known: 4,656 codes with Zipf weights in 40 groups, one visit a record, records of 5 to 20 codes of
// which half come from the record's own group. Every arm below damages or copies it in a known way, so it is known
// beforehand what a score has to say.

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

const (
	toyCodes   = 4656
	toyRecords = 2000
	toyGroups  = 40
)

// splitMix is the generator of the world.
type splitMix uint64

func (s *splitMix) uniform() float64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return float64((z^z>>31)>>11) * 0x1p-53
}

// pool picks its entries in proportion to weights, through running sums.
type pool struct {
	code []int
	sum  []float64
}

func newPool(codes []int, weight func(c int) float64) pool {
	p := pool{code: codes}
	total := 0.0
	for _, c := range codes {
		total += weight(c)
		p.sum = append(p.sum, total)
	}
	return p
}

func (p *pool) pick(u float64) int {
	target := u * p.sum[len(p.sum)-1]
	i, _ := slices.BinarySearchFunc(p.sum, target, func(s, t float64) int {
		if s > t {
			return 1
		}
		return -1
	})
	return p.code[min(i, len(p.code)-1)]
}

type toyWorld struct {
	all    pool
	groups [toyGroups]pool
}

func newToyWorld() *toyWorld {
	zipf := func(c int) float64 { return 1 / float64(c+1) }
	var everything []int
	var members [toyGroups][]int
	for c := range toyCodes {
		everything = append(everything, c)
		members[c%toyGroups] = append(members[c%toyGroups], c)
	}
	w := &toyWorld{all: newPool(everything, zipf)}
	for g := range members {
		w.groups[g] = newPool(members[g], zipf)
	}
	return w
}

// law draws records; codes of top or more are drawn again (top = toyCodes: none are).
func (w *toyWorld) law(seed, top int) [][]int {
	s := splitMix(seed)
	out := make([][]int, toyRecords)
	for i := range out {
		g := int(toyGroups * s.uniform())
		n := 5 + int(16*s.uniform())
		for len(out[i]) < n {
			from := &w.groups[g]
			if s.uniform() < 0.5 {
				from = &w.all
			}
			if c := from.pick(s.uniform()); c < top && !slices.Contains(out[i], c) {
				out[i] = append(out[i], c)
			}
		}
	}
	return out
}

func copied(good, train [][]int, percent int) [][]int {
	out := slices.Clone(good)
	copy(out, train[:toyRecords*percent/100])
	return out
}

func (w *toyWorld) noisy(seed int, train [][]int, percent int) [][]int {
	s := splitMix(seed)
	out := make([][]int, len(train))
	for i, record := range train {
		out[i] = slices.Clone(record)
		for j := range out[i] {
			if s.uniform() >= float64(percent)/100 {
				continue
			}
			c := w.all.pick(s.uniform())
			for slices.Contains(out[i], c) {
				c = w.all.pick(s.uniform())
			}
			out[i][j] = c
		}
	}
	return out
}

func toyIndependent(seed int, train [][]int) [][]int {
	counts := make([]int, toyCodes)
	var everything []int
	for c := range toyCodes {
		everything = append(everything, c)
	}
	for _, record := range train {
		for _, c := range record {
			counts[c]++
		}
	}
	pooled := newPool(everything, func(c int) float64 { return float64(counts[c]) })
	s := splitMix(seed)
	out := make([][]int, len(train))
	for i := range out {
		n := len(train[int(toyRecords*s.uniform())])
		for len(out[i]) < n {
			if c := pooled.pick(s.uniform()); !slices.Contains(out[i], c) {
				out[i] = append(out[i], c)
			}
		}
	}
	return out
}

func collapsed(good [][]int) [][]int {
	out := make([][]int, len(good))
	for i := range out {
		out[i] = good[i%20]
	}
	return out
}

func toyCohort(records [][]int) *ehr.Cohort {
	c := &ehr.Cohort{Schema: ehr.Schema{Source: "toy", Systems: []ehr.System{{Name: "TOY", Kind: ehr.Diagnosis}}, Mortality: -1}}
	for i, record := range records {
		v := ehr.Visit{SinceDischarge: ehr.Unknown, Stay: ehr.Unknown}
		for _, code := range record {
			v.Codes = append(v.Codes, ehr.Code{Code: strconv.Itoa(code)})
		}
		c.Patients = append(c.Patients, ehr.Patient{ID: strconv.Itoa(i), Visits: []ehr.Visit{v}})
	}
	return c
}

func toyPatients(records [][]int) []*ehr.Patient {
	var out []*ehr.Patient
	c := toyCohort(records)
	for i := range c.Patients {
		out = append(out, &c.Patients[i])
	}
	return out
}

// sparseNeighbours is exact on points of zeros and ones, by inverted lists: quick where points are 4,000 wide and hold a dozen
// ones. TestInvertedListsAgreeWithThePlainSearch holds it to PlainNeighbours.
type sparseNeighbours struct{ threads int }

func (s sparseNeighbours) Nearest(ctx context.Context, query, base Matrix, k int, excludeSelf bool) ([]float32, []int32, error) {
	holders := make([][]int32, base.Cols)
	size := make([]int32, base.Rows)
	for i := range base.Rows {
		for c, x := range base.Row(i) {
			if x != 0 {
				holders[c] = append(holders[c], int32(i))
				size[i]++
			}
		}
	}
	dist, index := make([]float32, query.Rows*k), make([]int32, query.Rows*k)
	err := parallel(ctx, s.threads, query.Rows, func(q int) error {
		common, own := make([]int32, base.Rows), int32(0)
		for c, x := range query.Row(q) {
			if x != 0 {
				own++
				for _, i := range holders[c] {
					common[i]++
				}
			}
		}
		list := newShortlist(k)
		for i, n := range common {
			if d := float64(own + size[i] - 2*n); !(excludeSelf && i == q) && d < list.worst() {
				list.insert(d, int32(i))
			}
		}
		for r := range k {
			dist[q*k+r], index[q*k+r] = float32(list.d[r]), list.index[r]
		}
		return nil
	})
	return dist, index, err
}

func TestToyWorldIsTheOneSpecified(t *testing.T) {
	world := newToyWorld()
	train := world.law(101, toyCodes)
	require.Equal(t, []int{83, 32, 1, 1540, 112}, train[0][:5])
	total, seen := 0, map[int]bool{}
	for _, record := range train {
		total += len(record)
		for _, c := range record {
			seen[c] = true
		}
	}
	require.Equal(t, 12.6625, float64(total)/toyRecords)
	require.Len(t, seen, 3726)
}

func TestInvertedListsAgreeWithThePlainSearch(t *testing.T) {
	world := newToyWorld()
	records := world.law(7, toyCodes)[:160]
	p := toyPatients(records)
	schema := &toyCohort(nil).Schema
	points := newSpace(schema, p, p).points(p)
	half := Matrix{80, points.Cols, points.Data[:80*points.Cols]}
	for _, self := range []bool{false, true} {
		d1, i1, err := PlainNeighbours(2).Nearest(t.Context(), half, points, 3, self)
		require.NoError(t, err)
		d2, i2, err := sparseNeighbours{2}.Nearest(t.Context(), half, points, 3, self)
		require.NoError(t, err)
		require.Equal(t, d2, d1)
		require.Equal(t, i2, i1)
	}
}
