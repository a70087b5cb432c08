// Products of the CPU backend (cpu/gemm.h): every element is one chain of fused multiply-adds over ascending k, so a naive loop
// of std::fma says every bit, whatever the instruction set, the tile, the batch and the number of threads.
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

// Runs f(kernels of an instruction set as a tag) for every set that this machine has.
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
void pack(Avx2, Pool& pool, const Numbers& w, int32_t n, int32_t k, float* to) {
  cpu::avx2::gemm_pack(pool, w.data(), k, 1, n, k, to);
}
void pack(Avx512, Pool& pool, const Numbers& w, int32_t n, int32_t k, float* to) {
  cpu::avx512::gemm_pack(pool, w.data(), k, 1, n, k, to);
}

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

struct Shape {
  int32_t rows, n, k, ldx;
};

const Shape kShapes[] = {{1, 1, 1, 1},       {1, 97, 400, 400}, {13, 32, 5, 9},     {14, 33, 385, 385}, {15, 16, 48, 48},
                         {29, 17, 769, 769}, {64, 48, 24, 24},  {100, 61, 31, 1024}, {257, 40, 64, 64},  {130, 70, 500, 2048}};

TEST(Gemm, product_bits_do_not_depend_on_the_instruction_set) {
  for (const Shape& s : kShapes) {
    SCOPED_TRACE(testing::Message() << s.rows << " x " << s.n << " x " << s.k);
    const Numbers x = numbers<float>(int64_t{s.rows - 1} * s.ldx + s.k, 1), w = numbers<float>(int64_t{s.n} * s.k, 2);
    Numbers expected(size(int64_t{s.rows} * s.n));
    for (int32_t r = 0; r < s.rows; ++r)
      for (int32_t j = 0; j < s.n; ++j) {
        float sum = 0;
        for (int32_t k = 0; k < s.k; ++k) sum = std::fma(x[size(int64_t{r} * s.ldx + k)], w[size(int64_t{j} * s.k + k)], sum);
        expected[size(int64_t{r} * s.n + j)] = sum;
      }
    each_isa([&](auto isa) {
      for (const int threads : {1, 2, 7}) {
        Pool pool(threads);
        Numbers packed(size(packed_size(isa, s.n, s.k))), y(expected.size());
        pack(isa, pool, w, s.n, s.k, packed.data());
        gemm_run(pool, typename decltype(isa)::Run{x.data(), packed.data(), y.data(), nullptr, nullptr, s.rows, s.n, s.k, s.ldx,
                                                   s.n});
        EXPECT_TRUE(same_bits(y, expected)) << threads << " threads";
      }
    });
  }
}

TEST(Gemm, gradient_bits_do_not_depend_on_where_the_rows_are_cut) {
  const struct {
    int32_t rows, p, q;
  } shapes[] = {{1, 1, 1}, {5, 13, 17}, {400, 30, 45}, {801, 61, 200}, {40, 300, 400}};
  for (const auto& s : shapes) {
    SCOPED_TRACE(testing::Message() << s.rows << " x " << s.p << " x " << s.q);
    const Numbers a = numbers<float>(int64_t{s.rows} * s.p, 1), b = numbers<float>(int64_t{s.rows} * s.q, 2);
    const Numbers before = numbers<float>(int64_t{s.p} * s.q, 3);
    Numbers expected = before;
    for (int32_t i = 0; i < s.p; ++i)
      for (int32_t j = 0; j < s.q; ++j)
        for (int32_t r = 0; r < s.rows; ++r) {
          float& g = expected[size(int64_t{i} * s.q + j)];
          g = std::fma(a[size(int64_t{r} * s.p + i)], b[size(int64_t{r} * s.q + j)], g);
        }
    each_isa([&](auto isa) {
      for (const int threads : {1, 2, 7})
        for (const int32_t cut : {0, 1, s.rows / 3}) {
          Pool pool(threads);
          Numbers g = before;
          using Outer = typename decltype(isa)::Outer;
          gemm_outer(pool, Outer{a.data(), b.data(), g.data(), cut, s.p, s.q});
          gemm_outer(pool, Outer{a.data() + int64_t{cut} * s.p, b.data() + int64_t{cut} * s.q, g.data(), s.rows - cut, s.p, s.q});
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
