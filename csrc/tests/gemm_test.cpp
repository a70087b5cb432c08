// Products of the CPU backend (cpu/gemm.h): every element is one chain of fused multiply-adds, so a naive loop of std::fma
// says every bit, whatever the instruction set, the tile, the batch and the number of threads.
#include <cmath>

#include "tests/op_check.h"

// The same header once for each namespace of kernels.
#define SYN_CPU_NS avx2
#include "cpu/gemm.h"
#undef SYN_CPU_NS
#undef SYN_CPU_GEMM_H
#define SYN_CPU_NS avx512
#include "cpu/gemm.h"

namespace syn::tests {
namespace {

using Numbers = std::vector<float>;

size_t size(int64_t n) { return static_cast<size_t>(n); }

bool same_bits(const Numbers& a, const Numbers& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The kernels of an instruction set.
struct Avx2 {
  using Run = cpu::avx2::GemmRun;
  using Outer = cpu::avx2::GemmOuter;
  using Block = cpu::avx2::GemmBlock;
};
struct Avx512 {
  using Run = cpu::avx512::GemmRun;
  using Outer = cpu::avx512::GemmOuter;
  using Block = cpu::avx512::GemmBlock;
};
int64_t packed_size(Avx2, int32_t n, int32_t k) { return cpu::avx2::gemm_packed_size(n, k); }
int64_t packed_size(Avx512, int32_t n, int32_t k) { return cpu::avx512::gemm_packed_size(n, k); }
void pack(Avx2, Pool& pool, const Numbers& w, int32_t n, int32_t k, float* to, Precision precision) {
  cpu::avx2::gemm_pack(pool, w.data(), k, 1, n, k, to, precision);
}
void pack(Avx512, Pool& pool, const Numbers& w, int32_t n, int32_t k, float* to, Precision precision) {
  cpu::avx512::gemm_pack(pool, w.data(), k, 1, n, k, to, precision);
}

// f(kernels) for every instruction set that this machine has.
template <class F>
void each_isa(F f) {
  if (machine_isa() < Isa::kAvx2) GTEST_SKIP() << "this CPU has neither AVX2 nor AVX-512";
  {
    SCOPED_TRACE("avx2");
    f(Avx2());
  }
  if (machine_isa() < Isa::kAvx512) return;
  SCOPED_TRACE("avx512");
  f(Avx512());
}

// Numbers below 2^-126 as zero, as the bf16 products have them.
float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

// The chain of terms (x(k), w(k)) that begins with `sum`.
template <class X, class W>
float chain(Precision precision, float sum, int32_t terms, X x, W w) {
  if (precision == Precision::kFp32) {
    for (int32_t k = 0; k < terms; ++k) sum = std::fma(x(k), w(k), sum);
    return sum;
  }
  for (int32_t k = 0; k < terms; k += 2)  // the odd term of a pair first
    for (const int32_t i : {k + 1, k}) {
      const float a = i < terms ? round_bf16(x(i)) : 0, b = i < terms ? round_bf16(w(i)) : 0;
      sum = flushed(std::fma(a, b, flushed(sum)));
    }
  return sum;
}

struct Shape {
  int32_t rows, n, k, ldx;
};

const Shape kShapes[] = {{1, 1, 1, 1},       {1, 97, 400, 400}, {13, 32, 5, 9},      {14, 33, 385, 385}, {15, 16, 48, 48},
                         {29, 17, 769, 769}, {64, 48, 24, 24},  {100, 61, 31, 1024}, {257, 40, 64, 64},  {130, 70, 500, 2048}};

// y = x W^T on every instruction set is what the chain says.
void expect_chains(const Shape& s, Precision precision, const Numbers& x, const Numbers& w) {
  SCOPED_TRACE(testing::Message() << s.rows << " x " << s.n << " x " << s.k);
  Numbers expected(size(int64_t{s.rows} * s.n));
  for (int32_t r = 0; r < s.rows; ++r)
    for (int32_t j = 0; j < s.n; ++j)
      expected[size(int64_t{r} * s.n + j)] = chain(
          precision, 0, s.k, [&](int32_t k) { return x[size(int64_t{r} * s.ldx + k)]; },
          [&](int32_t k) { return w[size(int64_t{j} * s.k + k)]; });
  each_isa([&](auto isa) {
    for (const int threads : {1, 2, 7}) {
      Pool pool(threads);
      Numbers packed(size(packed_size(isa, s.n, s.k))), y(expected.size());
      pack(isa, pool, w, s.n, s.k, packed.data(), precision);
      gemm_run(pool, typename decltype(isa)::Run{x.data(), packed.data(), y.data(), nullptr, nullptr, s.rows, s.n, s.k, s.ldx,
                                                 s.n, precision});
      EXPECT_TRUE(same_bits(y, expected)) << threads << " threads";
    }
  });
}

TEST(Gemm, product_bits_do_not_depend_on_the_instruction_set) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16})
    for (const Shape& s : kShapes)
      expect_chains(s, precision, numbers<float>(int64_t{s.rows - 1} * s.ldx + s.k, 1), numbers<float>(int64_t{s.n} * s.k, 2));
}

// Products that vanish, sums that pass through what is below 2^-126, operands that are there already: the instruction for bf16
// flushes them all, and so does its emulation.
TEST(Gemm, tiny_numbers_in_bf16_are_the_same_on_every_instruction_set) {
  const Shape s = {40, 50, 101, 101};
  Numbers x = numbers<float>(int64_t{s.rows} * s.k, 1), w = numbers<float>(int64_t{s.n} * s.k, 2);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::ldexp(x[i], -62 - static_cast<int>(i % 7));
  for (size_t i = 0; i < w.size(); ++i) w[i] = std::ldexp(w[i], -62 - static_cast<int>(i % 5));
  expect_chains(s, Precision::kBf16, x, w);
  for (size_t i = 0; i < x.size(); i += 3) x[i] = std::ldexp(x[i], -63);  // some below 2^-126
  for (float& v : w) v = std::ldexp(v, 62);
  expect_chains(s, Precision::kBf16, x, w);
}

TEST(Gemm, infinities_and_nan_in_bf16_come_through) {
  const Shape s = {3, 20, 5, 5};
  Numbers x(size(s.rows * s.k), 1), w(size(s.n * s.k), 1);
  x[2] = INFINITY;
  x[9] = NAN;
  x[11] = 3.4e38f;  // rounds to infinity
  each_isa([&](auto isa) {
    Pool pool(1);
    Numbers packed(size(packed_size(isa, s.n, s.k))), y(size(s.rows * s.n));
    pack(isa, pool, w, s.n, s.k, packed.data(), Precision::kBf16);
    using Run = typename decltype(isa)::Run;
    gemm_run(pool, Run{x.data(), packed.data(), y.data(), nullptr, nullptr, s.rows, s.n, s.k, s.ldx, s.n, Precision::kBf16});
    for (int32_t j = 0; j < s.n; ++j) {
      EXPECT_EQ(y[size(j)], INFINITY);
      EXPECT_TRUE(std::isnan(y[size(s.n + j)]));
      EXPECT_EQ(y[size(2 * s.n + j)], INFINITY);
    }
  });
}

TEST(Gemm, gradient_bits_do_not_depend_on_where_the_rows_are_cut) {
  const struct {
    int32_t rows, p, q;
  } shapes[] = {{1, 1, 1}, {5, 13, 17}, {400, 30, 45}, {801, 61, 200}, {40, 300, 400}};
  for (const Precision precision : {Precision::kFp32, Precision::kBf16})
    for (const auto& s : shapes) {
      SCOPED_TRACE(testing::Message() << s.rows << " x " << s.p << " x " << s.q);
      Numbers a = numbers<float>(int64_t{s.rows} * s.p, 1), before = numbers<float>(int64_t{s.p} * s.q, 3);
      const Numbers b = numbers<float>(int64_t{s.rows} * s.q, 2);
      for (int32_t r = 0; r < s.rows; ++r) a[size(int64_t{r} * s.p)] = 0;  // adds nothing to what is there already
      for (int32_t j = 0; j < s.q; ++j) before[size(j)] = j % 2 ? 1e-40f : -1e-40f;
      Numbers expected = before;
      for (int32_t i = 0; i < s.p; ++i)
        for (int32_t j = 0; j < s.q; ++j) {
          float& g = expected[size(int64_t{i} * s.q + j)];
          g = chain(
              precision, g, s.rows, [&](int32_t r) { return a[size(int64_t{r} * s.p + i)]; },
              [&](int32_t r) { return b[size(int64_t{r} * s.q + j)]; });
        }
      each_isa([&](auto isa) {
        for (const int threads : {1, 2, 7})
          for (int32_t cut : {0, 1, s.rows / 3}) {
            if (precision == Precision::kBf16) cut -= cut % 2;
            Pool pool(threads);
            Numbers g = before;
            using Outer = typename decltype(isa)::Outer;
            gemm_outer(pool, Outer{a.data(), b.data(), g.data(), cut, s.p, s.q, precision});
            const float *rest_a = a.data() + int64_t{cut} * s.p, *rest_b = b.data() + int64_t{cut} * s.q;
            gemm_outer(pool, Outer{rest_a, rest_b, g.data(), s.rows - cut, s.p, s.q, precision});
            EXPECT_TRUE(same_bits(g, expected)) << threads << " threads, cut at " << cut;
          }
      });
    }
}

// The forms of attention, for every width; what lies around the operands is neither read (asan) nor written.
TEST(Gemm, a_block_touches_its_elements_only) {
  constexpr int32_t kDepth = 21, kGap = 3;
  for (int32_t n = 1; n <= 70; ++n)
    for (const int32_t rows : {1, 6, 13, 30}) {
      const bool transposed = n % 2 == 0, add = n % 3 == 0;
      const int64_t x_row = transposed ? 1 : kDepth, x_k = transposed ? rows : 1, ld = n + kGap;
      const Numbers x = numbers<float>(int64_t{rows} * kDepth, 1), w = numbers<float>((kDepth - 1) * ld + n, 2);
      const Numbers before = numbers<float>((rows - 1) * ld + n, 3);
      Numbers expected = before;
      for (int32_t r = 0; r < rows; ++r)
        for (int32_t j = 0; j < n; ++j) {
          float sum = add ? before[size(r * ld + j)] : 0;
          for (int32_t k = 0; k < kDepth; ++k) sum = std::fma(x[size(r * x_row + k * x_k)], w[size(k * ld + j)], sum);
          expected[size(r * ld + j)] = sum;
        }
      each_isa([&](auto isa) {
        Numbers y = before;
        gemm_block(typename decltype(isa)::Block{x.data(), x_row, x_k, w.data(), ld, y.data(), ld, rows, n, kDepth, add});
        EXPECT_TRUE(same_bits(y, expected)) << rows << " rows, " << n << " columns";
      });
    }
}

}  // namespace
}  // namespace syn::tests
