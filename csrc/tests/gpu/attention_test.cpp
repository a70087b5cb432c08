// cuda/attention_forward.cu and attention_backward.cu against the reference, over lengths around every tile edge and heads of
// every size.
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
  int32_t window = 0;
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
  ops.attention_forward(
      exec, {qkv.data(), s.view(), c.heads, c.kv_heads, c.dim, scale, out.data(), lse.data(), drop_of(c), p, c.window});
  ops.attention_backward(exec, {qkv.data(), out.data(), lse.data(), dout.data(), s.view(), c.heads, c.kv_heads, c.dim, scale,
                                dqkv.data(), delta.data(), drop_of(c), p, p == kBf16 ? c.gradient : p, c.window});
  Outputs results;
  results.add("out", out);
  results.add("lse", lse);
  results.add("dqkv", dqkv);
  return results;
}

// What kernels write begins as NaN and has a guard behind it, which must stay NaN.
constexpr int64_t kGuard = 128;
std::vector<float> unwritten(int64_t count) { return std::vector<float>(static_cast<size_t>(count + kGuard), NAN); }
std::vector<float> without_guard(std::vector<float> x) {
  const auto guard = x.end() - kGuard;
  EXPECT_TRUE(std::all_of(guard, x.end(), [](float v) { return std::isnan(v); })) << "written behind the last row";
  x.erase(guard, x.end());
  return x;
}

struct AttentionRun {
  std::vector<float> out, lse, dqkv;
};

// With c.lengths as the segments.
AttentionRun attention_on_device(const AttentionCase& c, float scale, const std::vector<float>& qkv_rows,
                                 const std::vector<float>& dout_rows) {
  const TestSegments s(c.lengths);
  const int32_t rows = s.view().rows, longest = *std::max_element(c.lengths.begin(), c.lengths.end());
  Buffer<bf16> qkv(to_bf16(qkv_rows)), dout(to_bf16(dout_rows)), out(to_bf16(unwritten(rows * out_width(c))));
  Buffer<int32_t> offsets(s.offsets);
  Buffer<float> lse(int64_t{c.heads} * rows), delta(int64_t{c.heads} * rows);
  TensorBuffer dqkv(c.gradient, unwritten(rows * qkv_width(c)));
  const Segments on_device{offsets, nullptr, s.view().count, rows};
  must(cuda::attention_forward(nullptr,
                               {qkv, on_device, longest, c.heads, c.kv_heads, c.dim, scale, out, lse, drop_of(c), c.window}));
  must(cuda::attention_backward(
      nullptr,
      {qkv, out, lse, dout, on_device, longest, c.heads, c.kv_heads, c.dim, scale, dqkv.view(), delta, drop_of(c), c.window}));
  return {without_guard(from_bf16(out.download())), lse.download(), without_guard(dqkv.download())};
}

AttentionRun attention_on_device(const AttentionCase& c) {
  const int32_t rows = TestSegments(c.lengths).view().rows;
  return attention_on_device(c, scale_of(c), qkv_of<float>(c, rows), dout_of<float>(c, rows));
}

void check_attention(const AttentionCase& c) {
  SCOPED_TRACE(std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " heads of " + std::to_string(c.dim) + ", " +
               std::to_string(c.lengths.size()) + " segments, dropout " + std::to_string(c.dropout) + ", window " +
               std::to_string(c.window));
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

// In tiles of 32, 64, 96 and 128 columns, which most of these heads do not fill.
TEST(GpuAttention, heads_of_every_size_match_the_reference) {
  if (kSmallOnly) {
    check_attention({{33, 2}, 2, 1, 24, 0.3, kBf16});
    return check_attention({{9}, 1, 1, 40, 0, kFp32});
  }
  const std::vector<std::vector<int32_t>> lengths = {{33, 1}, {65}, {31, 2}, {34}};
  for (int32_t dim = 16; dim <= 128; dim += 8)
    check_attention({lengths[static_cast<size_t>(dim / 8 % 4)], dim % 24 ? 2 : 3, dim % 24 == 16 ? 2 : 1, dim,
                     dim % 24 == 8 ? 0 : 0.2, dim % 16 ? kFp32 : kBf16});
}

// Windows that end inside a tile, at its edge and beyond it; of the rows of a block some see no key of its first tile.
TEST(GpuAttention, a_window_matches_the_reference) {
  if (kSmallOnly) return check_attention({{74, 3}, 2, 1, 16, 0, kBf16, 7});
  check_attention({{74, 3, 0, 130}, 2, 1, 64, 0, kBf16, 7});
  check_attention({{129, 65}, 2, 2, 24, 0.2, kFp32, 1});
  check_attention({{129, 1, 70}, 1, 1, 96, 0, kBf16, 2});
  check_attention({{200}, 2, 1, 16, 0, kFp32, 64});
  check_attention({{197, 64}, 1, 1, 32, 0.1, kBf16, 65});
  check_attention({{97}, 1, 1, 128, 0, kFp32, 33});
}

TEST(GpuAttention, a_window_of_the_whole_segment_changes_no_bit) {
  if (kSmallOnly) return;
  AttentionCase c{{130, 40}, 2, 1, 32, 0.1, kBf16};
  const AttentionRun without = attention_on_device(c);
  for (const int32_t window : {130, 131, 1 << 24}) {
    c.window = window;
    const AttentionRun with = attention_on_device(c);
    EXPECT_EQ(with.out, without.out) << window;
    EXPECT_EQ(with.lse, without.lse) << window;
    EXPECT_EQ(with.dqkv, without.dqkv) << window;
  }
  c.window = 129;
  EXPECT_NE(attention_on_device(c).out, without.out);
}

// What is not a number makes everything that meets it one: tiles that no query of a block sees are not met.
TEST(GpuAttention, tiles_outside_the_window_are_not_read) {
  if (kSmallOnly) return;
  const AttentionCase c{{192}, 1, 1, 16, 0, kBf16, 33};
  std::vector<float> qkv = qkv_of<float>(c, 192);
  const auto width = static_cast<std::ptrdiff_t>(qkv_width(c));
  std::fill(qkv.begin(), qkv.begin() + 64 * width, NAN);
  const AttentionRun run = attention_on_device(c, scale_of(c), qkv, dout_of<float>(c, 192));
  const auto numbers_from = [](const std::vector<float>& x, std::ptrdiff_t first) {
    return std::none_of(x.begin() + first, x.end(), [](float v) { return std::isnan(v); });
  };
  EXPECT_TRUE(numbers_from(run.out, 128 * c.dim)) << "queries of the third block see keys of the second and the third";
  EXPECT_TRUE(numbers_from(run.dqkv, 128 * width));
  EXPECT_FALSE(numbers_from(run.out, 64 * c.dim)) << "those of the second see some of the first";
}

// Heads of dim columns in as many of wide columns, zeros behind.
std::vector<float> widened(const std::vector<float>& x, int32_t dim, int32_t wide) {
  std::vector<float> out;
  for (auto head = x.begin(); head != x.end(); head += dim) {
    out.insert(out.end(), head, head + dim);
    out.resize(out.size() + static_cast<size_t>(wide - dim));
  }
  return out;
}

TEST(GpuAttention, a_head_has_the_same_bits_in_a_wider_tile) {
  if (kSmallOnly) return;
  struct Sizes {
    int32_t dim, wide;
  };
  for (const Sizes s : {Sizes{24, 32}, Sizes{16, 64}, Sizes{72, 128}}) {
    const AttentionCase narrow{{35, 2}, 2, 1, s.dim, 0.1, kBf16}, wide{{35, 2}, 2, 1, s.wide, 0.1, kBf16};
    const std::vector<float> qkv = qkv_of<float>(narrow, 37), dout = dout_of<float>(narrow, 37);
    const AttentionRun one = attention_on_device(narrow, scale_of(narrow), qkv, dout);
    const AttentionRun other =
        attention_on_device(wide, scale_of(narrow), widened(qkv, s.dim, s.wide), widened(dout, s.dim, s.wide));
    EXPECT_EQ(widened(one.out, s.dim, s.wide), other.out);
    EXPECT_EQ(one.lse, other.lse);
    EXPECT_EQ(widened(one.dqkv, s.dim, s.wide), other.dqkv);
  }
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
  const AttentionRun one = attention_on_device(alone, scale_of(alone), part(qkv_of<float>(packed, rows), qkv),
                                               part(dout_of<float>(packed, rows), out));
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
  cuda::AttentionBackward b{};
  a.segments.count = a.longest = b.segments.count = b.longest = 1;
  for (const auto& [heads, kv, dim] : {std::array{2, 1, 8}, std::array{2, 1, 20}, std::array{2, 1, 136}, std::array{2, 1, -64},
                                       std::array{3, 2, 64}, std::array{0, 0, 64}}) {
    a.heads = b.heads = heads;
    a.kv_heads = b.kv_heads = kv;
    a.head_dim = b.head_dim = dim;
    EXPECT_EQ(cuda::attention_forward(nullptr, a), cuda::kInvalid) << dim;
    EXPECT_EQ(cuda::attention_backward(nullptr, b), cuda::kInvalid) << dim;
  }
  a.heads = b.heads = a.kv_heads = b.kv_heads = 1;
  a.head_dim = b.head_dim = 64;
  a.window = b.window = -1;
  EXPECT_EQ(cuda::attention_forward(nullptr, a), cuda::kInvalid);
  EXPECT_EQ(cuda::attention_backward(nullptr, b), cuda::kInvalid);
}

}  // namespace
}  // namespace syn::tests
