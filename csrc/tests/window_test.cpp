// Attention under a sliding window (ops/window.h): the reference against loops that are written here, every instruction set
// against the reference, and what a window promises. Decoding under one is in decode_test.cpp.
#include "model/work.h"
#include "tests/attention_run.h"

namespace syn::tests {
namespace {

// Sums over all pairs of rows of a segment, of which those out of sight weigh nothing.
std::vector<double> by_definition(const Heads& h, const TestSegments& segments, const std::vector<double>& qkv) {
  const Segments s = segments.view();
  const int32_t stride = (h.heads + 2 * h.kv_heads) * h.dim;
  std::vector<double> out(static_cast<size_t>(s.rows) * h.heads * h.dim);
  const auto at = [&](int32_t row, int32_t column) { return qkv[static_cast<size_t>(row) * stride + column]; };
  for (int32_t segment = 0; segment < s.count; ++segment)
    for (int32_t head = 0; head < h.heads; ++head)
      for (int32_t i = s.offsets[segment]; i < s.offsets[segment + 1]; ++i) {
        const int32_t kv = head / (h.heads / h.kv_heads), key = (h.heads + kv) * h.dim, value = key + h.kv_heads * h.dim;
        double sum = 0;
        std::vector<double> o(static_cast<size_t>(h.dim));
        for (int32_t j = s.offsets[segment]; j < s.offsets[segment + 1]; ++j) {
          const bool seen = j <= i && (h.window == 0 || j > i - h.window);
          double score = 0;
          for (int32_t c = 0; c < h.dim; ++c) score += at(i, head * h.dim + c) * at(j, key + c);
          const double weight = seen ? std::exp(score / std::sqrt(static_cast<double>(h.dim))) : 0;
          sum += weight;
          for (int32_t c = 0; c < h.dim; ++c) o[static_cast<size_t>(c)] += weight * at(j, value + c);
        }
        for (int32_t c = 0; c < h.dim; ++c)
          out[(static_cast<size_t>(i) * h.heads + head) * h.dim + c] = o[static_cast<size_t>(c)] / sum;
      }
  return out;
}

TEST(Window, the_reference_is_the_definition_and_its_gradient) {
  const TestSegments segments({5, 1, 9});
  for (const int32_t window : {0, 1, 2, 7, 8, 9, 100}) {
    SCOPED_TRACE("window " + std::to_string(window));
    const Heads h{2, 1, 16, 0, window};
    Tensors<double> t(h, segments.view().rows);
    Pool one(1);
    Exec exec{one, nullptr};
    t.run(ref::table(), exec, h, segments.view());
    EXPECT_LE(largest_error(t.out, by_definition(h, segments, t.qkv)), 1e-12);
    // dqkv are the derivatives of sum dout . out.
    const auto objective = [&](const std::vector<double>& qkv) {
      const std::vector<double> out = by_definition(h, segments, qkv);
      double sum = 0;
      for (size_t i = 0; i < out.size(); ++i) sum += t.dout[i] * out[i];
      return sum;
    };
    constexpr double kStep = 1e-5;
    for (size_t i = 0; i < t.qkv.size(); i += 3) {
      std::vector<double> moved = t.qkv;
      moved[i] += kStep;
      const double above = objective(moved);
      moved[i] -= 2 * kStep;
      EXPECT_NEAR((above - objective(moved)) / (2 * kStep), t.dqkv[i], 1e-7) << "at " << i;
    }
  }
}

// A window of 1 is tried with dropout: without it every weight is 1, which plain float, the bar, computes without an error.
TEST(Window, every_window_matches_the_reference) {
  const TestSegments ragged({1, 2, 63, 64, 65, 129, 200});
  for (const int32_t window : {1, 2, 7, 63, 64, 65, 128, 129, 1000})
    check_attention({2, 1, 24, window % 2 ? 0.2 : 0, window}, ragged);
}

TEST(Window, heads_of_every_size_match_the_reference) {
  const TestSegments ragged({3, 64, 135});
  constexpr int32_t kWindows[] = {2, 7, 64, 70};
  for (int32_t dim = 16, i = 0; dim <= 128; dim += 8, ++i)
    check_attention({i % 3 + 1, i % 3 == 1 ? 2 : 1, dim, i % 4 == 2 ? 0.2 : 0, kWindows[i % 4]}, ragged);
}

TEST(Window, lengths_around_tiles_and_windows_match_the_reference) {
  const TestSegments edges({6, 7, 8, 70, 71, 72, 126, 127, 128, 129, 134, 135, 192, 193, 256, 257});
  for (const int32_t window : {7, 64, 66}) check_attention({1, 1, 16, 0.1, window}, edges);
}

template <class Real>
void expect_same(const Tensors<Real>& a, const Tensors<Real>& b, const std::string& what) {
  EXPECT_EQ(a.out, b.out) << what;
  EXPECT_EQ(a.lse, b.lse) << what;
  EXPECT_EQ(a.dqkv, b.dqkv) << what;
}

constexpr Precision kPrecisions[] = {Precision::kFp32, Precision::kBf16};

TEST(Window, one_of_the_whole_segment_changes_no_bit) {
  const TestSegments segments({130, 64});
  const Heads none{2, 1, 40, 0.1};
  for (const int32_t window : {130, 131, 1 << 24, INT32_MAX}) {
    Heads h = none;
    h.window = window;
    for (const auto& [isa, ops] : cpu_tables())
      for (const int threads : {1, 3})
        for (const Precision p : kPrecisions) {
          const Tensors<float> input(h, 194);
          expect_same(run_cpu(h, segments, input, threads, ops, p), run_cpu(none, segments, input, threads, ops, p), isa);
        }
    Pool one(1);
    Exec exec{one, nullptr};
    Tensors<double> with(h, 194), without(none, 194);
    with.run(ref::table(), exec, h, segments.view());
    without.run(ref::table(), exec, none, segments.view());
    expect_same(with, without, "ref");
  }
}

TEST(Window, one_pass_and_two_passes_have_the_same_bits) {
  for (const auto& [isa, ops] : cpu_tables())
    for (const int32_t window : {1, 7, 64, 100})
      for (const Precision p : kPrecisions) {
        const Heads h{4, 2, 64, 0.3, window};
        const Tensors<float> input(h, 333);
        const TestSegments whole({333});
        const Tensors<float> once = run_cpu(h, whole, input, 1, ops, p);
        for (const int threads : {2, 3, 7}) expect_same(run_cpu(h, whole, input, threads, ops, p), once, isa);
      }
}

TEST(Window, a_segment_has_the_same_bits_alone_and_beside_others) {
  if (cpu_tables().empty()) GTEST_SKIP() << "no CPU backend here";
  const Heads h{2, 1, 32, 0, 40};
  const TestSegments packed({70, 1, 150});
  const Tensors<float> all = run_cpu(h, packed, Tensors<float>(h, 221), 2);
  const int64_t qkv = (h.heads + 2 * h.kv_heads) * h.dim, out = h.heads * h.dim;
  Tensors<float> t(h, 150);
  t.qkv = rows_of(all.qkv, qkv, 71, 221);
  t.dout = rows_of(all.dout, out, 71, 221);
  t = run_cpu(h, TestSegments({150}), t, 1);
  EXPECT_EQ(t.out, rows_of(all.out, out, 71, 221));
  EXPECT_EQ(t.dqkv, rows_of(all.dqkv, qkv, 71, 221));
}

bool numbers_from(const std::vector<float>& x, int64_t first) {
  return std::none_of(x.begin() + first, x.end(), [](float v) { return std::isnan(v); });
}

// What is not a number makes everything that meets it one: the queries of the third tile meet keys of the second and the third.
TEST(Window, tiles_outside_are_left_out) {
  const Heads h{1, 1, 16, 0, 33};
  const TestSegments whole({256});
  Tensors<float> input(h, 256);
  std::fill(input.qkv.begin(), input.qkv.begin() + 64 * 3 * h.dim, NAN);
  for (const auto& [isa, ops] : cpu_tables())
    for (const int threads : {1, 3}) {
      const Tensors<float> t = run_cpu(h, whole, input, threads, ops);
      EXPECT_TRUE(numbers_from(t.out, 128 * h.dim)) << isa;
      EXPECT_TRUE(numbers_from(t.dqkv, 128 * 3 * h.dim)) << isa;
      EXPECT_FALSE(numbers_from(t.out, 64 * h.dim)) << isa << ": queries of the second tile meet keys of the first";
    }
}

template <class Real>
std::vector<double> wide(const std::vector<Real>& x) {
  return {x.begin(), x.end()};
}

// As tests/precision_test.cpp: at most twice as far as bf16 itself moves the reference.
TEST(Window, in_bf16_it_follows_the_reference) {
  const TestSegments ragged({1, 63, 129, 200});
  const auto rounded = [](auto t) {
    for (auto& x : t.qkv) x = round_bf16(x);
    for (auto& x : t.dout) x = round_bf16(x);
    return t;
  };
  Pool one(1);
  Exec exec{one, nullptr};
  for (const int32_t window : {1, 7, 64}) {
    const Heads h{4, 2, 24, 0.2, window};
    Tensors<double> exact = rounded(Tensors<double>(h, 393)), oracle = exact;
    exact.run(ref::table(), exec, h, ragged.view());
    oracle.run(ref::table(), exec, h, ragged.view(), Precision::kBf16);
    for (const auto& [isa, ops] : cpu_tables()) {
      const Tensors<float> got = run_cpu(h, ragged, rounded(Tensors<float>(h, 393)), 2, ops, Precision::kBf16);
      EXPECT_LE(apart(wide(got.out), oracle.out), 2 * apart(oracle.out, exact.out)) << isa << ", window " << window;
      EXPECT_LE(apart(wide(got.dqkv), oracle.dqkv), 2 * apart(oracle.dqkv, exact.dqkv)) << isa << ", window " << window;
      EXPECT_LE(apart(wide(got.lse), oracle.lse), 1e-6) << isa << ", window " << window;
    }
  }
}

TEST(Window, work_counts_the_pairs_that_see_each_other) {
  const TestSegments segments({5, 0, 1, 9});
  for (const int32_t window : {0, 1, 4, 5, 20}) {
    double pairs = 0;
    for (const int32_t n : {5, 1, 9})
      for (int32_t i = 0; i < n; ++i)
        for (int32_t j = 0; j <= i; ++j) pairs += window == 0 || i - j < window;
    EXPECT_EQ(causal_pairs(segments.view(), window), pairs) << "window " << window;
  }
}

}  // namespace
}  // namespace syn::tests
