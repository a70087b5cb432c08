package token

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

func oneField(t testing.TB, decimals int, low, high *float64) *field {
	t.Helper()
	f, err := newField(&ehr.Variable{Name: "x", Kind: ehr.Number, Decimals: decimals, Low: low, High: high})
	require.NoError(t, err)
	return &f
}

// fitted fits a field to a copy of the sample and holds what all bins promise.
func fitted(t testing.TB, f *field, sample []int64, rule Binning, edges ...float64) *field {
	t.Helper()
	f.Bins = fitBins(f, slices.Clone(sample), &rule, edges)
	require.NoError(t, f.check(f.low, f.high))
	require.LessOrEqual(t, len(f.Upper), max(rule.Bins, len(edges)-1))
	for bin := range f.Upper {
		for _, x := range []uint64{0, 1 << 50, 1 << 63, math.MaxUint64} {
			q := Dequantise(f.Bins.Knots[bin], x)
			require.Equal(t, bin, f.Find(q), "a draw stays in its bin")
		}
	}
	return f
}

func TestFewDistinctValuesAreAtoms(t *testing.T) {
	sample := []int64{1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 15, 15, 15, 15, 15}
	f := fitted(t, oneField(t, 0, nil, nil), sample, DefaultConfig().Values)
	require.Equal(t, [][]int64{{1}, {4}, {15}}, f.Knots)
	require.Equal(t, 0, f.Find(2), "what training did not hold goes to the nearer")
	require.Equal(t, 2, f.Find(10))
	require.Equal(t, 0, f.Find(-5))
	require.Equal(t, 2, f.Find(99))
}

// TestRoomAirGetsItsOwnBin: a value that holds much of the mass comes back exactly, and takes nothing from its neighbours.
func TestRoomAirGetsItsOwnBin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var sample []int64
	for range 5000 {
		q := int64(21)
		if r.IntN(3) == 0 {
			q = 30 + int64(r.IntN(700))
		}
		sample = append(sample, q)
	}
	f := fitted(t, oneField(t, 0, ehr.Bound(0), ehr.Bound(1000)), sample, DefaultConfig().Values)
	bin := f.Find(21)
	require.Equal(t, []int64{21}, f.Bins.Knots[bin])
	require.NotEqual(t, bin, f.Find(22), "numbers that training did not hold go to the bin beside it")
	require.Len(t, f.Upper, 32)
	for i := range sample {
		sample[i] = 800 - sample[i]
	}
	f = fitted(t, oneField(t, 0, ehr.Bound(0), ehr.Bound(1000)), sample, DefaultConfig().Values)
	require.NotEqual(t, f.Find(800-21), f.Find(800-22), "on either side of it")
}

// TestTailsStay: one in a thousand is told apart from the rest, on both sides.
func TestTailsStay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sample := make([]int64, 20_000)
	for i := range sample {
		sample[i] = int64(math.Round(1000 * math.Exp(r.NormFloat64()))) // log-normal: lactate, bilirubin …
	}
	f := fitted(t, oneField(t, 0, nil, nil), sample, DefaultConfig().Values)
	require.Len(t, f.Upper, 32)
	slices.Sort(sample)
	last := f.Bins.Knots[31]
	require.Equal(t, sample[len(sample)-1], last[len(last)-1], "the greatest value can be drawn")
	require.Equal(t, sample[0], f.Bins.Knots[0][0], "the least too")
	rank := func(q int64) float64 {
		i, _ := slices.BinarySearch(sample, q)
		return float64(i) / float64(len(sample))
	}
	require.InDelta(t, 0.999, rank(last[0]), 0.0005)
	require.InDelta(t, 0.99, rank(f.Bins.Knots[30][0]), 0.002)
	require.InDelta(t, 0.001, rank(f.Upper[0]+1), 0.0005)
	require.InDelta(t, 0.01, rank(f.Upper[1]+1), 0.002)
	for bin := 2; bin < 30; bin++ {
		share := rank(f.Upper[bin]+1) - rank(f.Upper[bin-1]+1)
		require.InDelta(t, 0.98/28, share, 0.004, "the other bins share what is left")
	}
}

// TestDrawsFollowTheSample: numbers drawn from bins have the distribution of the sample (Kolmogorov-Smirnov distance).
func TestDrawsFollowTheSample(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	sample := make([]int64, 20_000)
	for i := range sample {
		sample[i] = int64(math.Round(100*math.Exp(0.5*r.NormFloat64()))) + int64(r.IntN(2))*300
	}
	f := fitted(t, oneField(t, 0, nil, nil), sample, DefaultConfig().Values)
	drawn := make([]int64, len(sample))
	for i, q := range sample {
		drawn[i] = Dequantise(f.Bins.Knots[f.Find(q)], r.Uint64())
	}
	slices.Sort(sample)
	slices.Sort(drawn)
	worst := 0.0
	for _, q := range sample {
		i, _ := slices.BinarySearch(sample, q+1)
		j, _ := slices.BinarySearch(drawn, q+1)
		worst = max(worst, math.Abs(float64(i-j))/float64(len(sample)))
	}
	require.Less(t, worst, 0.01)
}

func TestFewValuesGetFewBins(t *testing.T) {
	sample := []int64{3, 9, 27, 81, 243, 729, 2187, 6561, 19683, 59049, 177147}
	f := fitted(t, oneField(t, 0, nil, nil), sample, DefaultConfig().Values)
	require.Len(t, f.Upper, 2, "eleven values are worth two bins of five")
	f = fitted(t, oneField(t, 0, nil, nil), []int64{42}, DefaultConfig().Values)
	require.Equal(t, [][]int64{{42}}, f.Bins.Knots)
}

// TestHeavyAtomsDoNotCrowdOutTheRest: more forced limits than bins are given up from the lightest.
func TestHeavyAtomsDoNotCrowdOutTheRest(t *testing.T) {
	var sample []int64
	for i := range int64(200) {
		n := 1
		if i%2 == 1 {
			n = 40
		}
		for range n {
			sample = append(sample, i*10)
		}
	}
	for bins := 1; bins < 40; bins++ {
		rule := DefaultConfig().Values
		rule.Bins, rule.AtomShare = bins, 0.3
		fitted(t, oneField(t, 0, nil, nil), sample, rule)
	}
}

func TestBinsOfRandomSamplesHold(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		sample := make([]int64, 1+r.IntN(400))
		spread := int64(1) << r.IntN(40)
		for i := range sample {
			sample[i] = r.Int64N(spread) - spread/2
			if r.IntN(3) == 0 {
				sample[i] = sample[0]
			}
		}
		rule := DefaultConfig().Values
		rule.Bins, rule.MinCount, rule.Knots = 1+r.IntN(64), 1+r.IntN(8), 2+r.IntN(7)
		f := fitted(t, oneField(t, 0, nil, nil), sample, rule)
		for _, q := range sample {
			require.False(t, f.Outside(q))
		}
		rule.Method = Relative
		fitted(t, oneField(t, 0, nil, nil), sample, rule)
		rule.Method, rule.Trim, rule.Density = Uniform, r.IntN(2) == 0, []string{Learned, Flat}[r.IntN(2)]
		fitted(t, oneField(t, 0, nil, nil), sample, rule)
	}
}

// TestUniformBinsFollowThePublishedRule on a sample whose quantiles are known.
func TestUniformBinsFollowThePublishedRule(t *testing.T) {
	rule := Binning{Method: Uniform, Bins: 10, MinCount: 1, DistinctPerBin: 5, Trim: true, Density: Flat, Knots: 2}
	var sample []int64
	for i := range int64(1000) {
		sample = append(sample, i)
	}
	sample = append(sample, 1_000_000) // (1e6 - q97.5) / (q97.5 - q50) is far above 3
	f := fitted(t, oneField(t, 0, ehr.Bound(0), nil), sample, rule)
	require.Len(t, f.Upper, 10)
	require.Equal(t, int64(975), f.Upper[9], "values above the 97.5 % quantile are out of the range")
	require.Equal(t, 9, f.Find(1_000_000), "and belong to the last bin")
	require.Equal(t, int64(97), f.Upper[0])
	require.Equal(t, []int64{98, 195}, f.Bins.Knots[1], "a draw is uniform between the edges")
	require.Equal(t, int64(0), f.Low, "the widened first interval stays within the physical range")

	f = fitted(t, oneField(t, 0, nil, nil), sample, rule)
	require.Equal(t, int64(0), f.Low)
	f = fitted(t, oneField(t, 2, nil, nil), sample, rule)
	require.Equal(t, int64(0), f.Low, "a thousandth of 975 units is less than one unit")
	wide := []int64{0, 2000, 4000, 6000, 8000, 10_000, 12_000, 14_000, 16_000, 18_000, 20_000}
	f = fitted(t, oneField(t, 0, nil, nil), wide, rule)
	require.Equal(t, int64(-19), f.Low, "right-closed: -20 itself is outside")
	require.Equal(t, []int64{10_000, 20_000}, f.Upper, "eleven distinct values are worth two bins")
}

func TestFixedEdgesStayWithinThePhysicalRange(t *testing.T) {
	rule := DefaultConfig().Values
	rule.Density = Flat
	f := fitted(t, oneField(t, 0, ehr.Bound(0), ehr.Bound(90)), []int64{30, 60, 90}, rule, -20, -10, 20, 50, 95, 120)
	require.Equal(t, []int64{20, 50, 90}, f.Upper)
	require.Equal(t, [][]int64{{0, 20}, {21, 50}, {51, 90}}, f.Bins.Knots)
}

func TestNumbersKeepTheirDecimalsAndRange(t *testing.T) {
	f := oneField(t, 2, ehr.Bound(0.005), ehr.Bound(1.005))
	require.Equal(t, int64(1), f.low)
	require.Equal(t, int64(100), f.high)
	require.Equal(t, int64(1), f.units(0.005))
	require.Equal(t, 0.21, f.number(f.units(0.21)))
	wide := oneField(t, 6, nil, nil)
	for _, x := range []float64{math.Inf(1), math.Inf(-1), 1e300, -1e300} {
		require.LessOrEqual(t, wide.units(x), farthest)
		require.GreaterOrEqual(t, wide.units(x), -farthest)
	}
	_, err := newField(&ehr.Variable{Name: "x", Kind: ehr.Number, Low: ehr.Bound(0.2), High: ehr.Bound(0.8)})
	require.ErrorContains(t, err, "no number of 0 decimals")
}

// TestLongGapsAreToldApart: a thousandth of the gaps, of days, gets several bins although minutes could use up all of them,
// and an hour stays exact.
func TestLongGapsAreToldApart(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var sample []int64
	for i := range 100_000 {
		gap := 1 + int64(r.IntN(100))
		switch {
		case i%1000 == 0:
			gap = 1000 + int64(r.IntN(40_000))
		case i%3 == 0:
			gap = 60
		}
		sample = append(sample, gap)
	}
	f := fitted(t, oneField(t, 0, ehr.Bound(1), nil), sample, DefaultConfig().Times)
	require.Len(t, f.Upper, 64)
	require.GreaterOrEqual(t, len(f.Upper)-f.Find(1000), 4)
	require.Equal(t, []int64{60}, f.Bins.Knots[f.Find(60)])

	rule := DefaultConfig().Times
	rule.Method = Quantile
	f = fitted(t, oneField(t, 0, ehr.Bound(1), nil), sample, rule)
	require.Equal(t, 1, len(f.Upper)-f.Find(1000), "bins of equal mass have one for all of them")
}
