// cuda/xent.cu against the reference, which computes the logits too: x is the identity, so that the weights are the logits.
#include <cmath>

#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

struct XentCase {
  int32_t vocab, stride;
  bool soft;
  Precision precision;
};

constexpr int32_t kRowsOfTest = 5;

// Row 2 has no target; with soft targets rows 1 and 3 have a row of the table.
struct Targets {
  std::vector<int32_t> hard, soft_row, soft_index;
  std::vector<float> soft_weight;
  explicit Targets(int32_t vocab) : hard{0, vocab - 1, -1, vocab / 2, vocab / 3}, soft_row{-1, 0, -1, 1, -1} {
    for (int32_t k = 0; k < 2 * kSoftTaps; ++k) {
      soft_index.push_back((k * 5 + vocab - 3) % vocab);
      soft_weight.push_back(static_cast<float>(1 + k % kSoftTaps) / 28);
    }
  }
};

template <class Real>
std::vector<Real> logits_of(const XentCase& c) {
  return bf16_numbers<Real>(int64_t{kRowsOfTest} * c.vocab, 1, 4);  // as weights they are rounded
}

// The reference takes one row of x at a time: row r of the identity picks column r of the weights [vocab, rows].
template <class Real>
Outputs xent_reference(const XentCase& c, const Ops<Real>& ops, Exec& exec, Precision p) {
  const auto logits = logits_of<Real>(c);
  std::vector<Real> weights(logits.size()), x(kRowsOfTest * kRowsOfTest), scratch(static_cast<size_t>(c.vocab)), gradient;
  for (size_t r = 0; r < kRowsOfTest; ++r) x[r * kRowsOfTest + r] = 1;
  for (size_t v = 0; v < static_cast<size_t>(c.vocab); ++v)
    for (size_t r = 0; r < kRowsOfTest; ++r) weights[v * kRowsOfTest + r] = logits[r * static_cast<size_t>(c.vocab) + v];
  const Targets t(c.vocab);
  std::vector<double> nll(kRowsOfTest);
  for (int32_t r = 0; r < kRowsOfTest; ++r) {
    Matrix<Real> w{weights.data(), c.vocab, kRowsOfTest, false};
    std::vector<Real> dx(kRowsOfTest);
    w.precision = p;
    ops.xent(exec, {x.data() + r * kRowsOfTest, w, t.hard.data() + r, c.soft ? t.soft_row.data() + r : nullptr,
                    t.soft_index.data(), t.soft_weight.data(), scratch.data(), nll.data() + r, nullptr, nullptr, 1});
    gradient.insert(gradient.end(), scratch.begin(), scratch.end());
  }
  Outputs out;
  out.add("nll", nll);
  out.add("gradient", gradient);
  return out;
}

// Rows of stride elements from their first vocab; bf16 gradients lie in the first half of a row.
std::vector<float> gradient_rows(const XentCase& c, const std::vector<float>& rows) {
  std::vector<float> out;
  for (int32_t r = 0; r < kRowsOfTest; ++r) {
    const float* row = rows.data() + int64_t{r} * c.stride;
    for (int32_t v = 0; v < c.vocab; ++v) {
      bf16 narrow;
      std::memcpy(&narrow, reinterpret_cast<const char*>(row) + 2 * v, 2);
      out.push_back(c.precision == Precision::kBf16 ? from_bf16(narrow) : row[v]);
    }
  }
  return out;
}

Outputs xent_on_device(const XentCase& c, bool gradient = true) {
  const auto logits = logits_of<float>(c);
  std::vector<float> padded(static_cast<size_t>(kRowsOfTest * c.stride), NAN);
  for (int32_t r = 0; r < kRowsOfTest; ++r)
    std::copy_n(logits.data() + int64_t{r} * c.vocab, c.vocab, padded.data() + int64_t{r} * c.stride);
  const Targets t(c.vocab);
  Buffer<float> z(padded), soft_weight(t.soft_weight);
  Buffer<int32_t> hard(t.hard), soft_row(t.soft_row), soft_index(t.soft_index);
  Buffer<double> nll(kRowsOfTest);
  must(cuda::xent(nullptr, {z, hard, c.soft ? soft_row.get() : nullptr, soft_index, soft_weight, nll, kRowsOfTest, c.vocab,
                            c.stride, gradient, c.precision}));
  Outputs out;
  out.add("nll", nll.download());
  out.add("gradient", gradient_rows(c, z.download()));
  return out;
}

TEST(GpuXent, matches_the_reference) {
  for (const bool soft : {false, true})
    for (const Precision p : {Precision::kBf16, Precision::kFp32})
      for (const int32_t vocab : kSmallOnly ? std::vector<int32_t>{13} : std::vector<int32_t>{8, 13, 1024, 1030, 5115}) {
        SCOPED_TRACE(vocab);
        const XentCase c{vocab, (vocab + 7) / 8 * 8, soft, p};
        check_kernel(
            p, kGradient,
            [&](auto, const auto& ops, Exec& exec, Precision rounding) { return xent_reference(c, ops, exec, rounding); },
            [&] { return xent_on_device(c); });
      }
}

TEST(GpuXent, without_gradient_the_logits_stay) {
  const XentCase c{13, 16, true, Precision::kFp32};
  const Outputs with = xent_on_device(c, true), without = xent_on_device(c, false);
  EXPECT_EQ(with.all()[0], without.all()[0]);
  const auto logits = logits_of<float>(c);
  EXPECT_EQ(without.all()[1].second, std::vector<double>(logits.begin(), logits.end()));
}

}  // namespace
}  // namespace syn::tests
