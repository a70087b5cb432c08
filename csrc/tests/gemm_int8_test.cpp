// Integer products (cpu/gemm_int8.h): every instruction set, with and without the dot instruction, gives the bits of the
// plain loop.
#include <cmath>

#include "ref/ops.h"
#include "tests/op_check.h"

// The same header once for each namespace of kernels.
#define SYN_CPU_NS avx2
#include "cpu/gemm_int8.h"
#undef SYN_CPU_NS
#undef SYN_CPU_GEMM_INT8_H
#define SYN_CPU_NS avx512
#include "cpu/gemm_int8.h"

namespace syn::tests {
namespace {

using Numbers = std::vector<float>;

struct Layer {
  int32_t rows, out, in;
  bool in_out;
  Numbers x, w, bias;
};

Layer layer(int32_t rows, int32_t out, int32_t in, bool in_out) {
  return {rows, out, in, in_out, numbers<float>(int64_t{rows} * in, 1, 3), numbers<float>(int64_t{out} * in, 2, 0.05),
          numbers<float>(out, 3)};
}

Numbers plain(const Layer& l) {
  Pool pool(1);
  Exec exec{pool, nullptr};
  Numbers y(static_cast<size_t>(l.rows) * static_cast<size_t>(l.out));
  ref::linear_forward_int8<float>(
      exec, {l.x.data(), {l.w.data(), l.out, l.in, l.in_out}, l.bias.data(), y.data(), nullptr, l.rows});
  return y;
}

// What each way of this machine computes: its name, y.
std::vector<std::pair<std::string, Numbers>> all_ways(const Layer& l, int threads) {
  std::vector<std::pair<std::string, Numbers>> out;
  Pool pool(threads);
  const int64_t stride_out = l.in_out ? 1 : l.in, stride_in = l.in_out ? l.out : 1;
  const auto add = [&](const char* name, auto size, auto pack, auto run) {
    std::vector<char> packed(static_cast<size_t>(size(l.out, l.in)));
    pack(pool, l.w.data(), stride_out, stride_in, l.out, l.in, packed.data());
    Numbers y(static_cast<size_t>(l.rows) * static_cast<size_t>(l.out));
    run(packed.data(), y.data());
    out.emplace_back(name, y);
  };
  if (machine_isa() >= Isa::kAvx2)
    add("avx2", cpu::avx2::int8_packed_size, cpu::avx2::int8_pack, [&](const void* packed, float* y) {
      cpu::avx2::int8_run(pool, {l.x.data(), packed, y, l.bias.data(), nullptr, l.rows, l.out, l.in, l.in, l.out});
    });
  for (const bool dots : {false, true}) {
    if (machine_isa() < Isa::kAvx512 || (dots && !cpu::avx512::int8_dot_instruction())) continue;
    add(dots ? "avx512 dots" : "avx512 pairs", cpu::avx512::int8_packed_size, cpu::avx512::int8_pack,
        [&](const void* packed, float* y) {
          cpu::avx512::int8_run(pool, {l.x.data(), packed, y, l.bias.data(), nullptr, l.rows, l.out, l.in, l.in, l.out}, dots);
        });
  }
  return out;
}

// Equal bits; a NaN equals any NaN.
void expect_same(const Numbers& got, const Numbers& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const bool both_nan = std::isnan(got[i]) && std::isnan(expected[i]);
    ASSERT_TRUE(both_nan || std::memcmp(&got[i], &expected[i], sizeof(float)) == 0)
        << i << ": " << got[i] << ", expected " << expected[i];
  }
}

TEST(Int8, bits_are_those_of_the_plain_loop) {
  for (const Layer& l : {layer(1, 1, 1, false), layer(1, 97, 384, false), layer(15, 33, 5, true), layer(64, 40, 130, false),
                         layer(67, 70, 67, true), layer(129, 31, 64, false)}) {
    const Numbers expected = plain(l);
    for (const int threads : {1, 3})
      for (const auto& [name, y] : all_ways(l, threads)) {
        SCOPED_TRACE(testing::Message() << name << ", " << l.rows << " x " << l.out << " x " << l.in);
        expect_same(y, expected);
      }
  }
}

// The largest sums that are promised to be exact, of either sign.
TEST(Int8, the_longest_row_does_not_overflow) {
  Layer l = layer(2, 3, 131072, false);
  for (size_t i = 0; i < l.x.size(); ++i) l.x[i] = i < l.x.size() / 2 ? 1.0f : -1.0f;
  for (float& w : l.w) w = 0.5f;
  const Numbers expected = plain(l);
  ASSERT_FLOAT_EQ(expected[0], 65536 + l.bias[0]);
  for (const auto& [name, y] : all_ways(l, 1)) {
    SCOPED_TRACE(name);
    expect_same(y, expected);
  }
}

TEST(Int8, a_row_of_zeros_gives_the_bias_and_one_that_is_not_finite_gives_nan) {
  Layer l = layer(9, 37, 70, false);
  const auto row = [&](int32_t r) { return l.x.data() + r * l.in; };
  for (int32_t i = 0; i < l.in; ++i) {
    row(1)[i] = 0;
    row(2)[i] = 1e-39f;  // as good as zero
    l.w[static_cast<size_t>(5 * l.in + i)] = 0;
  }
  row(3)[69] = NAN;
  row(4)[0] = -INFINITY;
  l.w[static_cast<size_t>(36 * l.in + 3)] = NAN;
  const Numbers expected = plain(l);
  for (const auto& [name, y] : all_ways(l, 2)) {
    SCOPED_TRACE(name);
    expect_same(y, expected);
    for (int32_t r = 0; r < l.rows; ++r)
      for (int32_t o = 0; o < l.out; ++o) {
        const float got = y[static_cast<size_t>(r * l.out + o)];
        const bool nan = r == 3 || r == 4 || o == 36;
        ASSERT_EQ(nan, std::isnan(got)) << "row " << r << ", output " << o;
        if (!nan && (r == 1 || r == 2 || o == 5)) {
          ASSERT_EQ(got, l.bias[static_cast<size_t>(o)]);
        }
      }
  }
}

// What rounding to 8 bits costs: half a step of x and of W for each term, as a random walk.
TEST(Int8, the_error_is_that_of_half_steps) {
  const Layer l = layer(40, 60, 384, false);
  const Numbers y = plain(l);
  double squares = 0, sizes = 0;
  for (int32_t r = 0; r < l.rows; ++r)
    for (int32_t o = 0; o < l.out; ++o) {
      double exact = l.bias[static_cast<size_t>(o)];
      for (int32_t i = 0; i < l.in; ++i)
        exact += static_cast<double>(l.x[static_cast<size_t>(r * l.in + i)]) * l.w[static_cast<size_t>(o * l.in + i)];
      const double error = y[static_cast<size_t>(r * l.out + o)] - exact;
      squares += error * error;
      sizes += exact * exact;
    }
  EXPECT_LT(std::sqrt(squares / sizes), 0.02);
}

}  // namespace
}  // namespace syn::tests
