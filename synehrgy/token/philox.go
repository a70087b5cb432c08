package token

import "math/bits"

// This file holds Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, SC 2011) and the way the project keys
// it: the key is the 64-bit seed of the run, the counter names one draw of one item. The core keys its draws the same way.

// The purposes of a draw, the low 16 bits of the last counter word.
const (
	PurposeShuffle    uint32 = 1
	PurposeDequantise uint32 = 6
)

// Philox returns one block of random bits.
func Philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	const (
		m0, m1 = 0xD2511F53, 0xCD9E8D57
		w0, w1 = 0x9E3779B9, 0xBB67AE85
	)
	for range 10 {
		hi0, lo0 := mul32(m0, counter[0])
		hi1, lo1 := mul32(m1, counter[2])
		counter = [4]uint32{hi1 ^ counter[1] ^ key[0], lo1, hi0 ^ counter[3] ^ key[1], lo0}
		key[0] += w0
		key[1] += w1
	}
	return counter
}

func mul32(a, b uint32) (hi, lo uint32) {
	p := uint64(a) * uint64(b)
	return uint32(p >> 32), uint32(p)
}

// Random returns the block for one draw: draw counts the draws at one position, position is where in the item, item is the
// index of the patient in the cohort (48 bits of it count).
func Random(seed uint64, purpose, draw, position uint32, item uint64) [4]uint32 {
	return Philox([4]uint32{draw, position, uint32(item), uint32(item>>32)<<16 | purpose}, [2]uint32{uint32(seed), uint32(seed >> 32)})
}

// bits64 are the first two words of a block.
func bits64(block [4]uint32) uint64 { return uint64(block[1])<<32 | uint64(block[0]) }

// below turns 64 random bits into a number in [0, n) without the bias that matters at n far below 2^64.
func below(x uint64, n int) int {
	hi, _ := bits.Mul64(x, uint64(n))
	return int(hi)
}

// Shuffle puts order into a random order that depends on the seed and the epoch alone (Fisher-Yates).
func Shuffle(order []int32, seed, epoch uint64) {
	for i := len(order) - 1; i > 0; i-- {
		j := below(bits64(Random(seed, PurposeShuffle, 0, uint32(i), epoch)), i+1)
		order[i], order[j] = order[j], order[i]
	}
}
