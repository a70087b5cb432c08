// The sampler: the CPU's selection against the reference's sorting to the last bit, and both against the probabilities they
// claim.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "core/device.h"
#include "ops/decode_table.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

struct Sampler {
  SampleFunction function;
  std::vector<std::byte> scratch;

  void operator()(const GrammarTables& g, const SampleSettings& s, const float* z, SampleDraw& d) {
    void* at = scratch.data();
    size_t space = scratch.size();
    function(g, s, z, d, std::align(64, scratch.size() - 64, at, space));
  }
};

// Reference first, then every instruction set that this machine runs.
std::vector<Sampler> samplers(int32_t vocab) {
  const std::vector<std::byte> scratch(sample_scratch_bytes(vocab) + 64);
  std::vector<Sampler> out = {{ref::decode_table().sample, scratch}};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out.push_back({cpu::avx2::decode_table().sample, scratch});
  if (machine_isa() >= Isa::kAvx512) out.push_back({cpu::avx512::decode_table().sample, scratch});
  return out;
}

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

struct Row {
  GrammarMemory memory;
  std::vector<uint64_t> seen;
  int64_t patient;
  uint32_t position;
  int32_t room;
  bool measured;
};

Row random_row(Chance& c, const RandomGrammar& g) {
  Row r;
  r.seen.resize(static_cast<size_t>(g.vocab + 63) / 64);
  if (c.often(0.5))
    for (uint64_t& w : r.seen) w = (uint64_t{c.word()} << 32) | c.word();
  r.memory = {c.below(g.states), c.below(21) - 1, nullptr};
  r.patient = c.word();
  r.position = c.word();
  r.room = c.often(0.2) ? c.below(9) : kUnlimited;
  r.measured = c.often(0.5);
  return r;
}

SampleDraw draw(Sampler& sampler, const RandomGrammar& g, const SampleSettings& s, const std::vector<float>& z, Row& r) {
  SampleDraw d = {};
  d.patient = r.patient;
  d.position = r.position;
  d.room = r.room;
  d.measured = r.measured;
  d.memory = r.memory;
  d.memory.seen = r.seen.data();
  sampler(g.tables(), s, z.data(), d);
  return d;
}

TEST(Sample, bits_are_equal_in_every_backend) {
  constexpr int32_t kRows = 100000;
  Chance c(1);
  int64_t statuses[3] = {}, single = 0;
  for (int32_t i = 0; i < kRows;) {
    const int32_t vocab = 1 + c.below(c.often(0.1) ? 900 : 130);
    const RandomGrammar g(c, vocab);
    std::vector<Sampler> all = samplers(vocab);
    std::vector<float> z(static_cast<size_t>(vocab));
    for (int32_t j = 0; j < 50; ++j, ++i) {
      random_logits(c, z);
      const SampleSettings s = random_settings(c);
      const Row row = random_row(c, g);
      Row first = row;
      const SampleDraw want = draw(all[0], g, s, z, first);
      ++statuses[want.status];
      single += want.status == kSampled && want.logp_masked == 0;
      for (size_t k = 1; k < all.size(); ++k) {
        Row other = row;
        const SampleDraw got = draw(all[k], g, s, z, other);
        ASSERT_EQ(want.status, got.status) << "row " << i;
        if (want.status == kNothingLegal) continue;
        ASSERT_EQ(want.token, got.token) << "row " << i;
        ASSERT_EQ(want.number, got.number) << "row " << i;
        ASSERT_EQ(want.memory.state, got.memory.state) << "row " << i;
        ASSERT_EQ(want.memory.last_order, got.memory.last_order) << "row " << i;
        ASSERT_EQ(first.seen, other.seen) << "row " << i;
        ASSERT_TRUE(same(want.logp_model, got.logp_model) && same(want.logp_masked, got.logp_masked) &&
                    same(want.removed, got.removed))
            << "row " << i;
      }
    }
  }
  // The rows must have met what they are there for.
  EXPECT_GT(statuses[kSampled], kRows / 2);
  EXPECT_GT(statuses[kNoLegalLogit], kRows / 200);
  EXPECT_GT(statuses[kNothingLegal], kRows / 200);
  EXPECT_GT(single, kRows / 200);
}

// One class, one state: every token is legal for ever, and the last bit of the grammar is out of the way.
struct FreeGrammar {
  explicit FreeGrammar(int32_t vocab_)
      : vocab(vocab_),
        token_class(static_cast<size_t>(vocab), 0),
        order(static_cast<size_t>(vocab), 0),
        knot_start(static_cast<size_t>(vocab) + 1, 0),
        run{0, vocab, 0, 0} {}
  GrammarTables tables() const {
    return {vocab, 1,    1, 0, 0, 0, token_class.data(), order.data(), &zero, &zero, &next, &zero, &distance, knot_start.data(),
            &knot, &run, 1};
  }
  int32_t vocab;
  std::vector<uint16_t> token_class;
  std::vector<int32_t> order, knot_start;
  GrammarRun run;
  uint8_t zero = 0;
  int16_t next = 0;
  uint16_t distance = 1;
  int64_t knot = 0;
};

constexpr SampleSettings kPlain{7, 1.0f, 0, 1.0f, 0.0f, true};

// Counts of n draws of patient 0, 1, … at one position.
std::vector<int64_t> counts(Sampler& sampler, const FreeGrammar& g, const SampleSettings& s, const std::vector<float>& z,
                            int64_t n) {
  std::vector<int64_t> count(z.size());
  std::vector<uint64_t> seen(z.size() / 64 + 1);
  for (int64_t i = 0; i < n; ++i) {
    SampleDraw d = {};
    d.patient = i;
    d.position = 1;
    d.room = kUnlimited;
    d.memory = {0, kNothingSaid, seen.data()};
    sampler(g.tables(), s, z.data(), d);
    ++count[static_cast<size_t>(d.token)];
  }
  return count;
}

// Upper tail of the chi-square distribution by the cube-root normal approximation of Wilson and Hilferty.
double chi_square_p(double x, double freedom) {
  const double v = 2 / (9 * freedom);
  return 0.5 * std::erfc((std::cbrt(x / freedom) - (1 - v)) / std::sqrt(2 * v));
}

double fit(const std::vector<int64_t>& count, const std::vector<double>& p, int64_t n) {
  double x = 0, pooled = 0;
  int64_t pooled_count = 0;
  int freedom = -1;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) {
      EXPECT_EQ(count[i], 0);
    } else if (p[i] * static_cast<double>(n) < 10) {
      pooled += p[i] * static_cast<double>(n), pooled_count += count[i];
    } else {
      const double e = p[i] * static_cast<double>(n), d = static_cast<double>(count[i]) - e;
      x += d * d / e, ++freedom;
    }
  }
  if (pooled >= 10) x += std::pow(static_cast<double>(pooled_count) - pooled, 2) / pooled, ++freedom;
  return chi_square_p(x, freedom);
}

std::vector<double> softmax(const std::vector<float>& z, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (const float x : z) p.push_back(std::exp(x / temperature)), sum += p.back();
  for (double& x : p) x /= sum;
  return p;
}

TEST(Sample, a_million_draws_fit_each_of_five_distributions) {
  constexpr int64_t kDraws = 1000000;
  struct Case {
    const char* name;
    std::vector<float> z;
    float temperature;
    int32_t top_k;
  };
  std::vector<Case> cases = {{"uniform", std::vector<float>(61, 0.5f), 1, 0},
                             {"geometric", {}, 1, 0},
                             {"two", {0, -5}, 1, 0},
                             {"normal, warm", {}, 2, 0},
                             {"top 5", {}, 1, 5}};
  Chance c(3);
  for (int i = 0; i < 70; ++i) {
    cases[1].z.push_back(-0.5f * static_cast<float>(i));
    cases[3].z.push_back(static_cast<float>(3 * (c.unit() + c.unit() + c.unit())));
    cases[4].z.push_back(static_cast<float>(c.unit()));
  }
  for (const Case& x : cases) {
    std::vector<Sampler> all = samplers(70);
    SampleSettings s = kPlain;
    s.temperature = x.temperature;
    s.top_k = x.top_k;
    std::vector<double> p = softmax(x.z, x.temperature);
    if (x.top_k > 0) {
      std::vector<double> sorted = p;
      std::sort(sorted.rbegin(), sorted.rend());
      double kept = 0;
      for (double& q : p) kept += q = q < sorted[static_cast<size_t>(x.top_k) - 1] ? 0 : q;
      for (double& q : p) q /= kept;
    }
    const FreeGrammar g(static_cast<int32_t>(x.z.size()));
    EXPECT_GT(fit(counts(all.back(), g, s, x.z, kDraws), p, kDraws), 0.001) << x.name;
  }
}

TEST(Sample, a_probability_of_1e_12_is_reachable) {
  // The draw is the first prefix above r in [0, W): with the rare token last it needs r = W - 1. Its mass, not luck, is the test.
  const float rare = std::log(1e-12f);
  EXPECT_EQ(mass(rare, 0.0f), 1u);
  EXPECT_EQ(mass(0.0f, 0.0f), uint64_t{1} << 40);
  EXPECT_EQ(mass(-std::numeric_limits<float>::infinity(), 0.0f), 0u);
  const FreeGrammar g(2);
  std::vector<Sampler> all = samplers(2);
  std::vector<uint64_t> seen(1);
  for (Sampler& sampler : all) {
    SampleDraw d = {};
    d.room = kUnlimited;
    d.memory = {0, kNothingSaid, seen.data()};
    const float z[2] = {-std::numeric_limits<float>::infinity(), rare};  // alone it must win, and say what it weighed
    sampler(g.tables(), kPlain, z, d);
    EXPECT_EQ(d.token, 1);
    EXPECT_EQ(d.logp_model, 0);
  }
}

TEST(Sample, log_probabilities_are_those_of_the_softmax) {
  Chance c(5);
  std::vector<Sampler> all = samplers(500);
  for (int i = 0; i < 200; ++i) {
    const RandomGrammar g(c, 400);
    std::vector<float> z(400);
    for (float& x : z) x = static_cast<float>(20 * c.unit());
    Row row = random_row(c, g);
    row.room = kUnlimited;
    row.measured = true;
    SampleSettings s = random_settings(c);
    s.mask = true;
    GrammarMemory before = row.memory;
    std::vector<uint64_t> seen = row.seen;
    before.seen = seen.data();
    const SampleDraw d = draw(all.back(), g, s, z, row);
    if (d.status != kSampled) continue;
    double whole = 0, allowed = 0;
    for (int32_t t = 0; t < 400; ++t) {
      const double e = std::exp(static_cast<double>(z[static_cast<size_t>(t)]));
      whole += e;
      if (legal(g.tables(), before, t, kUnlimited)) allowed += e;
    }
    const double z_token = z[static_cast<size_t>(d.token)];
    EXPECT_NEAR(d.logp_model, z_token - std::log(whole), 1e-8);
    EXPECT_NEAR(d.logp_masked, z_token - std::log(allowed), 1e-8);
    EXPECT_NEAR(d.removed, 1 - allowed / whole, 1e-8);
  }
}

TEST(Sample, filters_keep_exactly_what_they_say) {
  const FreeGrammar g(8);
  const std::vector<float> z = {1, 3, 3, 2, 3, 0, 3, -1};  // four tokens tie at the top
  std::vector<Sampler> all = samplers(8);
  const auto kept = [&](SampleSettings s, Sampler& sampler) {
    const std::vector<int64_t> n = counts(sampler, g, s, z, 4000);
    std::vector<int> out;
    for (int t = 0; t < 8; ++t)
      if (n[static_cast<size_t>(t)] > 0) out.push_back(t);
    return out;
  };
  for (Sampler& sampler : all) {
    SampleSettings k = kPlain, p = kPlain, m = kPlain, tiny = kPlain;
    k.top_k = 2;
    p.top_p = 0.5f;
    m.min_p = 0.3f;
    tiny.top_p = 1e-30f;
    EXPECT_EQ(kept(k, sampler), (std::vector<int>{1, 2})) << "ties go to the lower id";
    EXPECT_EQ(kept(p, sampler), (std::vector<int>{1, 2, 4})) << "3 of 4 top tokens hold 0.67 of the mass, 2 hold 0.45";
    EXPECT_EQ(kept(m, sampler), (std::vector<int>{1, 2, 3, 4, 6})) << "e^-1 is above 0.3, e^-2 is not";
    EXPECT_EQ(kept(tiny, sampler), (std::vector<int>{1}));
  }
}

TEST(Sample, the_length_limit_leaves_only_ways_towards_the_end) {
  // State 0: class 0 stays, class 1 goes to state 1 (nearer), and from there class 2 ends.
  const uint16_t token_class[3] = {0, 1, 2}, distance[3] = {2, 1, 0};
  const int32_t order[3] = {}, knot_start[4] = {};
  const uint8_t rule[3] = {}, role[3] = {0, 0, kRoleEnd}, forget[9] = {};
  const int16_t next[9] = {0, 1, -1, -1, -1, 2, -1, -1, -1};
  const int64_t knot = 0;
  const GrammarRun run[3] = {{0, 1, 0, 0}, {1, 2, 0, 1}, {2, 3, 0, 2}};
  const GrammarTables g{3, 3, 3, 0, 2, 0, token_class, order, rule, role, next, forget, distance, knot_start, &knot, run, 3};
  const float z[3] = {50, 0, 0};
  for (Sampler& sampler : samplers(3)) {
    uint64_t seen = 0;
    SampleDraw d = {};
    d.memory = {0, kNothingSaid, &seen};
    d.room = 2;
    sampler(g, kPlain, z, d);
    EXPECT_EQ(d.token, 0) << "two more tokens lead from state 0 to the end";
    d.room = 1;
    sampler(g, kPlain, z, d);
    EXPECT_EQ(d.token, 1);
    d.room = 0;
    sampler(g, kPlain, z, d);
    EXPECT_EQ(d.token, 2);
    EXPECT_EQ(d.memory.state, 2);
  }
}

}  // namespace
}  // namespace syn::tests
