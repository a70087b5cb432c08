// The three ways of a product: how a precision's operands are stored, and what sums them. Operands lie in words of 32 bits.
//   Plain     fp32: a word is a term
//   Emulated  bf16 on any machine: a word is a term as float, rounded to bf16; pairs of terms are swapped, as the instruction
//             below adds the odd one first; sums and operands below 2^-126 are flushed to zero
//   Native    bf16 by vdpbf16ps: a word is a pair of terms, the even one in its lower half
// The last two give the same bits; where the number of terms is odd, both add a term of zeros.
#ifndef SYN_CPU_GEMM_WAY_H
#define SYN_CPU_GEMM_WAY_H

#include "core/machine.h"
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/gemm_tile.h"

namespace syn::cpu::SYN_CPU_NS {

// gemm_block on words that are pairs; k counts words.
void gemm_block_of_pairs(const GemmBlock& block);

SYN_SIMD int32_t even(int32_t n) { return n + n % 2; }

struct Plain {
  static constexpr int32_t kTerms = 1;  // of a word
  struct Mode {};                       // of the processor, while sums run
  SYN_SIMD int32_t words(int32_t terms) { return terms; }
  SYN_SIMD void block(const GemmBlock& b) { gemm_block(b); }
  // Term k of column j of a panel.
  SYN_SIMD void put(float* panel, int32_t k, int32_t j, float x) { panel[int64_t{k} * kTileColumns + j] = x; }
  // k terms of a row; words beyond them, up to a whole vector, are overwritten.
  SYN_SIMD void copy_row(const float* from, int32_t k, float* to) {
    each_vector(k, [&](int64_t i, auto part) { store(to + i, load(from + i, part)); });
  }
  // An even term of kLanes rows and the odd one after it, `stride` words apart.
  SYN_SIMD void put_pair(Vec first, Vec second, float* to, int32_t stride) {
    store(to, first);
    store(to + stride, second);
  }
};

struct Emulated {
  static constexpr int32_t kTerms = 1;
  class Mode {
   public:
    inline __attribute__((always_inline)) Mode() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
    inline __attribute__((always_inline)) ~Mode() { _mm_setcsr(before_); }
    Mode(const Mode&) = delete;
    Mode& operator=(const Mode&) = delete;

   private:
    const unsigned before_;
  };
  SYN_SIMD int32_t words(int32_t terms) { return even(terms); }
  SYN_SIMD void block(const GemmBlock& b) { gemm_block(b); }
  SYN_SIMD void put(float* panel, int32_t k, int32_t j, float x) {
    panel[int64_t{k ^ 1} * kTileColumns + j] = syn::round_bf16(x);
  }
  SYN_SIMD void copy_row(const float* from, int32_t k, float* to) {
    each_vector(k, [&](int64_t i, auto part) { store(to + i, swap_pairs(round_bf16(load(from + i, part)))); });
  }
  SYN_SIMD void put_pair(Vec first, Vec second, float* to, int32_t stride) {
    store(to, round_bf16(second));
    store(to + stride, round_bf16(first));
  }
};

#if defined(__AVX512F__)
struct Native {
  static constexpr int32_t kTerms = 2;
  struct Mode {};
  SYN_SIMD int32_t words(int32_t terms) { return pieces(terms, 2); }
  SYN_SIMD void block(const GemmBlock& b) { gemm_block_of_pairs(b); }
  SYN_SIMD void put(float* panel, int32_t k, int32_t j, float x) {
    const uint16_t half = static_cast<uint16_t>(bits_of(syn::round_bf16(x)) >> 16);
    __builtin_memcpy(reinterpret_cast<char*>(panel + int64_t{k / 2} * kTileColumns + j) + k % 2 * 2, &half, sizeof half);
  }
  SYN_SIMD void copy_row(const float* from, int32_t k, float* to) {
    each_vector(k, [&](int64_t i, auto part) {
      const IntVec bits = _mm512_castps_si512(round_bf16(load(from + i, part)));
      const IntVec words = _mm512_or_si512(_mm512_srli_epi64(bits, 32), _mm512_srli_epi32(bits, 16));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i / 2), _mm512_cvtepi64_epi32(words));
    });
  }
  SYN_SIMD void put_pair(Vec first, Vec second, float* to, int32_t) {
    const IntVec low = _mm512_srli_epi32(_mm512_castps_si512(round_bf16(first)), 16);
    store(to, _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_castps_si512(round_bf16(second)))));
  }
};
#endif

// f(way) for a precision on this machine.
template <class F>
SYN_SIMD void by_way(Precision precision, F f) {
  if (precision != Precision::kBf16) return f(Plain());
#if defined(__AVX512F__)
  if (machine_isa() == Isa::kAvx512Bf16) return f(Native());
#endif
  f(Emulated());
}

}  // namespace syn::cpu::SYN_CPU_NS

#endif
