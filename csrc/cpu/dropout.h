// The random words of dropout, a register of Philox blocks at a time; the same words as dropout_words of ops/dropout.h. A lane of
// 64 bits holds one word, because the multiplication that Philox needs is 32 x 32 -> 64.
#ifndef SYN_CPU_DROPOUT_H
#define SYN_CPU_DROPOUT_H

#include "cpu/elementwise.h"
#include "ops/dropout.h"

namespace syn::cpu::SYN_CPU_NS {

#if defined(__AVX512F__)
constexpr int kBlocks = 8;  // Philox blocks in a register
SYN_SIMD IntVec wide(uint64_t x) { return _mm512_set1_epi64(static_cast<int64_t>(x)); }
SYN_SIMD IntVec wide_load(const uint64_t* p) { return _mm512_loadu_si512(p); }
SYN_SIMD IntVec multiply(IntVec a, IntVec b) { return _mm512_mul_epu32(a, b); }
SYN_SIMD IntVec upper(IntVec a) { return _mm512_srli_epi64(a, 32); }
SYN_SIMD IntVec exclusive(IntVec a, IntVec b, IntVec c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
SYN_SIMD IntVec plus(IntVec a, IntVec b) { return _mm512_add_epi64(a, b); }
// Words of lanes of 64 bits: a0 b0 a1 b1 …, and of two such, pairs in turn from the lower and from the upper half of each 128
// bits.
SYN_SIMD IntVec interleave(IntVec a, IntVec b) { return _mm512_mask_blend_epi32(0xAAAA, a, _mm512_slli_epi64(b, 32)); }
SYN_SIMD IntVec lower_pairs(IntVec a, IntVec b) { return _mm512_unpacklo_epi64(a, b); }
SYN_SIMD IntVec upper_pairs(IntVec a, IntVec b) { return _mm512_unpackhi_epi64(a, b); }
#else
constexpr int kBlocks = 4;
SYN_SIMD IntVec wide(uint64_t x) { return _mm256_set1_epi64x(static_cast<int64_t>(x)); }
SYN_SIMD IntVec wide_load(const uint64_t* p) { return _mm256_loadu_si256(reinterpret_cast<const IntVec*>(p)); }
SYN_SIMD IntVec multiply(IntVec a, IntVec b) { return _mm256_mul_epu32(a, b); }
SYN_SIMD IntVec upper(IntVec a) { return _mm256_srli_epi64(a, 32); }
SYN_SIMD IntVec exclusive(IntVec a, IntVec b, IntVec c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
SYN_SIMD IntVec plus(IntVec a, IntVec b) { return _mm256_add_epi64(a, b); }
SYN_SIMD IntVec interleave(IntVec a, IntVec b) { return _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xAA); }
SYN_SIMD IntVec lower_pairs(IntVec a, IntVec b) { return _mm256_unpacklo_epi64(a, b); }
SYN_SIMD IntVec upper_pairs(IntVec a, IntVec b) { return _mm256_unpackhi_epi64(a, b); }
#endif

// A word in the lower half of each lane, word j of every block in w[j].
struct Blocks {
  IntVec w[4];
};

// The blocks whose counters are (draw, position) lane by lane.
SYN_SIMD Blocks dropout_blocks(const Dropout& d, IntVec draw, IntVec position) {
  const uint64_t item = d.site, purpose = static_cast<uint64_t>(Purpose::kDropout);  // as draw_words lays them out
  IntVec c0 = draw, c1 = position, c2 = wide(item), c3 = wide(purpose);
  uint32_t k0 = static_cast<uint32_t>(d.key), k1 = static_cast<uint32_t>(d.key >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const IntVec p0 = multiply(c0, wide(0xD2511F53u)), p1 = multiply(c2, wide(0xCD9E8D57u));
    c0 = exclusive(upper(p1), c1, wide(k0));
    c2 = exclusive(upper(p0), c3, wide(k1));
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Whether columns 4 quad .. 4 quad + 3 are kept: kept[j] for kLanes rows from row on. Even rows in one register of blocks, odd
// rows in another, so that their words interleave to the order of the rows.
SYN_SIMD void dropout_columns(const Dropout& d, uint32_t row, uint32_t quad, Mask kept[4]) {
  static constexpr uint64_t kEven[8] = {0, 2, 4, 6, 8, 10, 12, 14};
  const IntVec even_rows = plus(wide(row), wide_load(kEven));
  const Blocks even = dropout_blocks(d, wide(quad), even_rows), odd = dropout_blocks(d, wide(quad), plus(even_rows, wide(1)));
  for (int j = 0; j < 4; ++j) kept[j] = at_least(interleave(even.w[j], odd.w[j]), d.threshold);
}

constexpr int kWordRun = 4 * kBlocks;  // columns decided by one register of blocks: two vectors

// Whether columns column .. column + kWordRun - 1 of a row are kept, column a multiple of 4. Interleaving takes every other lane
// for the first vector and the rest for the second.
SYN_SIMD void dropout_run(const Dropout& d, uint32_t row, uint32_t column, Mask kept[2]) {
  static constexpr uint64_t kHalves[8] = {0, kBlocks / 2, 1, kBlocks / 2 + 1, 2, kBlocks / 2 + 2, 3, kBlocks / 2 + 3};
  const Blocks b = dropout_blocks(d, plus(wide(column / 4), wide_load(kHalves)), wide(row));
  const IntVec first = interleave(b.w[0], b.w[1]), second = interleave(b.w[2], b.w[3]);
  kept[0] = at_least(lower_pairs(first, second), d.threshold);
  kept[1] = at_least(upper_pairs(first, second), d.threshold);
}

// x[0..n) of a row: kept ones scaled and rounded, the others zero. to may be x.
template <class Round>
SYN_SIMD void dropout_row(const Dropout& d, uint32_t row, const float* x, float* to, int32_t n, Round round) {
  const Vec scale = all(static_cast<float>(d.scale));
  Mask kept[2];
  int32_t c = 0;
  for (; c + kWordRun <= n; c += kWordRun) {
    dropout_run(d, row, static_cast<uint32_t>(c), kept);
    for (int i = 0; i < 2; ++i) store(to + c + i * kLanes, choose(kept[i], round(load(x + c + i * kLanes) * scale), zero()));
  }
  if (c == n) return;
  dropout_run(d, row, static_cast<uint32_t>(c), kept);
  for (int i = 0; i < 2 && c < n; ++i, c += kLanes) {
    const Mask there = first_lanes(n - c < kLanes ? n - c : kLanes);
    store_part(to + c, there, choose(kept[i], round(load_part(x + c, there) * scale), zero()));
  }
}

}  // namespace syn::cpu::SYN_CPU_NS

#endif
