// cuda/norm.cu against the reference.
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

struct NormCase {
  int32_t rows, width;
  bool layer_norm, branch;
  double dropout;
  Precision precision;
};

constexpr Precision kBf16 = Precision::kBf16, kFp32 = Precision::kFp32;

Dropout drop_of(const NormCase& c) { return c.dropout > 0 ? test_dropout(c.dropout) : Dropout{}; }

template <class Real>
Outputs norm_reference(const NormCase& c, const Ops<Real>& ops, Exec& exec, Precision p) {
  const int64_t n = int64_t{c.rows} * c.width;
  const auto x = numbers<Real>(n, 1), branch = numbers<Real>(n, 2), dy = numbers<Real>(n, 3);
  const auto weight = numbers<Real>(c.width, 4), bias = numbers<Real>(c.width, 5);
  std::vector<Real> sum = x, y(x.size()), mean(static_cast<size_t>(c.rows)), rstd(mean), ds = numbers<Real>(n, 6),
                    dbranch(x.size());
  std::vector<Real> dweight(weight.size(), 1), dbias(bias.size(), 1), partial(static_cast<size_t>(norm_partial(c.rows, c.width)));
  ops.norm_forward(exec,
                   {x.data(), c.branch ? branch.data() : nullptr, sum.data(), weight.data(), c.layer_norm ? bias.data() : nullptr,
                    y.data(), mean.data(), rstd.data(), c.rows, c.width, static_cast<Real>(1e-5), drop_of(c), p});
  ops.norm_backward(exec, {dy.data(), sum.data(), weight.data(), c.layer_norm ? mean.data() : nullptr, rstd.data(), ds.data(),
                           c.branch ? dbranch.data() : nullptr, dweight.data(), c.layer_norm ? dbias.data() : nullptr,
                           partial.data(), c.rows, c.width, drop_of(c), p});
  Outputs out;
  out.add("y", y);
  out.add("rstd", rstd);
  out.add("ds", ds);
  if (c.branch) out.add("sum", sum), out.add("dbranch", dbranch);
  if (c.layer_norm) out.add("mean", mean), out.add("dbias", dbias);
  out.add("dweight", dweight);
  return out;
}

Outputs norm_on_device(const NormCase& c) {
  const int64_t n = int64_t{c.rows} * c.width;
  Buffer<float> x(numbers<float>(n, 1)), branch(numbers<float>(n, 2)), dy(numbers<float>(n, 3)),
      weight(numbers<float>(c.width, 4)), bias(numbers<float>(c.width, 5)), sum(n), mean(c.rows), rstd(c.rows),
      ds(numbers<float>(n, 6)), dweight(std::vector<float>(static_cast<size_t>(c.width), 1)),
      dbias(std::vector<float>(static_cast<size_t>(c.width), 1)), partial(norm_partial(c.rows, c.width));
  TensorBuffer y(c.precision, n), dbranch(c.precision, n);
  const float* const s = c.branch ? sum.get() : x.get();
  must(cuda::norm_forward(nullptr, {x, c.branch ? branch.get() : nullptr, sum, weight, c.layer_norm ? bias.get() : nullptr,
                                    y.view(), c.layer_norm ? mean.get() : nullptr, rstd, c.rows, c.width, 1e-5f, drop_of(c)}));
  must(cuda::norm_backward(nullptr, {dy, s, weight, c.layer_norm ? mean.get() : nullptr, rstd, ds,
                                     c.branch ? dbranch.view() : cuda::Tensor{nullptr, c.precision}, dweight,
                                     c.layer_norm ? dbias.get() : nullptr, partial, c.rows, c.width, drop_of(c)}));
  Outputs out;
  out.add("y", y.download());
  out.add("rstd", rstd.download());
  out.add("ds", ds.download());
  if (c.branch) out.add("sum", sum.download()), out.add("dbranch", dbranch.download());
  if (c.layer_norm) out.add("mean", mean.download()), out.add("dbias", dbias.download());
  out.add("dweight", dweight.download());
  return out;
}

TEST(GpuNorm, forward_and_backward_match_the_reference) {
  const NormCase small[] = {{3, 64, true, true, 0.25, kBf16}, {66, 132, false, false, 0, kFp32}};
  const NormCase all[] = {
      {1, 4, true, false, 0, kBf16},      {63, 64, true, true, 0, kBf16},    {65, 128, false, true, 0.1, kBf16},
      {130, 128, true, true, 0.1, kFp32}, {64, 384, false, false, 0, kBf16}, {5, 768, true, true, 0.5, kBf16},
      {9, 1032, false, true, 0, kBf16},   {3, 2052, true, true, 0, kFp32},   {2, 4096, true, false, 0, kBf16}};
  const auto check = [](const NormCase& c) {
    SCOPED_TRACE(std::to_string(c.rows) + " rows of " + std::to_string(c.width));
    check_kernel(
        c.precision, kGradient, [&](auto, const auto& ops, Exec& exec, Precision p) { return norm_reference(c, ops, exec, p); },
        [&] { return norm_on_device(c); });
  };
  for (const NormCase& c : small) check(c);
  if (!kSmallOnly)
    for (const NormCase& c : all) check(c);
}

TEST(GpuNorm, refuses_what_the_kernels_do_not_take) {
  for (const int32_t width : {0, 6, 4100}) {
    cuda::NormForward a{};
    a.rows = 1;
    a.width = width;
    EXPECT_EQ(cuda::norm_forward(nullptr, a), cuda::kInvalid);
    cuda::NormBackward b{};
    b.rows = 1;
    b.width = width;
    EXPECT_EQ(cuda::norm_backward(nullptr, b), cuda::kInvalid);
  }
  const float branch = 0;
  cuda::NormForward a{};  // an embedding has no branch
  a.rows = 1;
  a.width = 4;
  a.branch = &branch;
  EXPECT_EQ(cuda::norm_forward(nullptr, a), cuda::kInvalid);
}

}  // namespace
}  // namespace syn::tests
