// cuda/sample.cu against the reference: the same bits in every field, for random grammars, logits and filters.
#include "ref/decode.h"
#include "tests/gpu/kernel_check.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

// A grammar's tables on the device.
class DeviceGrammar {
 public:
  explicit DeviceGrammar(const RandomGrammar& g)
      : grammar_(g),
        token_class_(g.token_class),
        distance_(g.distance),
        order_(g.order),
        knot_start_(g.knot_start),
        rule_(g.rule),
        role_(g.role),
        forget_(g.forget),
        next_(g.next),
        knots_(g.knots) {}

  GrammarTables tables() const {
    GrammarTables t = grammar_.tables();
    t.token_class = token_class_;
    t.token_order = order_;
    t.class_rule = rule_;
    t.class_role = role_;
    t.next = next_;
    t.forget = forget_;
    t.distance = distance_;
    t.knot_start = knot_start_;
    t.knots = knots_;
    t.run = nullptr;  // the kernel asks every token
    t.runs = 0;
    return t;
  }

 private:
  const RandomGrammar& grammar_;
  Buffer<uint16_t> token_class_, distance_;
  Buffer<int32_t> order_, knot_start_;
  Buffer<uint8_t> rule_, role_, forget_;
  Buffer<int16_t> next_;
  Buffer<int64_t> knots_;
};

// Records in random states, with logits and what they have seen.
struct Records {
  int32_t rows, vocab;
  size_t words;
  std::vector<SampleDraw> draws;
  std::vector<uint64_t> seen;  // [rows, words]
  std::vector<float> logits;

  Records(Chance& c, const RandomGrammar& g, int32_t rows_)
      : rows(rows_), vocab(g.vocab), words((static_cast<size_t>(vocab) + 63) / 64) {
    for (int32_t r = 0; r < rows; ++r) {
      std::vector<float> z(static_cast<size_t>(vocab));
      random_logits(c, z);
      logits.insert(logits.end(), z.begin(), z.end());
      for (size_t w = 0; w < words; ++w) seen.push_back(uint64_t{c.word()} << 32 | c.word());
      SampleDraw d{};
      d.patient = c.below(1 << 30);
      d.position = static_cast<uint32_t>(c.below(4000));
      d.room = c.often(0.5) ? kUnlimited : c.below(10);
      d.measured = c.often(0.5);
      d.memory = {c.below(g.states), c.below(22) - 1, nullptr};
      draws.push_back(d);
    }
  }
};

void sample_on_reference(const RandomGrammar& g, const SampleSettings& s, Records& x) {
  for (int32_t r = 0; r < x.rows; ++r) {
    SampleDraw& d = x.draws[static_cast<size_t>(r)];
    d.memory.seen = x.seen.data() + static_cast<size_t>(r) * x.words;
    ref::sample(g.tables(), s, x.logits.data() + int64_t{r} * x.vocab, d, nullptr);
  }
}

void sample_on_device(const DeviceGrammar& g, const SampleSettings& s, Records& x, bool in_shared) {
  Buffer<uint64_t> seen(x.seen);
  Buffer<float> logits(x.logits), scratch(in_shared ? 1 : int64_t{x.rows} * x.vocab);
  for (int32_t r = 0; r < x.rows; ++r) x.draws[static_cast<size_t>(r)].memory.seen = seen + static_cast<size_t>(r) * x.words;
  Buffer<SampleDraw> draws(x.draws);
  must(cuda::sample(nullptr, {g.tables(), s, logits, draws, in_shared ? nullptr : scratch.get(), x.rows}));
  must(cudaMemcpy(x.draws.data(), draws, draws.bytes(), cudaMemcpyDeviceToHost));  // holds addresses: no part of the digest
  x.seen = seen.download();
}

void compare_draws(const Records& got, const Records& want) {
  EXPECT_EQ(got.seen, want.seen);
  for (size_t r = 0; r < want.draws.size(); ++r) {
    EXPECT_EQ(draw_fields(got.draws[r]), draw_fields(want.draws[r])) << "row " << r;
    for (const uint64_t x : draw_fields(got.draws[r])) digest() = (digest() ^ x) * 1099511628211ull;
  }
}

TEST(GpuSample, has_the_bits_of_the_reference) {
  Chance c(11);
  const int rounds = kSmallOnly ? 3 : 60;
  int32_t statuses[3] = {};
  for (int i = 0; i < rounds; ++i) {
    SCOPED_TRACE(i);
    const int32_t vocab = kSmallOnly ? 70 : i % 8 == 7 ? 1500 : 1 + c.below(i % 2 ? 600 : 40);
    const RandomGrammar g(c, vocab);
    const DeviceGrammar on_device(g);
    const SampleSettings s = random_settings(c);
    Records want(c, g, kSmallOnly ? 2 : 4), got = want;
    sample_on_reference(g, s, want);
    sample_on_device(on_device, s, got, i % 3 != 0);
    compare_draws(got, want);
    for (const SampleDraw& d : want.draws) ++statuses[d.status];
  }
  if (kSmallOnly) return;
  for (const int32_t n : statuses) EXPECT_GT(n, 0) << "a status that no record met";
}

// Many equal logits at the edge of every filter: ties go to the lower id.
TEST(GpuSample, ties_have_the_bits_of_the_reference) {
  Chance c(12);
  for (int i = 0; i < (kSmallOnly ? 1 : 12); ++i) {
    SCOPED_TRACE(i);
    const RandomGrammar g(c, kSmallOnly ? 70 : 300);
    const DeviceGrammar on_device(g);
    SampleSettings s{uint64_t{c.word()}, 1.0f, 1 + c.below(200), i % 2 ? 0.5f : 1.0f, 0, false};
    Records want(c, g, 4);
    for (float& z : want.logits) z = static_cast<float>(c.below(3));
    Records got = want;
    sample_on_reference(g, s, want);
    sample_on_device(on_device, s, got, true);
    compare_draws(got, want);
  }
}

TEST(GpuSample, a_record_has_the_same_bits_in_any_row) {
  Chance c(13);
  const RandomGrammar g(c, 100);
  const DeviceGrammar on_device(g);
  const SampleSettings s = random_settings(c);
  Records forward(c, g, 3), backward = forward;
  for (int32_t r = 0; r < 3; ++r) {
    const auto from = static_cast<size_t>(r), to = static_cast<size_t>(2 - r);
    backward.draws[to] = forward.draws[from];
    std::copy_n(forward.logits.begin() + r * 100, 100, backward.logits.begin() + (2 - r) * 100);
    std::copy_n(forward.seen.begin() + r * 2, 2, backward.seen.begin() + (2 - r) * 2);
  }
  sample_on_device(on_device, s, forward, true);
  sample_on_device(on_device, s, backward, true);
  for (size_t r = 0; r < 3; ++r) EXPECT_EQ(draw_fields(backward.draws[2 - r]), draw_fields(forward.draws[r]));
}

// The rows of a burst, as the device keeps them and as a loop on the host does.
struct BurstRows {
  static constexpr int32_t kRows = 5, kSteps = 4, kStride = 7;
  const RandomGrammar& grammar;
  const SampleSettings settings;
  const RecordRules rules;
  Records records;
  std::vector<int32_t> token, position, step, given, limit, feed;
  std::vector<SampleDraw> drawn;  // [kSteps, kStride], status -1 where nothing was

  BurstRows(Chance& c, const RandomGrammar& g)
      : grammar(g),
        settings(random_settings(c)),
        rules{30 + c.below(40), c.often(0.3)},
        records(c, g, kRows),
        step(kRows, 0),
        drawn(static_cast<size_t>(kSteps * kStride)) {
    for (SampleDraw& d : drawn) d.status = static_cast<SampleStatus>(-1);
    for (SampleDraw& d : records.draws) {
      token.push_back(c.below(g.vocab));
      position.push_back(c.below(100));
      given.push_back(1 + (c.often(0.4) ? c.below(kSteps + 1) : 0));
      limit.push_back(c.often(0.5) ? kSteps : 1 + c.below(kSteps));
      d.position = static_cast<uint32_t>(c.below(20));
      ask(rules, d);
    }
    for (int32_t i = 0; i < (kSteps - 1) * kStride; ++i) feed.push_back(c.below(g.vocab));
  }

  void step_on_host(size_t r, const float* logits) {
    if (step[r] == limit[r]) return;
    const auto at = static_cast<size_t>(step[r]) * kStride + r;
    const bool last = ++step[r] == limit[r];
    if (step[r] < given[r]) {
      if (!last) feed_next(r, feed[at]);
      return;
    }
    SampleDraw& d = records.draws[r];
    d.memory.seen = records.seen.data() + r * records.words;
    ref::sample(grammar.tables(), settings, logits, d, nullptr);
    drawn[at] = d;
    if (last) return;
    if (d.status == kNothingLegal || ends(grammar.tables(), settings, d)) {
      step[r] = limit[r];
      return;
    }
    feed_next(r, d.token);
    ++d.position;
    ask(rules, d);
  }

 private:
  void feed_next(size_t r, int32_t next) {
    token[r] = next;
    ++position[r];
  }
};

// Tokens that are given, draws that are fed, limits and ends of records, step by step; also what is left alone.
TEST(GpuSample, rows_of_a_burst_go_on_with_what_they_drew) {
  Chance c(15);
  int32_t draws = 0, ended = 0;
  for (int i = 0; i < (kSmallOnly ? 3 : 20); ++i) {
    SCOPED_TRACE(i);
    const RandomGrammar g(c, 70);
    const DeviceGrammar on_device(g);
    BurstRows want(c, g);
    Buffer<int32_t> token(want.token), position(want.position), step(want.step), given(want.given), limit(want.limit),
        feed(want.feed);
    Buffer<uint64_t> seen(want.records.seen);
    Buffer<SampleDraw> drawn(want.drawn);
    std::vector<SampleDraw> asked = want.records.draws;
    for (size_t r = 0; r < asked.size(); ++r) asked[r].memory.seen = seen + r * want.records.words;
    Buffer<SampleDraw> first(asked);
    for (int32_t now = 0; now < BurstRows::kSteps; ++now) {
      Buffer<float> logits(Records(c, g, BurstRows::kRows).logits);
      must(cuda::sample(nullptr, {on_device.tables(), want.settings, logits, first, nullptr, BurstRows::kRows,
                                  {token, position, step, given, limit, feed, drawn, BurstRows::kStride, want.rules}}));
      for (size_t r = 0; r < asked.size(); ++r) want.step_on_host(r, logits.host().data() + r * 70);
      EXPECT_EQ(token.download(), want.token);
      EXPECT_EQ(position.download(), want.position);
      EXPECT_EQ(step.download(), want.step);
      EXPECT_EQ(seen.download(), want.records.seen);
    }
    const std::vector<SampleDraw> got = from_device(drawn.get(), BurstRows::kSteps * BurstRows::kStride);
    for (size_t at = 0; at < got.size(); ++at) {
      const SampleDraw &x = got[at], &y = want.drawn[at];
      ASSERT_EQ(x.status, y.status) << "place " << at;
      if (y.status == static_cast<SampleStatus>(-1)) continue;
      ++draws;
      ended += y.status != kNothingLegal && ends(g.tables(), want.settings, y);
      EXPECT_EQ(draw_fields(x), draw_fields(y)) << "place " << at;
      EXPECT_EQ(x.patient, y.patient);
      EXPECT_EQ(x.position, y.position);
      EXPECT_EQ(x.room, y.room);
      EXPECT_EQ(x.measured, y.measured);
      for (const uint64_t field : draw_fields(x)) digest() = (digest() ^ field) * 1099511628211ull;
    }
  }
  if (kSmallOnly) return;
  EXPECT_GT(draws, 100);
  EXPECT_GT(ended, 5);
}

TEST(GpuSample, refuses_a_row_that_does_not_fit) {
  cuda::Sample a{};
  a.rows = 1;
  a.grammar.classes = 100;
  a.grammar.vocab = 40000;
  EXPECT_FALSE(cuda::sample_fits(40000, 100));
  EXPECT_EQ(cuda::sample(nullptr, a), cuda::kInvalid);
  a.grammar.vocab = 0;
  EXPECT_EQ(cuda::sample(nullptr, a), cuda::kInvalid);
  a.grammar.vocab = 70;
  a.rows = 0;
  EXPECT_EQ(cuda::sample(nullptr, a), 0);
  int32_t step = 0;
  a.burst.step = &step;
  a.burst.stride = -1;
  EXPECT_EQ(cuda::sample(nullptr, a), cuda::kInvalid) << "a log narrower than the rows";
}

}  // namespace
}  // namespace syn::tests
