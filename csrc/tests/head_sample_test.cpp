// Output matrix and draw as one op: what is skipped may not be seen in what is drawn, nor who shares a tile.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "core/device.h"
#include "ops/decode_table.h"
#include "ops/table.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// A tall matrix, rows in front of it and what each row's record remembers.
struct Case {
  Case(Chance& c, int32_t vocab, int32_t width_, int32_t rows_) : g(c, vocab), width(width_), rows(rows_) {
    const auto number = [&] { return static_cast<float>(2 * c.unit() - 1); };
    for (int64_t i = 0; i < int64_t{vocab} * width; ++i) w.push_back(number());
    for (int64_t i = 0; i < int64_t{rows} * width; ++i) x.push_back(number());
    words = static_cast<size_t>(vocab + 63) / 64;
    for (int32_t r = 0; r < rows; ++r) {
      SampleDraw d = {};
      d.patient = c.word();
      d.position = c.word();
      d.room = c.often(0.2) ? c.below(9) : kUnlimited;
      d.measured = c.often(0.2);
      d.memory = {c.below(g.states), c.below(21) - 1, nullptr};
      draws.push_back(d);
      const double said = c.unit() * c.unit();
      for (size_t i = 0; i < words; ++i) {
        uint64_t word = 0;
        for (int b = 0; b < 64; ++b) word |= uint64_t{c.often(said)} << b;
        seen.push_back(word);
      }
    }
  }

  RandomGrammar g;
  int32_t width, rows;
  std::vector<float> w, x;
  std::vector<SampleDraw> draws;
  std::vector<uint64_t> seen;
  size_t words;
};

struct Drawn {
  std::vector<SampleDraw> draws;
  std::vector<uint64_t> seen;

  explicit Drawn(const Case& c) : draws(c.draws), seen(c.seen) { point(c.words); }
  Drawn(const Drawn&) = delete;
  void point(size_t words) {
    for (size_t r = 0; r < draws.size(); ++r) draws[r].memory.seen = seen.data() + r * words;
  }
};

void expect_equal(const Drawn& a, const Drawn& b, bool measured) {
  for (size_t r = 0; r < a.draws.size(); ++r) {
    const SampleDraw &x = a.draws[r], &y = b.draws[r];
    ASSERT_EQ(x.status, y.status) << "row " << r;
    if (x.status == kNothingLegal) continue;
    ASSERT_EQ(x.token, y.token) << "row " << r;
    ASSERT_EQ(x.number, y.number) << "row " << r;
    ASSERT_EQ(x.memory.state, y.memory.state) << "row " << r;
    ASSERT_TRUE(same(x.logp_masked, y.logp_masked)) << "row " << r;
    if (!measured) continue;
    ASSERT_TRUE(same(x.logp_model, y.logp_model) && same(x.removed, y.removed)) << "row " << r;
  }
  ASSERT_EQ(a.seen, b.seen);
}

class CpuHead {
 public:
  CpuHead(const Case& c, int threads, Precision precision = Precision::kFp32)
      : c_(c), device_(SYN_BACKEND_CPU, threads), ops_(device_.ops<float>()) {
    packed_.resize(static_cast<size_t>(ops_.packed_size(c.g.vocab, c.width, precision)) + 16);
    void* at = packed_.data();
    size_t space = packed_.size() * sizeof(float);
    packed_at_ = static_cast<float*>(std::align(64, space - 64, at, space));
    head_ = {c.w.data(), c.g.vocab, c.width, false, packed_at_, nullptr, precision};
    Exec exec{device_.pool, nullptr};
    ops_.pack(exec, {head_, packed_at_, nullptr});
  }

  // Draws for the rows [first, first + rows). Logits that nothing may ask for are NaN when it begins.
  void draw(const SampleSettings& s, Drawn& d, int32_t first, int32_t rows) {
    Exec exec{device_.pool, nullptr};
    const auto& ops = decode_ops<float>(device_);
    const auto bytes = static_cast<size_t>(ops.head_sample_workspace(c_.g.vocab, device_.pool.threads()));
    std::vector<std::byte> memory(bytes + 64, std::byte{0xFF});
    void* at = memory.data();
    size_t space = memory.size();
    std::align(64, bytes, at, space);
    ops.head_sample(exec, {c_.x.data() + int64_t{first} * c_.width, head_, c_.g.tables(), s, d.draws.data() + first, rows,
                           static_cast<std::byte*>(at)});
  }

  // The whole product first, then the reference's draw from it.
  void draw_from_whole_rows(const SampleSettings& s, Drawn& d) {
    Exec exec{device_.pool, nullptr};
    std::vector<float> z(static_cast<size_t>(c_.rows) * static_cast<size_t>(c_.g.vocab));
    ops_.linear_forward(exec, {c_.x.data(), head_, nullptr, z.data(), nullptr, c_.rows});
    for (int32_t r = 0; r < c_.rows; ++r)
      ref::decode_table().sample(c_.g.tables(), s, z.data() + int64_t{r} * c_.g.vocab, d.draws[static_cast<size_t>(r)], nullptr);
  }

 private:
  const Case& c_;
  Device device_;
  const Ops<float>& ops_;
  std::vector<float> packed_;
  float* packed_at_;
  Matrix<float> head_;
};

TEST(HeadSample, legal_panels_give_the_same_tokens_as_the_full_head) {
  Chance c(21);
  int64_t statuses[3] = {};
  for (const int32_t vocab : {1, 63, 64, 65, 129, 700, 1111}) {
    for (int32_t i = 0; i < 12; ++i) {
      const Case x(c, vocab, 8 + 8 * c.below(6), 1 + c.below(110));
      const SampleSettings s = random_settings(c);
      for (const int threads : {1, 3}) {
        CpuHead head(x, threads, i % 3 == 2 ? Precision::kInt8 : Precision::kFp32);
        Drawn want(x), got(x), full(x);
        head.draw_from_whole_rows(s, want);
        head.draw(s, got, 0, x.rows);
        expect_equal(want, got, true);
        for (SampleDraw& d : full.draws) d.measured = true;
        head.draw(s, full, 0, x.rows);
        expect_equal(want, full, false);
        for (const SampleDraw& d : got.draws) ++statuses[d.status];
      }
    }
  }
  EXPECT_GT(statuses[kSampled], 3000);
  EXPECT_GT(statuses[kNothingLegal], 20);
}

TEST(HeadSample, a_row_does_not_depend_on_its_neighbours_or_on_threads) {
  Chance c(22);
  const Case x(c, 1000, 48, 64);
  const SampleSettings s = random_settings(c);
  Drawn together(x);
  CpuHead(x, 1).draw(s, together, 0, x.rows);
  for (const int threads : {1, 2, 3}) {
    CpuHead head(x, threads);
    for (const int32_t size : {1, 8, 64}) {
      Drawn d(x);
      for (int32_t r = 0; r < x.rows; r += size) head.draw(s, d, r, size);
      expect_equal(together, d, true);
    }
  }
}

}  // namespace
}  // namespace syn::tests
