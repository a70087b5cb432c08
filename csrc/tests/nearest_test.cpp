// Nearest neighbours: the CPU's blocks and bounds against the reference's every pair, to the bit.
#include <gtest/gtest.h>

#include <cmath>

#include "synehrgy.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

struct Neighbours {
  std::vector<float> distance;
  std::vector<int32_t> index;
};

Neighbours nearest(int32_t backend, int32_t threads, const std::vector<float>& a, const std::vector<float>& b, int32_t d,
                   int32_t k, bool exclude_self) {
  syn_device_params p;
  syn_device_params_init(&p);
  p.backend = backend;
  p.threads = threads;
  syn_device* device = nullptr;
  syn_error error = {};
  error.size = sizeof error;
  EXPECT_EQ(syn_device_create(&p, &device, &error), SYN_OK) << error.message;
  const auto n = static_cast<int64_t>(a.size()) / d, m = static_cast<int64_t>(b.size()) / d;
  Neighbours out{std::vector<float>(static_cast<size_t>(n * k), -1), std::vector<int32_t>(static_cast<size_t>(n * k), -2)};
  EXPECT_EQ(syn_nearest(device, a.data(), n, b.data(), m, d, k, exclude_self, out.distance.data(), out.index.data(), &error),
            SYN_OK)
      << error.message;
  syn_device_destroy(device);
  return out;
}

std::vector<float> random_matrix(Chance& c, int32_t rows, int32_t d, bool binary) {
  std::vector<float> out;
  for (int32_t i = 0; i < rows * d; ++i)
    out.push_back(binary ? static_cast<float>(c.often(0.1)) : static_cast<float>(c.unit() * 8 - 3));
  return out;
}

TEST(Nearest, finds_what_looking_at_every_pair_finds) {
  Chance c(1);
  for (const int32_t d : {1, 7, 64, 130, 500}) {
    for (const bool binary : {false, true}) {
      const auto a = random_matrix(c, 70, d, binary), b = random_matrix(c, 2100, d, binary);  // b crosses a block
      for (const int32_t k : {1, 5}) {
        const Neighbours want = nearest(SYN_BACKEND_REF, 1, a, b, d, k, false);
        for (const int32_t threads : {1, 3}) {
          const Neighbours got = nearest(SYN_BACKEND_CPU, threads, a, b, d, k, false);
          EXPECT_EQ(want.distance, got.distance) << "d " << d << ", binary " << binary << ", k " << k;
          EXPECT_EQ(want.index, got.index) << "d " << d << ", binary " << binary << ", k " << k;
        }
      }
    }
  }
}

TEST(Nearest, copies_are_at_exactly_0_and_the_lowest_index_wins) {
  Chance c(2);
  constexpr int32_t kWide = 33;
  auto b = random_matrix(c, 600, kWide, false);
  for (float& x : b) x += 1000;  // far from the origin, where |x|^2 + |y|^2 - 2 x.y has lost its last bits
  std::copy_n(b.begin() + 100 * kWide, kWide, b.begin() + 40 * kWide);
  std::copy_n(b.begin() + 100 * kWide, kWide, b.begin() + 555 * kWide);
  const std::vector<float> a(b.begin() + 100 * kWide, b.begin() + 101 * kWide);
  const Neighbours got = nearest(SYN_BACKEND_CPU, 2, a, b, kWide, 4, false);
  EXPECT_EQ(got.index[0], 40);
  EXPECT_EQ(got.index[1], 100);
  EXPECT_EQ(got.index[2], 555);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(got.distance[static_cast<size_t>(i)], 0);
  EXPECT_GT(got.distance[3], 0);
}

TEST(Nearest, a_row_is_not_its_own_neighbour_unless_a_copy_is) {
  Chance c(3);
  auto b = random_matrix(c, 300, 10, true);
  std::copy_n(b.begin() + 10 * 10, 10, b.begin() + 200 * 10);
  const Neighbours want = nearest(SYN_BACKEND_REF, 1, b, b, 10, 2, true), got = nearest(SYN_BACKEND_CPU, 2, b, b, 10, 2, true);
  EXPECT_EQ(want.index, got.index);
  EXPECT_EQ(want.distance, got.distance);
  for (int32_t i = 0; i < 300; ++i) EXPECT_NE(got.index[static_cast<size_t>(2 * i)], i);
  EXPECT_EQ(got.distance[2 * 10], 0);
}

TEST(Nearest, missing_neighbours_are_at_infinity) {
  for (const int32_t backend : {SYN_BACKEND_CPU, SYN_BACKEND_REF}) {
    const Neighbours got = nearest(backend, 1, {1, 2}, {1, 2}, 2, 3, true);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(got.distance[static_cast<size_t>(i)], std::numeric_limits<float>::infinity());
      EXPECT_EQ(got.index[static_cast<size_t>(i)], -1);
    }
    EXPECT_EQ(nearest(backend, 1, {1, 2}, {}, 2, 1, false).index[0], -1);
    EXPECT_TRUE(nearest(backend, 1, {}, {1, 2}, 2, 1, false).index.empty());
  }
}

TEST(Nearest, numbers_too_large_for_a_float_product_still_come_out_right) {
  const std::vector<float> a = {1e25f, 1e25f}, b = {1e25f, -1e25f, 1e25f, 1e25f, 9e24f, 1e25f};
  const Neighbours want = nearest(SYN_BACKEND_REF, 1, a, b, 2, 3, false), got = nearest(SYN_BACKEND_CPU, 1, a, b, 2, 3, false);
  EXPECT_EQ(want.index, got.index);
  EXPECT_EQ(got.index[0], 1);
  EXPECT_EQ(want.distance, got.distance);
}

TEST(Nearest, numbers_whose_products_vanish_in_float_still_come_out_right) {
  std::vector<float> b(40, 1.5e-30f);
  b.push_back(1e-30f);
  const Neighbours want = nearest(SYN_BACKEND_REF, 1, {1e-30f}, b, 1, 2, false);
  const Neighbours got = nearest(SYN_BACKEND_CPU, 1, {1e-30f}, b, 1, 2, false);
  EXPECT_EQ(want.index, (std::vector<int32_t>{40, 0}));
  EXPECT_EQ(want.index, got.index);
  EXPECT_EQ(want.distance, got.distance);
}

TEST(Nearest, nonsense_is_a_sentence) {
  syn_device_params p;
  syn_device_params_init(&p);
  p.threads = 1;
  syn_device* device = nullptr;
  syn_error error = {};
  error.size = sizeof error;
  ASSERT_EQ(syn_device_create(&p, &device, &error), SYN_OK);
  const float good[4] = {1, 2, 3, 4}, bad[4] = {1, 2, std::nanf(""), 4};
  float distance[4];
  int32_t index[4];
  EXPECT_EQ(syn_nearest(device, bad, 2, good, 2, 2, 1, 0, distance, index, &error), SYN_NUMERIC);
  EXPECT_STREQ(error.message, "row 1, column 0 of a is not a finite number");
  EXPECT_EQ(syn_nearest(device, good, 2, bad, 2, 2, 1, 0, distance, index, &error), SYN_NUMERIC);
  EXPECT_EQ(syn_nearest(device, good, 2, good, 2, 0, 1, 0, distance, index, &error), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_nearest(device, good, 2, good, 2, 2, 0, 0, distance, index, &error), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_nearest(device, good, -1, good, 2, 2, 1, 0, distance, index, &error), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_nearest(device, nullptr, 2, good, 2, 2, 1, 0, distance, index, &error), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_nearest(nullptr, good, 2, good, 2, 2, 1, 0, distance, index, nullptr), SYN_INVALID_ARGUMENT);
  syn_device_destroy(device);
}

}  // namespace
}  // namespace syn::tests
