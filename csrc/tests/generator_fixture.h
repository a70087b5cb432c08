// A small grammar with everything that a real one has, and devices, models and generators through the C ABI.
//   record := <s> visit+ </s>    visit := (FIRST | SINCE) covariate* label* code* row* STAY    row := GAP value+
#ifndef SYN_TESTS_GENERATOR_FIXTURE_H
#define SYN_TESTS_GENERATOR_FIXTURE_H

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "math/grammar.h"
#include "model/grammar.h"
#include "tests/handles.h"

namespace syn::tests {

enum SmallClass : uint16_t { kFirst, kSince, kCovariate, kLabel, kCode, kGap, kValue, kStay, kEnd, kClasses };
enum SmallState : int16_t { kAtStart, kOpened, kCovariates, kLabels, kCodes, kRowOpened, kInRow, kBetween, kDone, kStates };

struct SmallGrammar {
  syn_grammar_params params = {};
  std::vector<uint16_t> token_class, distance;
  std::vector<int32_t> order, chunk_token, knot_start = {0};
  std::vector<uint8_t> rule, role, forget;
  std::vector<int16_t> next;
  std::vector<int64_t> edges = {60, 240, 1440, 10080}, knots;
  std::vector<int8_t> decimals;

  SmallGrammar() {
    add(1, kNoClass, 0, {});  // <s>
    add(1, kEnd, 0, {});
    add(1, kFirst, 0, {});
    for (int64_t i = 0; i < 3; ++i) add(1, kSince, 0, {1000 * i, 1000 * i + 400, 1000 * i + 999});
    for (int32_t i = 0; i < 2; ++i) add(2, kCovariate, i, {});
    for (int32_t i = 0; i < 2; ++i) add(2, kLabel, 2 + i, {});
    add(12, kCode, 0, {});
    for (int64_t i = 0; i < 4; ++i) add(1, kGap, 0, {1 + 90 * i, 30 + 90 * i, 90 + 90 * i});
    for (int32_t v = 0; v < 3; ++v) {
      for (int64_t bin = 0; bin < 4; ++bin) add(1, kValue, 4 + v, {100 * bin, 100 * bin + 99}, 1);
      add(1, kValue, 4 + v, {777}, 1);  // an atom
    }
    for (int64_t i = 0; i < 2; ++i) add(1, kStay, 0, {500 * i, 500 * i + 499});
    classes();
    transitions();
    chunks();
    params.size = sizeof params;
    params.vocab = static_cast<int32_t>(token_class.size());
    params.states = kStates;
    params.classes = kClasses;
    params.start = kAtStart;
    params.done = kDone;
    params.start_token = 0;
    params.elapsed_edges = static_cast<int32_t>(edges.size());
    params.knots = static_cast<int32_t>(knots.size());
  }

  GrammarArrays arrays() const {
    return {token_class.data(), order.data(),       rule.data(),  role.data(),       next.data(),  forget.data(),
            distance.data(),    chunk_token.data(), edges.data(), knot_start.data(), knots.data(), decimals.data()};
  }
  syn_status create(syn_grammar** out, syn_error* error) const {
    const GrammarArrays a = arrays();
    return syn_grammar_create(&params, a.token_class, a.token_order, a.class_rule, a.class_role, a.next, a.forget, a.distance,
                              a.chunk_token, a.elapsed_edges, a.knot_start, a.knots, a.decimals, out, error);
  }

 private:
  void add(int count, uint16_t c, int32_t o, std::vector<int64_t> k, int8_t digits = 0) {
    for (int i = 0; i < count; ++i) {
      token_class.push_back(c);
      order.push_back(o);
      decimals.push_back(digits);
      knots.insert(knots.end(), k.begin(), k.end());
      knot_start.push_back(static_cast<int32_t>(knots.size()));
    }
  }
  void classes() {
    rule = {0, 0, kRuleAscending, kRuleAscending, kRuleUnique, 0, kRuleAscending, 0, 0};
    role = {kRoleVisit, kRoleVisit, kRoleCovariate, kRoleLabel, 4, kRoleGap, 6, 7, kRoleEnd};
  }
  void transitions() {
    next.assign(kStates * kClasses, -1);
    forget.assign(kStates * kClasses, 0);
    const auto go = [&](int16_t from, uint16_t c, int16_t to, uint8_t f = 0) {
      next[static_cast<size_t>(from * kClasses + c)] = to;
      forget[static_cast<size_t>(from * kClasses + c)] = f;
    };
    go(kAtStart, kFirst, kOpened, kForgetOrder | kForgetSeen);
    go(kBetween, kSince, kOpened, kForgetOrder | kForgetSeen);
    go(kBetween, kEnd, kDone);
    for (const int16_t s : {kOpened, kCovariates}) go(s, kCovariate, kCovariates);
    for (const int16_t s : {kOpened, kCovariates, kLabels}) go(s, kLabel, kLabels);
    for (const int16_t s : {kOpened, kCovariates, kLabels, kCodes}) {
      go(s, kCode, kCodes);
      go(s, kGap, kRowOpened, kForgetOrder);
      go(s, kStay, kBetween);
    }
    go(kRowOpened, kValue, kInRow);
    go(kInRow, kValue, kInRow);
    go(kInRow, kGap, kRowOpened, kForgetOrder);
    go(kInRow, kStay, kBetween);
    distance = {4, 2, 2, 2, 2, 3, 2, 1, 0};
    distance[kAtStart] = 3;
  }
  void chunks() {
    chunk_token.assign(kStates, -1);
    for (const int16_t s : {kCodes, kRowOpened, kBetween}) {
      chunk_token[static_cast<size_t>(s)] = static_cast<int32_t>(token_class.size());
      add(1, kNoClass, 0, {});
    }
    params.visit_token0 = static_cast<int32_t>(token_class.size());
    params.visits = 3;
    add(3, kNoClass, 0, {});
    params.elapsed_token0 = static_cast<int32_t>(token_class.size());
    add(static_cast<int>(edges.size()) + 1, kNoClass, 0, {});
  }
};

inline syn_model_config small_model(int32_t family, int32_t vocab, int32_t context) {
  syn_model_config c;
  syn_model_config_init(&c);
  c.family = family;
  c.vocab = vocab;
  c.width = family == SYN_GPT2 ? 32 : 40;
  c.layers = 2;
  c.heads = family == SYN_GPT2 ? 2 : 4;
  c.kv_heads = 2;
  c.head_dim = 16;
  c.ffn = 48;
  c.context = context;
  c.tied = family == SYN_GPT2;
  c.norm_eps = 1e-5f;
  c.rope_theta = 10000;
  c.dropout = 0;
  c.init_std = 0.25f;  // a lively network: draws are not uniform
  return c;
}

using GrammarHandle = std::unique_ptr<syn_grammar, Destroyer<syn_grammar, syn_grammar_destroy>>;
using GeneratorHandle = std::unique_ptr<syn_generator, Destroyer<syn_generator, syn_generator_destroy>>;

struct GeneratedRecord {
  int64_t patient;
  int32_t closed, chunks;
  double removed;
  std::vector<int32_t> tokens;
  std::vector<int64_t> numbers;
  int64_t measured = 0;
};

inline std::map<int64_t, GeneratedRecord> by_patient(std::vector<GeneratedRecord> records) {
  std::map<int64_t, GeneratedRecord> out;
  for (GeneratedRecord& r : records) out[r.patient] = std::move(r);
  return out;
}

inline void expect_equal(const std::map<int64_t, GeneratedRecord>& a, const std::map<int64_t, GeneratedRecord>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [patient, x] : a) {
    const GeneratedRecord& y = b.at(patient);
    EXPECT_EQ(x.tokens, y.tokens) << "patient " << patient;
    EXPECT_EQ(x.numbers, y.numbers) << "patient " << patient;
    EXPECT_EQ(x.removed, y.removed) << "patient " << patient;
    EXPECT_EQ(x.measured, y.measured) << "patient " << patient;
    EXPECT_EQ(x.chunks, y.chunks) << "patient " << patient;
    EXPECT_EQ(x.closed, y.closed) << "patient " << patient;
  }
}

// Every token may follow what the record said before it, every number lies in its token's bin, and the record is at its end.
inline void expect_legal(const SmallGrammar& g, const GeneratedRecord& r) {
  const Grammar grammar(g.params, g.arrays());
  const GrammarTables t = grammar.tables();
  std::vector<uint64_t> seen(static_cast<size_t>(t.vocab) / 64 + 1);
  GrammarMemory m{t.start, kNothingSaid, seen.data()};
  ASSERT_EQ(r.tokens[0], t.start_token);
  for (size_t i = 1; i < r.tokens.size(); ++i) {
    const int32_t token = r.tokens[i];
    ASSERT_TRUE(legal(t, m, token, kUnlimited)) << "patient " << r.patient << ", token " << i;
    take(t, m, token);
    const int32_t from = t.knot_start[token], to = t.knot_start[token + 1];
    if (from == to) {
      ASSERT_EQ(r.numbers[i], INT64_MIN);
    } else {
      ASSERT_GE(r.numbers[i], t.knots[from]);
      ASSERT_LE(r.numbers[i], t.knots[to - 1]);
    }
  }
  ASSERT_EQ(m.state, t.done);
}

// Everything between a device and its records; members are destroyed children last on purpose: a child keeps its parents alive.
struct Factory {
  GeneratorHandle generator;
  GrammarHandle grammar;
  ModelHandle model;
  DeviceHandle device;
  syn_error failure = fresh_error();

  Factory(int32_t backend, int32_t threads, const syn_model_config& config, const SmallGrammar& g,
          const syn_generator_params& p)
      : Factory(make_device(backend, threads), config, g, p) {}

  Factory(DeviceHandle on, const syn_model_config& config, const SmallGrammar& g, const syn_generator_params& p)
      : device(std::move(on)) {
    model = make_model(device.get(), config, 11);
    syn_grammar* made = nullptr;
    must(g.create(&made, &failure), failure);
    grammar.reset(made);
    syn_generator* out = nullptr;
    must(syn_generator_create(model.get(), grammar.get(), &p, &out, &failure), failure);
    generator.reset(out);
  }

  syn_generator_stats run(int64_t steps) {
    syn_generator_stats stats = {};
    stats.size = sizeof stats;
    EXPECT_EQ(syn_generator_run(generator.get(), steps, &stats, &failure), SYN_OK) << failure.message;
    return stats;
  }

  // Takes what is ready.
  void take(std::vector<GeneratedRecord>& into, int64_t capacity) {
    for (;;) {
      GeneratedRecord r;
      r.tokens.resize(static_cast<size_t>(capacity));
      r.numbers.resize(static_cast<size_t>(capacity));
      syn_record out = {};
      out.size = sizeof out;
      ASSERT_EQ(syn_generator_take(generator.get(), r.tokens.data(), r.numbers.data(), capacity, &out, &failure), SYN_OK)
          << failure.message;
      if (out.tokens == 0) return;
      r.tokens.resize(static_cast<size_t>(out.tokens));
      r.numbers.resize(static_cast<size_t>(out.tokens));
      r.patient = out.patient;
      r.closed = out.closed;
      r.chunks = out.chunks;
      r.removed = out.masked_mass;
      r.measured = out.measured;
      into.push_back(std::move(r));
    }
  }

  // Runs in bursts until every submitted patient has been taken.
  std::vector<GeneratedRecord> finish(int64_t burst, int64_t capacity) {
    std::vector<GeneratedRecord> out;
    for (;;) {
      const syn_generator_stats stats = run(burst);
      take(out, capacity);
      if (::testing::Test::HasFailure() || (stats.active == 0 && stats.queued == 0)) return out;
    }
  }
};

inline syn_generator_params generator_params(int32_t slots, int64_t max_tokens) {
  syn_generator_params p;
  syn_generator_params_init(&p);
  p.slots = slots;
  p.max_tokens = max_tokens;
  p.seed = 5;
  return p;
}

}  // namespace syn::tests

#endif
