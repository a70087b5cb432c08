// Halves (math/half.h) against their definition, and a cache of them against the numbers that were appended.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/device.h"
#include "math/half.h"
#include "ops/decode_table.h"

namespace syn::tests {
namespace {

bool is_number(int bits) { return (bits & 0x7C00) != 0x7C00; }
half half_of(int bits) { return {static_cast<uint16_t>(bits)}; }

TEST(Half, every_number_comes_back_and_the_middle_of_two_goes_to_the_even_one) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    if (!is_number(bits)) continue;
    const double x = from_half(half_of(bits));
    ASSERT_EQ(to_half(x).bits, bits);
    if (!is_number(bits + 1)) continue;
    const double middle = (x + from_half(half_of(bits + 1))) / 2;
    ASSERT_EQ(to_half(middle).bits, bits % 2 ? bits + 1 : bits) << x;
    ASSERT_EQ(to_half(middle * (1 + 1e-9)).bits, bits + 1) << x;
    ASSERT_EQ(to_half(middle * (1 - 1e-9)).bits, bits) << x;
  }
}

TEST(Half, nothing_finite_becomes_infinite) {
  EXPECT_EQ(from_half(to_half(65504)), 65504);
  EXPECT_EQ(from_half(to_half(65520)), 65504);
  EXPECT_EQ(from_half(to_half(-1e300)), -65504);
  EXPECT_EQ(from_half(to_half(INFINITY)), 65504);
  EXPECT_TRUE(std::isnan(from_half(to_half(NAN))));
  EXPECT_EQ(from_half(half_of(0x7C00)), INFINITY);
  EXPECT_EQ(from_half(to_half(std::ldexp(1, -24))), std::ldexp(1, -24));
  EXPECT_EQ(from_half(to_half(std::ldexp(1, -26))), 0);
  EXPECT_TRUE(std::signbit(from_half(to_half(-0.0))));
}

// One row of one head, whose keys and values are `numbers`.
template <class Real>
std::vector<half> cache_after(int32_t backend, const std::vector<float>& numbers) {
  const auto dim = static_cast<int32_t>(numbers.size());
  std::vector<Real> qkv(static_cast<size_t>(3 * dim)), out(static_cast<size_t>(dim)), scores(kKeyBlock);
  for (int32_t c = 0; c < dim; ++c) {
    qkv[static_cast<size_t>(dim + c)] = numbers[static_cast<size_t>(c)];
    qkv[static_cast<size_t>(2 * dim + c)] = numbers[static_cast<size_t>(dim - 1 - c)];
  }
  std::vector<half> cache(static_cast<size_t>(2 * kKeyBlock * dim));
  const int32_t slot = 0, position = 0;
  Device device(backend, 1);
  Exec exec{device.pool, nullptr};
  AttentionDecode<Real, half> a;
  a.qkv = qkv.data();
  a.slot = &slot;
  a.position = &position;
  a.cache = cache.data();
  a.slot_stride = a.page_stride = static_cast<int64_t>(cache.size());
  a.positions = a.page = kKeyBlock;
  a.rows = a.heads = a.kv_heads = 1;
  a.head_dim = dim;
  a.scale = 1;
  a.out = out.data();
  a.scores = scores.data();
  decode_ops<Real>(device).attention_decode_half(exec, a);
  std::vector<half> first;  // the key and the value of position 0
  for (int32_t c = 0; c < dim; ++c) first.push_back(cache[static_cast<size_t>(c * kKeyBlock)]);
  for (int32_t c = 0; c < dim; ++c) first.push_back(cache[static_cast<size_t>(kKeyBlock * dim + c)]);
  return first;
}

TEST(Half, a_cache_holds_the_halves_of_what_is_appended_on_every_backend) {
  std::vector<float> numbers = {0.0f, -0.0f, 1.0f, -1.0f / 3, 65504.0f, 65519.0f, 65520.0f, -1e30f, INFINITY, -INFINITY, NAN,
                                1e-8f, -3e-8f, 6.1e-5f, 6.09e-5f, 1e-40f, 2049.0f, 2051.0f, 0.1f, -1000.7f};
  for (float x = 1e-7f; numbers.size() < 120; x *= -1.37f) numbers.push_back(x);
  for (const int32_t dim : {16, 24, 40, 96, 120}) {
    const std::vector<float> some(numbers.begin(), numbers.begin() + dim);
    const auto cpu = cache_after<float>(SYN_BACKEND_CPU, some), ref = cache_after<double>(SYN_BACKEND_REF, some);
    for (int32_t c = 0; c < dim; ++c) {
      const auto key = static_cast<size_t>(c), value = static_cast<size_t>(2 * dim - 1 - c);
      for (const auto& cache : {cpu, ref}) {
        const half want = to_half(static_cast<double>(some[key]));
        if (std::isnan(some[key])) {
          EXPECT_TRUE(std::isnan(from_half(cache[key])) && std::isnan(from_half(cache[value])));
        } else {
          EXPECT_EQ(cache[key].bits, want.bits) << some[key] << " as a key of a head of " << dim;
          EXPECT_EQ(cache[value].bits, want.bits) << some[key] << " as a value of a head of " << dim;
        }
      }
    }
  }
}

}  // namespace
}  // namespace syn::tests
