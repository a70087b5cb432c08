// cuda/grad_norm.cu and adamw.cu against the reference.
#include <cmath>

#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

double norm_on_device(const std::vector<float>& g) {
  const int64_t count = static_cast<int64_t>(g.size());
  Buffer<float> gradient(g);
  Buffer<double> partial(grad_blocks(count)), sum(1);
  must(cuda::grad_norm(nullptr, {gradient, count, partial, sum}));
  return sum.download()[0];
}

TEST(GpuGradNorm, is_the_sum_of_squares) {
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{255}, kGradBlock + 3}) {
    const auto g = numbers<float>(count, 1);
    double want = 0;
    for (const float x : g) want += static_cast<double>(x) * static_cast<double>(x);
    EXPECT_NEAR(norm_on_device(g), want, 1e-13 * want) << count;
  }
}

TEST(GpuGradNorm, of_a_broken_gradient_is_not_finite) {
  EXPECT_TRUE(std::isnan(norm_on_device({1, NAN, 2})));
  EXPECT_TRUE(std::isinf(norm_on_device({1, INFINITY, 2})));
}

struct StepResult {
  std::vector<float> weight, gradient, m, v;
  int32_t skipped;
};

constexpr double kTargets = 7, kLr = 0.01, kDecay = 0.1;

StepResult step_on_device(int64_t n, double square_sum, double clip) {
  auto moment = numbers<float>(n, 4);
  for (float& x : moment) x *= x;
  Buffer<float> weight(numbers<float>(n, 1)), gradient(numbers<float>(n, 2)), m(numbers<float>(n, 3)), v(moment);
  Buffer<double> sum(std::vector<double>{square_sum});
  Buffer<int32_t> skipped(std::vector<int32_t>{0});
  must(cuda::adamw(nullptr, {weight, gradient, m, v, n, kLr, 0.9, 0.95, 1e-8, kDecay, 0.5, 0.3, sum, kTargets, clip, skipped}));
  return {weight.download(), gradient.download(), m.download(), v.download(), skipped.download()[0]};
}

TEST(GpuAdamw, matches_the_reference_with_and_without_clipping) {
  const int64_t n = 517;
  for (const double clip : {0.0, 0.5, 1e6}) {
    const double square_sum = 1234, norm = std::sqrt(square_sum) / kTargets;
    const double scale = (clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1) / kTargets;
    const auto reference = [&](auto real, const auto& ops, Exec& exec, Precision) {
      using Real = decltype(real);
      auto weight = numbers<Real>(n, 1), gradient = numbers<Real>(n, 2), m = numbers<Real>(n, 3), v = numbers<Real>(n, 4);
      for (Real& x : v) x *= x;
      ops.adamw(exec, {weight.data(), gradient.data(), m.data(), v.data(), n, kLr, 0.9, 0.95, 1e-8, kDecay, scale, 0.5, 0.3});
      Outputs out;
      out.add("weight", weight);
      out.add("m", m);
      out.add("v", v);
      return out;
    };
    check_kernel(Precision::kFp32, kOutput, reference, [&] {
      const StepResult r = step_on_device(n, square_sum, clip);
      EXPECT_EQ(r.gradient, std::vector<float>(static_cast<size_t>(n), 0));
      EXPECT_EQ(r.skipped, 0);
      Outputs out;
      out.add("weight", r.weight);
      out.add("m", r.m);
      out.add("v", r.v);
      return out;
    });
  }
}

TEST(GpuAdamw, skips_a_step_whose_gradient_is_not_finite) {
  for (const double broken : {static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    const StepResult r = step_on_device(100, broken, 1);
    EXPECT_EQ(r.skipped, 1);
    EXPECT_EQ(r.weight, numbers<float>(100, 1));
    EXPECT_EQ(r.m, numbers<float>(100, 3));
    EXPECT_EQ(r.gradient, std::vector<float>(100, 0));
  }
}

}  // namespace
}  // namespace syn::tests
