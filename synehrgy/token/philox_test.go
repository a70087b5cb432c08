package token

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPhiloxKnownAnswers: the three blocks of the published test set of Random123 for Philox4x32-10.
func TestPhiloxKnownAnswers(t *testing.T) {
	const ones = 0xffffffff
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{ones, ones, ones, ones}, [2]uint32{ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		require.Equal(t, c.want, Philox(c.counter, c.key))
	}
	const item = 0x123456789abc
	require.Equal(t, Philox([4]uint32{3, 9, 0x56789abc, 0x1234_0006}, [2]uint32{0xdeadbeef, 7}), Random(7<<32|0xdeadbeef, PurposeDequantise, 3, 9, item))
}

// TestDequantiseIsThatOfTheCore: ends, halves away from zero, knots as far apart as integers can be.
func TestDequantiseIsThatOfTheCore(t *testing.T) {
	const half, last = uint64(1) << 63, ^uint64(0)
	require.Equal(t, int64(5), Dequantise([]int64{5}, last))
	knots := []int64{-30, -10, 50}
	for x, want := range map[uint64]int64{0: -30, half: -10, last: 50, half / 2: -20} {
		require.Equal(t, want, Dequantise(knots, x))
	}
	require.Equal(t, int64(1), Dequantise([]int64{0, 1}, half))
	require.Equal(t, int64(0), Dequantise([]int64{0, 1}, half-1))
	require.Equal(t, int64(-1), Dequantise([]int64{-1, 0}, half))
	require.Equal(t, int64(0), Dequantise([]int64{-1, 0}, half+1))
	wide := []int64{math.MinInt64 + 1, math.MaxInt64}
	require.Equal(t, wide[0], Dequantise(wide, 0))
	require.Equal(t, int64(0), Dequantise(wide, half))
}

func TestShuffleIsAPermutationOfSeedAndEpoch(t *testing.T) {
	order := func(seed, epoch uint64) []int32 {
		out := make([]int32, 1000)
		for i := range out {
			out[i] = int32(i)
		}
		Shuffle(out, seed, epoch)
		return out
	}
	a := order(1, 0)
	require.Equal(t, a, order(1, 0))
	require.NotEqual(t, a, order(1, 1))
	require.NotEqual(t, a, order(2, 0))
	slices.Sort(a)
	for i := range a {
		require.Equal(t, int32(i), a[i])
	}
}
