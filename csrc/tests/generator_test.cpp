// Generation through the ABI: who shares a step with a record, and in what order, may not matter; every record is legal; and a
// record is what full forward passes over its chunks would have said.
#include <algorithm>
#include <map>

#include "tests/generator_fixture.h"
#include "tests/naive_generation.h"

namespace syn::tests {
namespace {

constexpr int32_t kContext = 40;
constexpr int64_t kMaxTokens = 130;
constexpr int64_t kPatients = 24;

struct Way {
  int32_t slots, threads;
  int64_t burst;
  bool backwards;
  int32_t precision = SYN_PRECISION_FP32;
};

std::map<int64_t, GeneratedRecord> generate(int32_t backend, int32_t family, const Way& way, int64_t patients) {
  const SmallGrammar g;
  syn_generator_params p = generator_params(way.slots, kMaxTokens);
  p.precision = way.precision;
  Factory f(backend, way.threads, small_model(family, g.params.vocab, kContext), g, p);
  for (int64_t i = 0; way.backwards && i < patients; ++i) {
    EXPECT_EQ(syn_generator_submit(f.generator.get(), patients - 1 - i, 1, &f.failure), SYN_OK);
  }
  if (!way.backwards) {
    EXPECT_EQ(syn_generator_submit(f.generator.get(), 0, patients, &f.failure), SYN_OK);
  }
  return by_patient(f.finish(way.burst, kMaxTokens));
}

TEST(Generator, a_patient_does_not_depend_on_slots_threads_order_or_bursts) {
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA}) {
    const auto alone = generate(SYN_BACKEND_CPU, family, {1, 1, 1 << 20, false}, kPatients);
    ASSERT_EQ(alone.size(), static_cast<size_t>(kPatients));
    EXPECT_NE(alone.at(0).tokens, alone.at(1).tokens);
    for (const Way& way : {Way{8, 2, 7, false}, Way{64, 3, 1, true}, Way{64, 1, 1 << 20, false}, Way{5, 2, 1 << 20, true}}) {
      expect_equal(alone, generate(SYN_BACKEND_CPU, family, way, kPatients));
    }
    const auto int8 = generate(SYN_BACKEND_CPU, family, {1, 1, 1 << 20, false, SYN_PRECISION_INT8}, kPatients);
    expect_equal(int8, generate(SYN_BACKEND_CPU, family, {64, 3, 1, true, SYN_PRECISION_INT8}, kPatients));
    EXPECT_NE(int8.at(0).tokens, alone.at(0).tokens) << "int8 must have reached the products";
    const auto reference = generate(SYN_BACKEND_REF, family, {1, 1, 1 << 20, false}, 6);
    expect_equal(reference, generate(SYN_BACKEND_REF, family, {4, 3, 3, true}, 6));
  }
}

TEST(Generator, patients_are_the_same_from_8_64_and_256_slots) {
  constexpr int64_t kMany = 300;  // more than there are slots
  const auto few = generate(SYN_BACKEND_CPU, SYN_GPT2, {8, 2, 1 << 20, false}, kMany);
  ASSERT_EQ(few.size(), static_cast<size_t>(kMany));
  for (const Way& way : {Way{64, 7, 11, false}, Way{256, 2, 1 << 20, false}, Way{256, 3, 5, true}})
    expect_equal(few, generate(SYN_BACKEND_CPU, SYN_GPT2, way, kMany));
}

TEST(Generator, every_record_is_legal_and_within_its_limit) {
  const SmallGrammar g;
  int64_t closed = 0, chunked = 0;
  for (const int64_t limit : {int64_t{4}, int64_t{5}, int64_t{17}, kMaxTokens}) {
    Factory f(SYN_BACKEND_CPU, 2, small_model(SYN_GPT2, g.params.vocab, kContext), g, generator_params(16, limit));
    ASSERT_EQ(syn_generator_submit(f.generator.get(), 1000, 60, &f.failure), SYN_OK);
    const auto records = f.finish(50, limit);
    ASSERT_EQ(records.size(), 60u);
    for (const GeneratedRecord& r : records) {
      expect_legal(g, r);
      EXPECT_LE(static_cast<int64_t>(r.tokens.size()), limit);
      EXPECT_GE(r.removed, 0);
      EXPECT_LE(r.removed, 1);
      closed += r.closed;
      chunked += r.chunks > 1;
    }
  }
  EXPECT_GT(closed, 60) << "the limit of 4 leaves one shape of record";
  EXPECT_LT(closed, 240);
  EXPECT_GT(chunked, 10);
}

TEST(Generator, a_record_is_what_full_forward_passes_over_its_chunks_say) {
  const SmallGrammar g;
  const Grammar grammar(g.params, g.arrays());
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA}) {
    const auto records = generate(SYN_BACKEND_REF, family, {4, 2, 9, false}, 8);
    const syn_model_config config = small_model(family, g.params.vocab, kContext);
    NaiveGeneration naive(config, 11, grammar, 5, kMaxTokens);
    int chunks = 0;
    for (const auto& [patient, r] : records) {
      const auto want = naive.record(patient);
      EXPECT_EQ(want.tokens, r.tokens) << "patient " << patient;
      EXPECT_EQ(want.numbers, r.numbers) << "patient " << patient;
      EXPECT_EQ(want.chunks, r.chunks) << "patient " << patient;
      chunks += r.chunks;
    }
    EXPECT_GE(chunks, 12) << "the records must have outgrown their context";
  }
}

TEST(Generator, statistics_add_up_over_bursts) {
  const SmallGrammar g;
  Factory f(SYN_BACKEND_CPU, 1, small_model(SYN_LLAMA, g.params.vocab, kContext), g, generator_params(4, kMaxTokens));
  ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, 20, &f.failure), SYN_OK);
  int64_t tokens = 0, said = 0, steps = 0, measured = 0, measured_by_record = 0;
  double removed = 0, removed_by_record = 0;
  std::vector<GeneratedRecord> records;
  for (;;) {
    const syn_generator_stats s = f.run(10);
    tokens += s.tokens;
    removed += s.masked_mass;
    steps += s.steps;
    measured += s.measured;
    EXPECT_LE(s.steps, 10);
    EXPECT_EQ(s.no_legal_logit, 0);
    f.take(records, kMaxTokens);
    if (s.active == 0 && s.queued == 0) break;
  }
  for (const GeneratedRecord& r : records) {
    said += static_cast<int64_t>(r.tokens.size()) - 1;
    measured_by_record += r.measured;
    removed_by_record += r.removed * static_cast<double>(r.measured);
    int64_t want = 0;
    for (size_t i = 1; i < r.tokens.size(); ++i) want += (r.patient + static_cast<int64_t>(i)) % 16 == 0;
    EXPECT_EQ(r.measured, want) << "patient " << r.patient;
  }
  EXPECT_EQ(tokens, said);
  EXPECT_EQ(measured, measured_by_record);
  EXPECT_GT(measured, tokens / 32);
  EXPECT_NEAR(removed, removed_by_record, 1e-9 * static_cast<double>(measured));
  EXPECT_GT(removed, 0.1 * static_cast<double>(measured)) << "an untrained network must have said much that is illegal";
}

TEST(Generator, what_is_drawn_does_not_depend_on_what_is_measured) {
  const SmallGrammar g;
  syn_generator_params every = generator_params(8, kMaxTokens);
  every.report_mass = 1;
  Factory all(SYN_BACKEND_CPU, 2, small_model(SYN_GPT2, g.params.vocab, kContext), g, every);
  ASSERT_EQ(syn_generator_submit(all.generator.get(), 0, kPatients, &all.failure), SYN_OK);
  std::vector<GeneratedRecord> records;
  for (;;) {
    const syn_generator_stats s = all.run(50);
    EXPECT_EQ(s.measured, s.tokens);
    EXPECT_LE(s.logp_model, s.logp_masked + 1e-9) << "the grammar can only raise a probability";
    all.take(records, kMaxTokens);
    if (s.active == 0 && s.queued == 0) break;
  }
  const auto some = generate(SYN_BACKEND_CPU, SYN_GPT2, {8, 2, 50, false}, kPatients);
  const auto full = by_patient(std::move(records));
  ASSERT_EQ(some.size(), full.size());
  for (const auto& [patient, r] : full) {
    EXPECT_EQ(r.measured, static_cast<int64_t>(r.tokens.size()) - 1);
    EXPECT_EQ(r.tokens, some.at(patient).tokens) << "patient " << patient;
    EXPECT_EQ(r.numbers, some.at(patient).numbers) << "patient " << patient;
  }
}

TEST(Generator, waits_when_half_of_the_ready_ring_is_full) {
  const SmallGrammar g;
  Factory f(SYN_BACKEND_CPU, 1, small_model(SYN_GPT2, g.params.vocab, kContext), g, generator_params(3, 6));
  ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, 50, &f.failure), SYN_OK);
  const syn_generator_stats s = f.run(1 << 20);
  EXPECT_GE(s.ready, 3);
  EXPECT_LE(s.ready, 6);
  EXPECT_GT(s.queued, 0);
  EXPECT_EQ(f.run(1 << 20).steps, 0);
  EXPECT_EQ(by_patient(f.finish(1 << 20, 6)).size(), 50u);
}

TEST(Generator, a_record_too_long_for_the_array_stays) {
  const SmallGrammar g;
  Factory f(SYN_BACKEND_CPU, 1, small_model(SYN_GPT2, g.params.vocab, kContext), g, generator_params(1, 6));
  ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, 1, &f.failure), SYN_OK);
  f.run(1 << 20);
  int32_t tokens[6];
  int64_t numbers[6];
  syn_record out = {};
  out.size = sizeof out;
  EXPECT_EQ(syn_generator_take(f.generator.get(), tokens, numbers, 3, &out, &f.failure), SYN_INVALID_ARGUMENT);
  EXPECT_GT(out.tokens, 3);
  const int64_t length = out.tokens;
  EXPECT_EQ(syn_generator_take(f.generator.get(), tokens, numbers, 6, &out, &f.failure), SYN_OK);
  EXPECT_EQ(out.tokens, length);
  EXPECT_EQ(syn_generator_take(f.generator.get(), tokens, numbers, 6, &out, &f.failure), SYN_OK);
  EXPECT_EQ(out.tokens, 0);
}

TEST(Generator, cancelling_leaves_the_records_as_they_would_have_been) {
  const SmallGrammar g;
  const auto want = generate(SYN_BACKEND_CPU, SYN_GPT2, {8, 2, 1 << 20, false}, kPatients);
  Factory f(SYN_BACKEND_CPU, 2, small_model(SYN_GPT2, g.params.vocab, kContext), g, generator_params(8, kMaxTokens));
  ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, kPatients, &f.failure), SYN_OK);
  std::vector<GeneratedRecord> records;
  for (;;) {
    syn_generator_cancel(f.generator.get());
    syn_generator_stats s = {};
    s.size = sizeof s;
    ASSERT_EQ(syn_generator_run(f.generator.get(), 1 << 20, &s, &f.failure), SYN_CANCELLED);
    s = f.run(11);
    f.take(records, kMaxTokens);
    if (s.active == 0 && s.queued == 0) break;
  }
  expect_equal(want, by_patient(records));
}

TEST(Generator, without_the_mask_records_are_illegal_and_end_at_the_limit_or_the_end_token) {
  const SmallGrammar g;
  syn_generator_params p = generator_params(8, 30);
  p.mask = 0;
  Factory f(SYN_BACKEND_CPU, 1, small_model(SYN_GPT2, g.params.vocab, kContext), g, p);
  ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, 100, &f.failure), SYN_OK);
  int64_t ended = 0;
  for (const GeneratedRecord& r : f.finish(1 << 20, 30)) {
    EXPECT_EQ(r.removed, 0);
    const bool end = g.token_class[static_cast<size_t>(r.tokens.back())] == kEnd;
    EXPECT_TRUE(end || r.tokens.size() == 30);
    EXPECT_EQ(r.closed, end ? 0 : 1);
    ended += end;
  }
  EXPECT_GT(ended, 0);
  EXPECT_LT(ended, 100);
}

TEST(Generator, a_context_without_room_for_a_chunk_closes_records_legally) {
  const SmallGrammar g;
  Factory f(SYN_BACKEND_CPU, 1, small_model(SYN_GPT2, g.params.vocab, 4), g, generator_params(8, kMaxTokens));
  ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, 40, &f.failure), SYN_OK);
  int64_t closed = 0;
  for (const GeneratedRecord& r : f.finish(1 << 20, kMaxTokens)) {
    expect_legal(g, r);
    closed += r.closed;
  }
  EXPECT_GT(closed, 20);
}

TEST(Generator, the_estimate_knows_the_bytes_of_the_cache) {
  const SmallGrammar g;
  const syn_model_config config = small_model(SYN_LLAMA, g.params.vocab, 100);
  const syn_generator_params p = generator_params(10, 500);
  Factory f(SYN_BACKEND_CPU, 1, config, g, p);
  syn_memory m = {};
  m.size = sizeof m;
  ASSERT_EQ(syn_generator_estimate(f.device.get(), &config, f.grammar.get(), &p, &m, &f.failure), SYN_OK) << f.failure.message;
  EXPECT_EQ(m.kv_cache, 10 * 2 * config.layers * 112 * config.kv_heads * config.head_dim * 4)
      << "100 positions are seven blocks of 16";
  syn_generator_params halves = p;
  halves.cache = SYN_CACHE_FP16;
  syn_memory less = {};
  less.size = sizeof less;
  ASSERT_EQ(syn_generator_estimate(f.device.get(), &config, nullptr, &halves, &less, &f.failure), SYN_OK) << f.failure.message;
  EXPECT_EQ(2 * less.kv_cache, m.kv_cache);
  EXPECT_EQ(less.total, m.total - less.kv_cache);
  EXPECT_GE(m.workspace, 3 * 10 * 500 * 12);
  EXPECT_EQ(m.total, m.parameters + m.gradients + m.moments + m.activations + m.workspace + m.kv_cache);
}

TEST(Generator, weights_that_are_no_numbers_take_the_way_out_of_the_grammar) {
  const SmallGrammar g;
  for (const int32_t threads : {1, 3}) {
    Factory f(SYN_BACKEND_CPU, threads, small_model(SYN_GPT2, g.params.vocab, kContext), g, generator_params(40, kMaxTokens));
    syn_tensor t = {};
    t.size = sizeof t;
    ASSERT_EQ(syn_model_tensor(f.model.get(), 0, &t, &f.failure), SYN_OK);
    const std::vector<float> nothing(static_cast<size_t>(t.count), std::nanf(""));
    ASSERT_EQ(syn_model_write(f.model.get(), 0, SYN_F32, nothing.data(), t.count, &f.failure), SYN_OK);
    ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, 40, &f.failure), SYN_OK);
    const syn_generator_stats s = f.run(1 << 20);
    EXPECT_EQ(s.no_legal_logit, s.tokens);
    EXPECT_EQ(s.logp_masked, 0);
    std::vector<GeneratedRecord> records;
    f.take(records, kMaxTokens);
    ASSERT_EQ(records.size(), 40u);
    for (const GeneratedRecord& r : records) expect_legal(g, r);
  }
}

TEST(Generator, sizes_beyond_the_machine_are_out_of_memory_and_leave_nothing_behind) {
  const SmallGrammar g;
  Factory f(SYN_BACKEND_CPU, 1, small_model(SYN_GPT2, g.params.vocab, kContext), g, generator_params(1, 10));
  const int64_t live = syn_live();
  const syn_generator_params p = generator_params(1 << 16, int64_t{1} << 31);
  syn_generator* out = nullptr;
  EXPECT_EQ(syn_generator_create(f.model.get(), f.grammar.get(), &p, &out, &f.failure), SYN_OUT_OF_MEMORY) << f.failure.message;
  EXPECT_EQ(out, nullptr);
  EXPECT_GT(f.failure.wanted, int64_t{1} << 32);
  EXPECT_EQ(syn_live(), live);

  syn_model_config huge = small_model(SYN_GPT2, g.params.vocab, 1 << 20);
  huge.layers = 1000;
  syn_memory m = {};
  m.size = sizeof m;
  const syn_generator_params many = generator_params(1 << 16, 10);
  ASSERT_EQ(syn_generator_estimate(f.device.get(), &huge, nullptr, &many, &m, &f.failure), SYN_OK) << f.failure.message;
  EXPECT_EQ(m.kv_cache, (int64_t{1} << 16) * 2 * 1000 * (int64_t{1} << 20) * 32 * 4) << "no product may have wrapped";
}

TEST(Generator, nonsense_is_a_sentence) {
  const SmallGrammar g;
  const syn_model_config config = small_model(SYN_GPT2, g.params.vocab, kContext);
  Factory f(SYN_BACKEND_CPU, 1, config, g, generator_params(1, 10));
  const auto refused = [&](auto change) {
    syn_generator_params p = generator_params(1, 10);
    change(p);
    syn_generator* out = nullptr;
    const syn_status status = syn_generator_create(f.model.get(), f.grammar.get(), &p, &out, &f.failure);
    EXPECT_EQ(out, nullptr);
    return status;
  };
  EXPECT_EQ(refused([](auto& p) { p.slots = 0; }), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& p) { p.temperature = 0; }), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& p) { p.top_p = std::nanf(""); }), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& p) { p.min_p = 2; }), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& p) { p.max_tokens = 3; }), SYN_INVALID_ARGUMENT) << "the shortest record has 4 tokens";
  EXPECT_EQ(refused([](auto& p) { p.report_mass = 2; }), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& p) { p.precision = SYN_PRECISION_BF16; }), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& p) { p.cache = 2; }), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& p) { p.size = 4; }), SYN_ABI_MISMATCH);
  EXPECT_EQ(syn_generator_submit(f.generator.get(), -1, 1, &f.failure), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_generator_submit(f.generator.get(), int64_t{1} << 48, 1, &f.failure), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_generator_submit(nullptr, 0, 1, &f.failure), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_generator_run(nullptr, 1, nullptr, nullptr), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_generator_take(nullptr, nullptr, nullptr, 0, nullptr, nullptr), SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_generator_create(nullptr, nullptr, nullptr, nullptr, nullptr), SYN_INVALID_ARGUMENT);
  syn_generator_cancel(nullptr);
  syn_generator_destroy(nullptr);
  syn_generator_params_init(nullptr);
}

}  // namespace
}  // namespace syn::tests
