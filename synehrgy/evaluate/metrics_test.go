package evaluate

// Every metric against numbers worked out by hand.

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

func ones(n int) []uint16 { return slices.Repeat([]uint16{1}, n) }

func TestUnionR2ByHand(t *testing.T) {
	// p = 1, 1/2, 0 and q = 1/2, 1/2, 1/2 over three keys: mean p = 1/2, residual 1/4 + 0 + 1/4, spread 1/4 + 0 + 1/4.
	require.InDelta(t, 0, unionR2([]int32{4, 2, 0, 0}, []int32{2, 2, 2, 0}, 4, 4), 1e-15)
	require.InDelta(t, 1, unionR2([]int32{4, 2, 0, 0}, []int32{2, 1, 0, 0}, 4, 2), 1e-15, "prevalences, not counts")
	require.True(t, math.IsNaN(unionR2([]int32{1}, []int32{1}, 0, 1)), "nothing to divide by")
	require.True(t, math.IsNaN(unionR2([]int32{2, 2}, []int32{1, 0}, 2, 2)), "constant prevalences")
}

func TestCombinationsOfCodes(t *testing.T) {
	visits := [][]int32{{1, 2, 3}, {2, 3}}
	list := func(c combination) (keys []uint64) { c(visits, func(k uint64) { keys = append(keys, k) }); return keys }
	require.Equal(t, []uint64{1, 2, 3, 2, 3}, list(singles))
	require.Equal(t, []uint64{pairKey(1, 2), pairKey(1, 3), pairKey(2, 3), pairKey(2, 3)}, list(pairs))
	require.Equal(t, []uint64{pairKey(1, 2), pairKey(1, 3), pairKey(2, 2), pairKey(2, 3), pairKey(3, 2), pairKey(3, 3)}, list(successions))

	ring := keyring{}
	o := ring.occurrencesOf([][][]int32{visits, nil, {{2}}}, pairs, perRecord, true)
	counts := make([]int32, len(ring))
	require.EqualValues(t, 2, o.count(ones(3), counts), "a patient without a visit is left out")
	require.Equal(t, []int32{1, 1, 1}, counts, "a pair counts once a patient")
	require.EqualValues(t, 7, o.count([]uint16{2, 1, 5}, counts))
	require.Equal(t, []int32{2, 2, 2}, counts)

	o = keyring{}.occurrencesOf([][][]int32{visits, {{2}}}, successions, perSuccession, false)
	require.Equal(t, []int32{1, 0}, o.units)
}

func TestBandsOfFrequency(t *testing.T) {
	// 20 pairs: 12 reach half at once; then 4 and 2 up to nine tenths (12+4+2 = 18); then singletons; then an unseen code.
	require.Equal(t, []band{head, middle, middle, singleton, singleton, noBand}, bands([]int32{12, 4, 2, 1, 1, 0}))
	// 20 pairs: 10, 8 end at nine tenths, so the code of two patients is tail.
	require.Equal(t, []band{head, middle, tail}, bands([]int32{10, 8, 2}))
}

func TestDistancesOfDistributionsByHand(t *testing.T) {
	a := sample{[]float64{0, 1}, []int32{0, 1}}
	b := sample{[]float64{1, 3}, []int32{0, 1}}
	o := overlaid(a, b, 2, 2)
	// F - G is 1/2 on [0, 1) and on [1, 3): KS 1/2, W1 1/2 + 2/2.
	ks, w1 := o.distances(ones(2), ones(2), make([]int64, 4))
	require.Equal(t, 0.5, ks)
	require.Equal(t, 1.5, w1)
	// Weights 0, 2 leave 1, 1 against 1, 1.
	ks, w1 = o.distances([]uint16{0, 2}, []uint16{2, 0}, make([]int64, 4))
	require.Zero(t, ks)
	require.Zero(t, w1)
	ks, _ = o.distances([]uint16{0, 0}, ones(2), make([]int64, 4))
	require.True(t, math.IsNaN(ks))

	p := sample{[]float64{0, 0, 1, 2}, []int32{0, 0, 1, 1}}
	q := sample{[]float64{0, 1, 1, 1}, []int32{0, 1, 1, 1}}
	require.Equal(t, 0.5, totalVariation(&p, &q, ones(2), ones(2), 3)) // 1/2 (1/4 + 1/2 + 1/4)
}

func TestRankingByHand(t *testing.T) {
	// Scores 4 + | 3 - | 2 + and - | 1 -: pairs won 3 + 1 + 1/2 of 2 x 3.
	r := ranking([]float64{2, 4, 1, 3, 2}, []bool{true, true, false, false, false}, []int32{0, 1, 0, 1, 2})
	require.InDelta(t, 4.5/6, r.auroc(ones(2), ones(3)), 1e-15)
	// Precision 1 at recall 1/2, 2/4 at recall 1.
	require.InDelta(t, 0.75, r.auprc(ones(2), ones(3)), 1e-15)
	require.Equal(t, 0.5, r.tprAt(0, ones(2), ones(3)))
	require.Equal(t, 0.5, r.tprAt(0.34, ones(2), ones(3)), "the tie at 2 brings the second negative with it")
	require.Equal(t, 1.0, r.tprAt(0.67, ones(2), ones(3)))
	require.True(t, math.IsNaN(r.auroc(ones(2), []uint16{0, 0, 0})))
	// Without the positive of score 2: 3 of 3.
	require.Equal(t, 1.0, r.auroc([]uint16{0, 1}, ones(3)))
}

func TestPearsonByHand(t *testing.T) {
	require.InDelta(t, 0.5, pearson([]float64{1, 2, 3}, []float64{1, 3, 2}), 1e-15)
	require.True(t, math.IsNaN(pearson([]float64{1, 1}, []float64{1, 2})))
}

func rows(values ...[]ehr.Value) []ehr.Row {
	var out []ehr.Row
	for i, v := range values {
		out = append(out, ehr.Row{At: int64(60 * i), Values: v})
	}
	return out
}

func TestCorrelationCarriesValuesForwardSixRows(t *testing.T) {
	f := newFiller(2)
	column, scales := []int32{0, 1}, []scale{{0, 1}, {0, 1}}
	f.reset()
	require.Equal(t, []int32{0}, f.row(&ehr.Row{Values: []ehr.Value{{Var: 0, X: 5}}}, column, scales))
	for range 6 {
		require.Equal(t, []int32{0, 1}, f.row(&ehr.Row{Values: []ehr.Value{{Var: 1, X: 7}}}, column, scales))
	}
	require.Equal(t, []int32{1}, f.row(&ehr.Row{Values: []ehr.Value{{Var: 1, X: 7}}}, column, scales), "the seventh row no longer")
	f.reset()
	require.Empty(t, f.row(&ehr.Row{}, column, scales), "nothing is carried into the next visit")
}

func TestCorrelationOfPooledRowsIsPearson(t *testing.T) {
	var x, y []float64
	p := &ehr.Patient{Visits: make([]ehr.Visit, 1)}
	for i := range 150 {
		a, b := float64(i%7), float64((i*i)%11)
		x, y = append(x, a), append(y, b)
		p.Visits[0].Rows = append(p.Visits[0].Rows, ehr.Row{At: int64(i), Values: []ehr.Value{{Var: 0, X: a}, {Var: 1, X: b}}})
	}
	sums := pairSums(&set{[]*ehr.Patient{p}, weights{{1}, {3}}}, []int32{0, 1}, []scale{{3, 2}, {5, 3}})
	require.InDelta(t, pearson(x, y), correlations(sums[0])[0], 1e-12)
	require.InDelta(t, pearson(x, y), correlations(sums[1])[0], 1e-12)
	p.Visits[0].Rows = p.Visits[0].Rows[:fewestPairs-1]
	sums = pairSums(&set{[]*ehr.Patient{p}, weights{{1}}}, []int32{0, 1}, []scale{{3, 2}, {5, 3}})
	require.True(t, math.IsNaN(correlations(sums[0])[0]), "99 rows are too few")
	require.Equal(t, 0.35, meanGap([]float64{.5, math.NaN()}, []float64{-.1, .1}))
}

func TestCooccurrenceByHand(t *testing.T) {
	p := &ehr.Patient{Visits: []ehr.Visit{
		{Rows: rows([]ehr.Value{{Var: 0}, {Var: 1}}, []ehr.Value{{Var: 0}}, []ehr.Value{{Var: 0}})},
		{Rows: rows([]ehr.Value{{Var: 2}})},
	}}
	c := countPresence(&set{[]*ehr.Patient{p}, weights{{1}}}, 3)
	require.Equal(t, []float64{25, 0, 0}, cooccurrence(c.together[0], 3)) // 100 x 1 / (3 + 1)
	require.Equal(t, []float64{.75, .25, .25}, c.rowRates(0, 3))
	require.Equal(t, []int64{1, 1, 1}, c.visits[0])
	require.EqualValues(t, 2, c.visCount[0])
	require.Equal(t, 12.5, meanSquaredGap([]float64{25, 0}, []float64{20, 0}))
}

func TestPrivacyLossByHand(t *testing.T) {
	line := func(xs ...float32) *cloud {
		return &cloud{points: Matrix{len(xs), 1, xs}, prints: make([][32]byte, len(xs)), weights: weights{ones(len(xs))}}
	}
	// The release copies members 0 and 10 and sits off the others at 4 and 6.
	s := &suspect{released: line(0, 10), members: line(0, 10), others: line(4, 6)}
	a, err := s.audit(t.Context(), newSearcher(PlainNeighbours(1), 1))
	require.NoError(t, err)
	// Members: 0 > 100 never on either side, so AA = 0. Others: 16 > 4 twice; the released, 16 > 100 never: AA = 1/2.
	require.Zero(t, a.accuracy.value)
	require.Equal(t, 0.5, a.loss.value)
	require.Equal(t, 1.0, a.auroc.value)
	require.Equal(t, 1.0, a.tpr.value)
	require.Equal(t, 1.0, a.closer.value)
	require.Zero(t, a.copied.value, "without fingerprints nothing is a copy")

	// All at one place: every comparison is a tie.
	s = &suspect{released: line(1, 1), members: line(1, 1), others: line(1, 1)}
	a, err = s.audit(t.Context(), newSearcher(PlainNeighbours(1), 1))
	require.NoError(t, err)
	require.Equal(t, []float64{.5, 0, .5, .5}, []float64{a.accuracy.value, a.loss.value, a.auroc.value, a.closer.value})
}

func TestPlainNeighboursBreakTiesToTheLowerIndex(t *testing.T) {
	base := Matrix{4, 2, []float32{1, 0, 0, 1, 3, 3, 0, 1}}
	d, index, err := PlainNeighbours(1).Nearest(t.Context(), Matrix{1, 2, []float32{0, 0}}, base, 3, false)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 1, 1}, d)
	require.Equal(t, []int32{0, 1, 3}, index)
	d, index, err = PlainNeighbours(1).Nearest(t.Context(), base, base, 4, true)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 3, 2, -1}, index[:4])
	require.True(t, math.IsInf(float64(d[3]), 1))
}

func TestIntervalIsMovedToTheValue(t *testing.T) {
	e := estimate{value: 10}
	for i := range 101 {
		e.draws = append(e.draws, float64(i)/10) // 0 … 10, mean 5
	}
	require.InDelta(t, 5.25, e.quantile(.025), 1e-12)
	require.InDelta(t, 14.75, e.quantile(.975), 1e-12)
	f := found(Metric{}, 0, 12, estimates{e, undefined("why"), e, e})
	require.Equal(t, 12.0, *f.Scores[0].High, "cut to what the metric can be")
	require.Nil(t, f.Scores[1].Value)
	require.Equal(t, "why", f.Scores[1].Note)
}

func TestBootstrapSpreadOfR2IsThatOfFreshSamples(t *testing.T) {
	world := newToyWorld()
	train, arm := toyPatients(world.law(101, toyCodes)), toyPatients(world.law(404, toyCodes))
	ref, cand := &set{train, resample(1, "a", len(train), 60)}, &set{arm, resample(1, "b", len(arm), 60)}
	p := &panel{schema: &toyCohort(nil).Schema, train: train, reference: ref, candidates: [systemCount]*set{cand, cand, cand, ref}}
	book := newCodebook(train, arm)
	a, b := codeSets(train, book), codeSets(arm, book)
	by, _ := prevalenceStatistics[2].evaluate(p, [][][][]int32{a, b, b, b})
	m, squares := mean(by[0].draws), 0.0
	for _, x := range by[0].draws {
		squares += (x - m) * (x - m)
	}
	spread := math.Sqrt(squares / 60)
	require.InDelta(t, .015, spread, .010, "the standard deviation between fresh worlds is .015")
	require.Less(t, m, by[0].value-.05, "why the interval is moved: resampling adds noise of its own")
	require.Equal(t, 1.0, by[atCopy].value)
	require.Equal(t, 1.0, by[atCopy].quantile(.025), "the copy is resampled together with the training patients")
}
