// cuda/attention_forward.cu and attention_backward.cu against the reference, over lengths around every tile edge.
#include <algorithm>
#include <array>
#include <cmath>

#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

struct AttentionCase {
  std::vector<int32_t> lengths;
  int32_t heads, kv_heads, dim;
  double dropout;
  Precision gradient;
};

constexpr Precision kBf16 = Precision::kBf16, kFp32 = Precision::kFp32;

Dropout drop_of(const AttentionCase& c) { return c.dropout > 0 ? test_dropout(c.dropout) : Dropout{}; }
int64_t qkv_width(const AttentionCase& c) { return int64_t{c.heads + 2 * c.kv_heads} * c.dim; }
int64_t out_width(const AttentionCase& c) { return int64_t{c.heads} * c.dim; }
float scale_of(const AttentionCase& c) { return 1 / std::sqrt(static_cast<float>(c.dim)); }

template <class Real>
std::vector<Real> qkv_of(const AttentionCase& c, int32_t rows) {
  return bf16_numbers<Real>(rows * qkv_width(c), 1, 1.5);
}
template <class Real>
std::vector<Real> dout_of(const AttentionCase& c, int32_t rows) {
  return bf16_numbers<Real>(rows * out_width(c), 2);
}

template <class Real>
Outputs attention_reference(const AttentionCase& c, const Ops<Real>& ops, Exec& exec, Precision p) {
  const TestSegments s(c.lengths);
  const int32_t rows = s.view().rows;
  const auto qkv = qkv_of<Real>(c, rows), dout = dout_of<Real>(c, rows);
  std::vector<Real> out(dout.size()), lse(static_cast<size_t>(c.heads * rows)), dqkv(qkv.size()), delta(lse.size());
  const Real scale = static_cast<Real>(scale_of(c));
  ops.attention_forward(exec, {qkv.data(), s.view(), c.heads, c.kv_heads, c.dim, scale, out.data(), lse.data(), drop_of(c), p});
  ops.attention_backward(exec, {qkv.data(), out.data(), lse.data(), dout.data(), s.view(), c.heads, c.kv_heads, c.dim, scale,
                                dqkv.data(), delta.data(), drop_of(c), p, p == kBf16 ? c.gradient : p});
  Outputs results;
  results.add("out", out);
  results.add("lse", lse);
  results.add("dqkv", dqkv);
  return results;
}

struct AttentionRun {
  std::vector<float> out, lse, dqkv;
};

// With c.lengths as the segments.
AttentionRun attention_on_device(const AttentionCase& c, const std::vector<float>& qkv_rows,
                                 const std::vector<float>& dout_rows) {
  const TestSegments s(c.lengths);
  const int32_t rows = s.view().rows, longest = *std::max_element(c.lengths.begin(), c.lengths.end());
  Buffer<bf16> qkv(to_bf16(qkv_rows)), dout(to_bf16(dout_rows)), out(rows * out_width(c));
  Buffer<int32_t> offsets(s.offsets);
  Buffer<float> lse(int64_t{c.heads} * rows), delta(int64_t{c.heads} * rows);
  TensorBuffer dqkv(c.gradient, rows * qkv_width(c));
  const Segments on_device{offsets, nullptr, s.view().count, rows};
  must(
      cuda::attention_forward(nullptr, {qkv, on_device, longest, c.heads, c.kv_heads, c.dim, scale_of(c), out, lse, drop_of(c)}));
  must(cuda::attention_backward(nullptr, {qkv, out, lse, dout, on_device, longest, c.heads, c.kv_heads, c.dim, scale_of(c),
                                          dqkv.view(), delta, drop_of(c)}));
  return {from_bf16(out.download()), lse.download(), dqkv.download()};
}

AttentionRun attention_on_device(const AttentionCase& c) {
  const int32_t rows = TestSegments(c.lengths).view().rows;
  return attention_on_device(c, qkv_of<float>(c, rows), dout_of<float>(c, rows));
}

void check_attention(const AttentionCase& c) {
  SCOPED_TRACE(std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " heads of " + std::to_string(c.dim) + ", " +
               std::to_string(c.lengths.size()) + " segments, dropout " + std::to_string(c.dropout));
  check_kernel(
      kBf16, kOutput, [&](auto, const auto& ops, Exec& exec, Precision p) { return attention_reference(c, ops, exec, p); },
      [&] {
        const AttentionRun r = attention_on_device(c);
        Outputs out;
        out.add("out", r.out);
        out.add("lse", r.lse);
        out.add("dqkv", r.dqkv);
        return out;
      });
}

TEST(GpuAttention, forward_and_backward_match_the_reference) {
  if (kSmallOnly) return check_attention({{66, 3}, 2, 1, 64, 0, kBf16});
  check_attention({{63, 1, 65}, 2, 2, 64, 0, kBf16});
  check_attention({{64, 130}, 2, 1, 64, 0, kFp32});
  check_attention({{128, 2, 0, 31}, 2, 1, 96, 0, kBf16});
  check_attention({{1, 129}, 1, 1, 128, 0, kFp32});
}

TEST(GpuAttention, with_dropout_matches_the_reference) {
  if (kSmallOnly) return check_attention({{33}, 1, 1, 64, 0.3, kBf16});
  check_attention({{70, 1, 13}, 3, 1, 64, 0.3, kBf16});
  check_attention({{66}, 1, 1, 128, 0.1, kFp32});
}

TEST(GpuAttention, a_segment_has_the_same_bits_alone_and_beside_others) {
  if (kSmallOnly) return;
  const AttentionCase packed{{40, 70, 5}, 2, 1, 64, 0, kBf16}, alone{{70}, 2, 1, 64, 0, kBf16};
  const int32_t rows = 115, begin = 40, end = 110;
  const auto part = [&](const std::vector<float>& x, int64_t width) {
    return std::vector<float>(x.begin() + begin * width, x.begin() + end * width);
  };
  const int64_t qkv = qkv_width(packed), out = out_width(packed);
  const AttentionRun all = attention_on_device(packed);
  const AttentionRun one =
      attention_on_device(alone, part(qkv_of<float>(packed, rows), qkv), part(dout_of<float>(packed, rows), out));
  EXPECT_EQ(one.out, part(all.out, out));
  EXPECT_EQ(one.dqkv, part(all.dqkv, qkv));
}

// The weights are rounded relative to an integer maximum: however it grows from tile to tile, they are the reference's, and only
// sums differ in their last bits. Relative to any other maximum about a quarter of the outputs would be rounded differently.
TEST(GpuAttention, a_maximum_that_grows_leaves_the_rounding_as_it_is) {
  if (kSmallOnly) return;
  const AttentionCase c{{200}, 1, 1, 64, 0, kBf16};
  Pool one(1);
  Exec exec{one, nullptr};
  const std::vector<double> want = attention_reference(c, ref::table(), exec, kBf16).all()[0].second;
  const std::vector<float> got = attention_on_device(c).out;
  size_t other = 0;
  for (size_t i = 0; i < want.size(); ++i) other += static_cast<double>(got[i]) != want[i];
  EXPECT_LT(other, want.size() / 100);
}

TEST(GpuAttention, refuses_heads_that_the_kernels_do_not_take) {
  cuda::AttentionForward a{};
  a.segments.count = a.longest = 1;
  for (const auto& [heads, kv, dim] : {std::array{2, 1, 32}, std::array{3, 2, 64}, std::array{0, 0, 64}}) {
    a.heads = heads;
    a.kv_heads = kv;
    a.head_dim = dim;
    EXPECT_EQ(cuda::attention_forward(nullptr, a), cuda::kInvalid);
  }
}

}  // namespace
}  // namespace syn::tests
