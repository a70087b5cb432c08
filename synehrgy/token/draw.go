package token

import (
	"math"
	"math/bits"
)

// This file turns tokens into numbers as the sampler of the core does, bit for bit, where it has not done so already.

// NoNumber stands beside a token that has no number.
const NoNumber int64 = math.MinInt64

// Dequantise returns the number of a bin for 64 random bits: with u = x / 2^64 and n knots, the value of the piecewise linear
// function at u (n-1), rounded to the nearest integer, halves away from zero. It never leaves the knots, and computes in
// integers alone.
func Dequantise(knots []int64, x uint64) int64 {
	if len(knots) == 1 {
		return knots[0]
	}
	piece, fraction := bits.Mul64(x, uint64(len(knots)-1))
	from := uint64(knots[piece])
	high, rest := bits.Mul64(uint64(knots[piece+1])-from, fraction)
	whole := int64(from + high)
	const half = uint64(1) << 63
	if rest > half || rest == half && whole >= 0 {
		whole++
	}
	return whole
}

// Draw returns the number of every token in units of 10^-decimals, NoNumber where a token has none. The number at a position
// depends on the seed, the item (the index of the patient) and the position alone; they are the numbers that the generator of
// the core gives to these tokens for that seed and patient.
func (v *Vocabulary) Draw(tokens []int32, seed, item uint64) []int64 {
	numbers := make([]int64, len(tokens))
	for i, t := range tokens {
		numbers[i] = NoNumber
		if t < 0 || int(t) >= v.full.Vocab {
			continue
		}
		if knots := v.full.knots(t); len(knots) > 0 {
			numbers[i] = Dequantise(knots, bits64(Random(seed, PurposeDequantise, 0, uint32(i), item)))
		}
	}
	return numbers
}

// knots returns the quantile function of a token.
func (t *Tables) knots(token int32) []int64 { return t.Knots[t.KnotStart[token]:t.KnotStart[token+1]] }
