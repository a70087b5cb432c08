// The arithmetic that all backends share: known answers, and libm as a yardstick.
#include <gtest/gtest.h>

#include <cmath>

#include "math/dequantise.h"
#include "math/exp2.h"
#include "math/philox.h"
#include "math/radix.h"
#include "synehrgy.h"

namespace syn {
namespace {

TEST(Philox, gives_the_published_answers) {
  const struct {
    uint32_t counter[4], key[2], want[4];
  } rows[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& row : rows) {
    uint32_t got[4];
    syn_philox(row.counter, row.key, got);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(got[i], row.want[i]);
  }
}

TEST(Philox, the_counter_names_draw_position_item_and_purpose) {
  const uint64_t seed = 0x0123456789abcdef, item = 0xa1b2c3d4e5f6;
  const uint32_t counter[4] = {5, 77, 0xc3d4e5f6, 0xa1b20004}, key[2] = {0x89abcdef, 0x01234567};
  uint32_t want[4];
  syn_philox(counter, key, want);
  const Words got = draw_words(seed, Purpose::kToken, item, 77, 5);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(got.w[i], want[i]);
  EXPECT_EQ(bits64(got), (uint64_t{want[1]} << 32) | want[0]);
}

TEST(Philox, uniforms_lie_inside_the_unit_interval) {
  EXPECT_GT(uniform(0), 0);
  EXPECT_LT(uniform(~0u), 1);
  EXPECT_EQ(uniform(0x80000000u), 0.5 + 0x1p-25);
}

TEST(Exp2, masses_are_the_rounded_exponentials) {
  for (int i = 0; i <= 40000; ++i) {
    const float z = -static_cast<float>(i) * 1e-3f;
    const double want = 0x1p40 * std::exp(static_cast<double>(z));
    EXPECT_NEAR(static_cast<double>(mass(z, 0.0f)), want, 0.5 + want * 4e-16) << z;
  }
}

TEST(Exp2, exponentials_and_logarithms_agree_with_libm) {
  for (int i = 1; i < 60000; ++i) {
    const double d = -i * 1e-2, x = std::exp(i * 1e-2 - 300) * i;
    EXPECT_NEAR(exp_nonpositive(d) / std::exp(d), 1, 4e-16 * (1 - d)) << d;
    EXPECT_NEAR(log_positive(x), std::log(x), 4e-16 * (1 + std::fabs(std::log(x)))) << x;
  }
  EXPECT_EQ(log_mass(uint64_t{1} << kMassBits), 0);
  EXPECT_EQ(exp_nonpositive(0), 1);
}

TEST(Radix, keys_keep_the_order_of_numbers) {
  const float inf = std::numeric_limits<float>::infinity();
  const float rising[] = {-inf, -3e38f, -1, -1e-40f, 0, 1e-40f, 1, 2, 3e38f, inf};
  for (size_t i = 1; i < std::size(rising); ++i) EXPECT_LT(radix_key(rising[i - 1]), radix_key(rising[i])) << i;
  EXPECT_EQ(radix_key(-0.0f), radix_key(0.0f));
  EXPECT_EQ(clean(std::nanf("")), -inf);
  EXPECT_EQ(clean(-std::nanf("")), -inf);
  EXPECT_EQ(clean(inf), std::numeric_limits<float>::max());
}

TEST(Radix, shares_are_rounded_up) {
  EXPECT_EQ(share(fraction64(0.5f), 10), 5u);
  EXPECT_EQ(share(fraction64(0.5f), 11), 6u);
  EXPECT_EQ(share(fraction64(0.0f), 11), 1u);
  EXPECT_EQ(share(fraction64(0.99999994f), uint64_t{1} << 62), (uint64_t{1} << 62) - (uint64_t{1} << 38));
}

TEST(Dequantise, stays_between_the_knots_and_meets_them) {
  const int64_t knots[] = {-30, -10, 50};
  EXPECT_EQ(dequantise(knots, 3, 0), -30);
  EXPECT_EQ(dequantise(knots, 3, uint64_t{1} << 63), -10);
  EXPECT_EQ(dequantise(knots, 3, ~uint64_t{0}), 50);
  EXPECT_EQ(dequantise(knots, 3, uint64_t{1} << 62), -20);
  EXPECT_EQ(dequantise(knots, 1, 12345), -30);
  EXPECT_EQ(dequantise(knots, 0, 12345), kNoNumber);
}

TEST(Dequantise, rounds_halves_away_from_zero) {
  const int64_t up[] = {0, 1}, down[] = {-1, 0};
  const uint64_t half = uint64_t{1} << 63;
  EXPECT_EQ(dequantise(up, 2, half), 1);
  EXPECT_EQ(dequantise(up, 2, half - 1), 0);
  EXPECT_EQ(dequantise(down, 2, half), -1);
  EXPECT_EQ(dequantise(down, 2, half + 1), 0);
}

TEST(Dequantise, holds_the_widest_bin_there_is) {
  const int64_t knots[] = {INT64_MIN + 1, INT64_MAX};
  EXPECT_EQ(dequantise(knots, 2, 0), INT64_MIN + 1);
  EXPECT_EQ(dequantise(knots, 2, ~uint64_t{0}), INT64_MAX - 1) << "the last unit is less likely than 2^-64";
  EXPECT_EQ(dequantise(knots, 2, uint64_t{1} << 63), 0);
}

}  // namespace
}  // namespace syn
