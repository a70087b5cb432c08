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
SYN_SIMD IntVec exclusive(IntVec a, IntVec b) { return _mm512_xor_si512(a, b); }
SYN_SIMD IntVec plus(IntVec a, IntVec b) { return _mm512_add_epi64(a, b); }
SYN_SIMD void store_low(uint32_t* p, IntVec a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi64_epi32(a)); }
#else
constexpr int kBlocks = 4;
SYN_SIMD IntVec wide(uint64_t x) { return _mm256_set1_epi64x(static_cast<int64_t>(x)); }
SYN_SIMD IntVec wide_load(const uint64_t* p) { return _mm256_loadu_si256(reinterpret_cast<const IntVec*>(p)); }
SYN_SIMD IntVec multiply(IntVec a, IntVec b) { return _mm256_mul_epu32(a, b); }
SYN_SIMD IntVec upper(IntVec a) { return _mm256_srli_epi64(a, 32); }
SYN_SIMD IntVec exclusive(IntVec a, IntVec b) { return _mm256_xor_si256(a, b); }
SYN_SIMD IntVec plus(IntVec a, IntVec b) { return _mm256_add_epi64(a, b); }
SYN_SIMD void store_low(uint32_t* p, IntVec a) {
  const IntVec even = _mm256_permutevar8x32_epi32(a, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(even));
}
#endif

// Words 0..3 of the blocks whose counters are (draw, position) lane by lane; word j of block b goes to out[j * stride + b].
SYN_SIMD void dropout_blocks(const Dropout& d, IntVec draw, IntVec position, uint32_t* out, int stride) {
  const uint64_t item = d.site, purpose = static_cast<uint64_t>(Purpose::kDropout);  // as draw_words lays them out
  IntVec c0 = draw, c1 = position, c2 = wide(item), c3 = wide(purpose);
  uint32_t k0 = static_cast<uint32_t>(d.key), k1 = static_cast<uint32_t>(d.key >> 32);
  for (int round = 0; round < 10; ++round) {
    const IntVec p0 = multiply(c0, wide(0xD2511F53u)), p1 = multiply(c2, wide(0xCD9E8D57u));
    c0 = exclusive(exclusive(upper(p1), c1), wide(k0));
    c2 = exclusive(exclusive(upper(p0), c3), wide(k1));
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  store_low(out, c0);
  store_low(out + stride, c1);
  store_low(out + 2 * stride, c2);
  store_low(out + 3 * stride, c3);
}

constexpr uint64_t kCount[8] = {0, 1, 2, 3, 4, 5, 6, 7};

// Words of columns 4 quad .. 4 quad + 3 for rows row .. row + rows - 1: out[4][rows]; rows a multiple of kBlocks.
SYN_SIMD void dropout_column_quad(const Dropout& d, uint32_t row, int rows, uint32_t quad, uint32_t* out) {
  for (int r = 0; r < rows; r += kBlocks)
    dropout_blocks(d, wide(quad), plus(wide(row + static_cast<uint32_t>(r)), wide_load(kCount)), out + r, rows);
}

constexpr int kWordRun = 4 * kBlocks;  // columns decided by one register of blocks

// Words of columns column .. column + kWordRun - 1 of a row, in column order; column a multiple of 4.
SYN_SIMD void dropout_run(const Dropout& d, uint32_t row, uint32_t column, uint32_t* out) {
  uint32_t words[4 * kBlocks];
  dropout_blocks(d, plus(wide(column / 4), wide_load(kCount)), wide(row), words, kBlocks);
  for (int b = 0; b < kBlocks; ++b)
    for (int j = 0; j < 4; ++j) out[4 * b + j] = words[j * kBlocks + b];
}

// x[0..n) of a row: kept ones scaled and rounded, the others zero. to may be x.
template <class Round>
SYN_SIMD void dropout_row(const Dropout& d, uint32_t row, const float* x, float* to, int32_t n, Round round) {
  const Vec scale = all(static_cast<float>(d.scale));
  uint32_t words[kWordRun];
  for (int32_t c = 0; c < n; c += kWordRun) {
    dropout_run(d, row, static_cast<uint32_t>(c), words);
    for (int32_t i = c; i < c + kWordRun && i < n; i += kLanes) {
      const Mask kept = at_least(words + (i - c), d.threshold);
      const Mask there = first_lanes(n - i < kLanes ? n - i : kLanes);
      store_part(to + i, there, choose(kept, round(load_part(x + i, there) * scale), zero()));
    }
  }
}

}  // namespace syn::cpu::SYN_CPU_NS

#endif
