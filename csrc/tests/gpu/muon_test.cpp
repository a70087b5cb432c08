// The kernels of cuda/muon.cu, each against its formula: what they store as float to a few units in the last place, what they
// round to bf16 as that. Whole steps, whose products need a backend, are in training_test.cpp.
#include <cmath>

#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

// A matrix in a larger one.
constexpr int32_t kRows = 37, kColumns = 44, kLd = 60;
constexpr double kTargets = 7, kMu = 0.95, kLr = 0.02, kDecay = 0.1;
constexpr int64_t kCount = int64_t{kRows} * kColumns, kAll = int64_t{kRows} * kLd;

size_t at(int64_t r, int64_t c) { return static_cast<size_t>(r * kLd + c); }
size_t packed_at(int64_t r, int64_t c) { return static_cast<size_t>(r * kColumns + c); }

void expect_near(float got, double want, double scale = 1) { EXPECT_NEAR(static_cast<double>(got), want, 4 * 0x1p-24 * scale); }
// Half a unit in the last place of bf16, and a little for what was rounded before.
void expect_rounded(bf16 got, double want) {
  EXPECT_NEAR(static_cast<double>(from_bf16(got)), want, 1.01 * 0x1p-8 * std::fabs(want) + 4e-6);
}

struct MomentumResult {
  std::vector<float> gradient, momentum, u;
  int32_t skipped;
};

MomentumResult momentum_on_device(double square_sum, double clip) {
  Buffer<float> gradient(numbers<float>(kAll, 2)), momentum(numbers<float>(kAll, 3)), u(kCount);
  Buffer<double> sum(std::vector<double>{square_sum});
  Buffer<int32_t> skipped(std::vector<int32_t>{0});
  must(cuda::muon_momentum(nullptr, {gradient, momentum, kLd, u, kRows, kColumns, kMu, sum, kTargets, clip, skipped}));
  return {gradient.download(), momentum.download(), u.download(), skipped.download()[0]};
}

// Nothing outside the matrix may change.
void expect_outside(const std::vector<float>& got, const std::vector<float>& before) {
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = kColumns; c < kLd; ++c) ASSERT_EQ(got[at(r, c)], before[at(r, c)]) << r << ", " << c;
}

TEST(GpuMuon, momentum_of_a_matrix_in_a_larger_one) {
  const auto g = numbers<float>(kAll, 2), m = numbers<float>(kAll, 3);
  for (const double clip : {0.0, 0.5, 1e6}) {
    const double square_sum = 1234, norm = std::sqrt(square_sum) / kTargets;
    const double scale = (clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1) / kTargets;
    const MomentumResult got = momentum_on_device(square_sum, clip);
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t c = 0; c < kColumns; ++c) {
        const double x = scale * static_cast<double>(g[at(r, c)]), next = kMu * static_cast<double>(m[at(r, c)]) + x;
        expect_near(got.momentum[at(r, c)], next, 4);
        expect_near(got.u[packed_at(r, c)], x + kMu * next, 4);
        ASSERT_EQ(got.gradient[at(r, c)], 0);
      }
    expect_outside(got.gradient, g);
    expect_outside(got.momentum, m);
    EXPECT_EQ(got.skipped, 0);
  }
}

std::vector<float> update_on_device(double square_sum, const std::vector<bf16>& x) {
  Buffer<float> weight(numbers<float>(kAll, 1));
  Buffer<bf16> direction(x);
  Buffer<double> sum(std::vector<double>{square_sum});
  must(cuda::muon_update(nullptr, {weight, kLd, direction, kRows, kColumns, kLr, kDecay, sum, kTargets}));
  return weight.download();
}

TEST(GpuMuon, a_step_has_the_size_of_the_longer_side) {
  const auto before = numbers<float>(kAll, 1), x = bf16_numbers<float>(kCount, 5);
  const std::vector<float> got = update_on_device(1234, to_bf16(x));
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kColumns; ++c) {
      const double w = static_cast<double>(before[at(r, c)]), direction = static_cast<double>(x[packed_at(r, c)]);
      expect_near(got[at(r, c)], w - kLr * (kDecay * w + 0.2 * std::sqrt(44.0) * direction), 4);
    }
  expect_outside(got, before);
}

TEST(GpuMuon, a_gradient_that_is_not_finite_is_skipped) {
  for (const double broken : {static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    const MomentumResult got = momentum_on_device(broken, 1);
    EXPECT_EQ(got.skipped, 1);
    EXPECT_EQ(got.momentum, numbers<float>(kAll, 3));
    EXPECT_EQ(got.u, std::vector<float>(static_cast<size_t>(kCount), 0));
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t c = 0; c < kColumns; ++c) ASSERT_EQ(got.gradient[at(r, c)], 0);
    EXPECT_EQ(update_on_device(broken, to_bf16(numbers<float>(kCount, 5))), numbers<float>(kAll, 1));
  }
}

TEST(GpuMuon, is_divided_by_its_norm_and_rounded) {
  for (const double square_sum : {900.0, 0.0}) {
    const auto u = numbers<float>(kCount, 6, square_sum > 0 ? 1 : 1e-7);
    Buffer<float> from(u);
    Buffer<double> sum(std::vector<double>{square_sum});
    Buffer<bf16> x(kCount);
    must(cuda::muon_normalise(nullptr, {from, sum, x, kCount}));
    x.download();
    for (size_t i = 0; i < u.size(); ++i) expect_rounded(x.host()[i], static_cast<double>(u[i]) / (std::sqrt(square_sum) + 1e-7));
  }
}

TEST(GpuMuon, sums_are_rounded_once_in_place_or_not) {
  const auto x = bf16_numbers<float>(kCount, 7), s = numbers<float>(kCount, 8);
  for (const bool in_place : {false, true}) {
    Buffer<bf16> from(to_bf16(x)), to(kCount);
    Buffer<float> sum(s);
    bf16* const result = in_place ? from.get() : to.get();
    must(cuda::muon_combine(nullptr, {from, sum, result, kCount, 3.4445f, -0.5f}));
    const std::vector<bf16> got = in_place ? from.download() : to.download();
    for (size_t i = 0; i < x.size(); ++i)
      expect_rounded(got[i], 3.4445 * static_cast<double>(x[i]) - 0.5 * static_cast<double>(s[i]));
  }
}

TEST(GpuMuon, sizes_that_no_kernel_takes_are_refused) {
  Buffer<float> numbers_of(64);
  Buffer<bf16> x(64);
  Buffer<double> sum(std::vector<double>{1});
  Buffer<int32_t> skipped(std::vector<int32_t>{0});
  const auto momentum = [&](int64_t ld, int32_t columns) {
    return cuda::muon_momentum(nullptr, {numbers_of, numbers_of, ld, numbers_of, 2, columns, kMu, sum, kTargets, 1, skipped});
  };
  EXPECT_EQ(momentum(8, 6), cuda::kInvalid);
  EXPECT_EQ(momentum(10, 8), cuda::kInvalid);
  EXPECT_EQ(momentum(4, 8), cuda::kInvalid);
  EXPECT_EQ(cuda::muon_update(nullptr, {numbers_of, 8, x, 2, 6, kLr, kDecay, sum, kTargets}), cuda::kInvalid);
  EXPECT_EQ(cuda::muon_normalise(nullptr, {numbers_of, sum, x, 6}), cuda::kInvalid);
  EXPECT_EQ(cuda::muon_combine(nullptr, {x, numbers_of, x, 6, 1, 1}), cuda::kInvalid);
}

}  // namespace
}  // namespace syn::tests
