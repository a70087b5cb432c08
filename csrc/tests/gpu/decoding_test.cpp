// The decoder of csrc/gpu and the generator over it: logits as near to the reference as bf16 is, draws with the bits of every
// other backend, and records that depend on nothing but their patient.
#include <cmath>
#include <map>
#include <string>

#include "core/status.h"
#include "ops/decode_table.h"
#include "tests/full_forward.h"
#include "tests/gpu/decoding_fixture.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

// Logits of the GPU are no farther from the reference in bf16 than twice what bf16 moves the reference.
void check_logits(int32_t family, int32_t context, const std::vector<int32_t>& lengths, int32_t window = 0) {
  SCOPED_TRACE(family == SYN_GPT2 ? "GPT-2" : "Llama");
  const SmallGrammar g;
  const Grammar grammar(g.params, g.arrays());
  Shape shape = tiny_shape(family, g.params.vocab, context);
  shape.window = window;
  const auto device = host_gpu();
  const UploadedModel model(device, shape, 11);
  ModelOf<double> reference(std::make_shared<Device>(SYN_BACKEND_REF, 1), shape, 11);
  gpu::DecoderOnGpu decoder(device->gpu, shape, model.weights_on_gpu(), grammar.tables(), kFree, 3);
  decoder.refresh(model.version());
  const auto sequences = random_sequences(8, lengths, shape.vocab);
  std::vector<double> exact, oracle;
  for (const auto& s : sequences) {
    for (const double x : full_forward(reference, s)) exact.push_back(x);
    for (const double x : full_forward(reference, s, Precision::kBf16)) oracle.push_back(x);
  }
  const std::vector<double> got = decode_all(decoder, shape.vocab, sequences, {2, 0, 1});
  EXPECT_LE(largest_error(got, oracle), 2 * largest_error(oracle, exact));
  double most = 0;
  for (const double x : exact) most = std::max(most, std::fabs(x));
  EXPECT_GT(largest_error(oracle, exact), 1e-4 * most) << "bf16 must have reached the products";
  for (const double x : got) fold(bits_of(x));
}

TEST(GpuDecoding, logits_follow_the_reference_in_bf16) {
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA}) check_logits(family, 24, {24, 1, 7});
}

TEST(GpuDecoding, logits_follow_the_reference_beyond_the_first_page) {
  ASSERT_EQ(cache_page(270), 144);
  check_logits(SYN_GPT2, 270, {200});
}

TEST(GpuDecoding, logits_under_a_window_follow_the_reference) {
  check_logits(SYN_LLAMA, 24, {24, 1, 7}, 5);
  check_logits(SYN_GPT2, 270, {170}, 20);
}

TEST(GpuDecoding, sees_new_weights) {
  const SmallGrammar g;
  const Grammar grammar(g.params, g.arrays());
  const Shape shape = tiny_shape(SYN_LLAMA, g.params.vocab, 8);
  const auto device = host_gpu();
  UploadedModel model(device, shape, 11);
  gpu::DecoderOnGpu decoder(device->gpu, shape, model.weights_on_gpu(), grammar.tables(), kFree, 1);
  decoder.refresh(model.version());
  const auto before = decode_all(decoder, shape.vocab, {{1}}, {0});
  const auto tensors = static_cast<int32_t>(model.layout().tensors.size());
  for (int32_t i = 0; i < tensors; ++i) {
    const Tensor& t = model.layout().tensors[static_cast<size_t>(i)];
    if (t.shape.size() != 2) continue;  // what only rounded copies are made of
    std::vector<float> values(static_cast<size_t>(t.count));
    model.read(i, SYN_F32, values.data(), t.count);
    for (float& x : values) x *= 1.5f;
    model.write(i, SYN_F32, values.data(), t.count);
  }
  decoder.refresh(model.version());
  const auto after = decode_all(decoder, shape.vocab, {{1}}, {0});
  UploadedModel same(device, shape, 11);
  gpu::DecoderOnGpu fresh(device->gpu, shape, model.weights_on_gpu(), grammar.tables(), kFree, 1);
  fresh.refresh(model.version());
  EXPECT_NE(before, after);
  EXPECT_EQ(decode_all(fresh, shape.vocab, {{1}}, {0}), after);
}

void randomise(Chance& c, const RandomGrammar& g, uint32_t position, Draws& draws) {
  for (SampleDraw& d : draws.draw) {
    d.patient = c.below(1 << 30);
    d.position = position;
    d.room = c.often(0.5) ? kUnlimited : c.below(10);
    d.measured = c.often(0.5);
    d.memory.state = c.below(g.states);
    d.memory.last_order = c.below(22) - 1;
  }
  for (uint64_t& word : draws.seen) word = uint64_t{c.word()} << 32 | c.word();
}

// Steps of five rows of which three or all want a draw, against the samplers of the host on the logits that the device drew from.
TEST(GpuDecoding, draws_from_equal_logits_have_the_bits_of_cpu_and_ref) {
  Chance c(31);
  int32_t drawn = 0;
  for (int i = 0; i < 6; ++i) {
    const RandomGrammar g(c, i % 2 ? 77 : 131);
    const SampleSettings settings = random_settings(c);
    const Shape shape = tiny_shape(i % 2 ? SYN_GPT2 : SYN_LLAMA, g.vocab, 16);
    const auto device = host_gpu();
    const UploadedModel model(device, shape, 3);
    gpu::DecoderOnGpu decoder(device->gpu, shape, model.weights_on_gpu(), g.tables(), settings, 5);
    decoder.refresh(model.version());
    const auto sequences = random_sequences(static_cast<uint64_t>(i), {3, 3, 3, 3, 3}, g.vocab);
    for (size_t place = 0; place < 3; ++place) {
      const Rows rows(sequences, {4, 1, 0, 3, 2}, place);
      const int32_t wanted = place == 1 ? 5 : 3;
      Draws got(wanted, g.vocab);
      randomise(c, g, static_cast<uint32_t>(place + 1), got);
      const Draws before(got);
      decoder.step(rows.view(wanted), got.draw.data());
      const std::vector<float> logits = from_device(decoder.logits(), int64_t{wanted} * g.vocab);
      for (const SampleFunction host : host_samplers()) {
        Draws want(before);
        for (int32_t r = 0; r < wanted; ++r)
          draw_on_host(host, g.tables(), settings, logits.data() + int64_t{r} * g.vocab, want.draw[static_cast<size_t>(r)]);
        EXPECT_EQ(got.seen, want.seen);
        for (size_t r = 0; r < want.draw.size(); ++r) {
          EXPECT_EQ(draw_fields(got.draw[r]), draw_fields(want.draw[r])) << "row " << r;
          EXPECT_EQ(got.draw[r].memory.seen, got.seen.data() + r * got.words) << "the memory must stay on the host";
        }
      }
      for (const SampleDraw& d : got.draw) drawn += d.status == kSampled;
    }
  }
  EXPECT_GT(drawn, 20);
}

// More rows than a product takes: those of the second piece are drawn as if they were alone.
TEST(GpuDecoding, a_row_has_the_same_draw_among_130) {
  const SmallGrammar g;
  const Grammar grammar(g.params, g.arrays());
  const Shape shape = tiny_shape(SYN_GPT2, g.params.vocab, 8);
  const auto device = host_gpu();
  const UploadedModel model(device, shape, 3);
  std::vector<std::vector<int32_t>> sequences = random_sequences(4, std::vector<int32_t>(130, 1), g.params.vocab);
  std::vector<int32_t> slots(130);
  for (size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<int32_t>((i * 37 + 5) % slots.size());
  const auto draw = [&](size_t first, size_t count) {
    gpu::DecoderOnGpu decoder(device->gpu, shape, model.weights_on_gpu(), grammar.tables(), kFree, 130);
    decoder.refresh(model.version());
    const auto begin = static_cast<std::ptrdiff_t>(first), end = static_cast<std::ptrdiff_t>(first + count);
    const Rows rows({sequences.begin() + begin, sequences.begin() + end}, {slots.begin() + begin, slots.begin() + end}, 0);
    Draws draws(rows.count(), g.params.vocab);
    for (size_t r = 0; r < draws.draw.size(); ++r) {
      draws.draw[r].patient = static_cast<int64_t>(first + r);
      draws.draw[r].measured = true;
    }
    decoder.step(rows.view(rows.count()), draws.draw.data());
    std::vector<std::vector<uint64_t>> out;
    for (const SampleDraw& d : draws.draw) out.push_back(draw_fields(d));
    return out;
  };
  const auto crowd = draw(0, 130), first = draw(0, 2), last = draw(126, 4);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(crowd[i], first[i]) << i;
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(crowd[126 + i], last[i]) << i;
  EXPECT_NE(crowd[126], crowd[127]);
}

// ---- the generator ----------------------------------------------------------------------------------------------------------

constexpr int32_t kContext = 20;
constexpr int64_t kMaxTokens = 36;

GeneratorSettings settings_of(int32_t slots, int64_t max_tokens) {
  return generator_settings(generator_params(slots, max_tokens));
}

std::vector<GeneratedRecord> take_all(Generator& generator, int64_t capacity, syn_generator_stats& stats, int64_t steps = 9) {
  std::vector<GeneratedRecord> out;
  for (;;) {
    generator.run(steps, stats);
    for (;;) {
      GeneratedRecord r;
      r.tokens.resize(static_cast<size_t>(capacity));
      r.numbers.resize(static_cast<size_t>(capacity));
      syn_record taken = {};
      generator.take(r.tokens.data(), r.numbers.data(), capacity, taken);
      if (taken.tokens == 0) break;
      r.tokens.resize(static_cast<size_t>(taken.tokens));
      r.numbers.resize(static_cast<size_t>(taken.tokens));
      r.patient = taken.patient;
      r.closed = taken.closed;
      r.chunks = taken.chunks;
      r.removed = taken.masked_mass;
      r.measured = taken.measured;
      out.push_back(std::move(r));
    }
    if (stats.active == 0 && stats.queued == 0) return out;
    stats.steps = 0;
  }
}

std::map<int64_t, GeneratedRecord> generate(int32_t family, int32_t context, int32_t slots, bool backwards, int64_t patients) {
  const SmallGrammar g;
  const auto device = host_gpu();
  const auto model = std::make_shared<UploadedModel>(device, tiny_shape(family, g.params.vocab, context), 11);
  const auto generator =
      Generator::create(model, std::make_shared<Grammar>(g.params, g.arrays()), settings_of(slots, kMaxTokens));
  for (int64_t i = 0; i < patients; ++i) generator->submit(backwards ? patients - 1 - i : i, 1);
  syn_generator_stats stats = {};
  auto out = by_patient(take_all(*generator, kMaxTokens, stats));
  EXPECT_EQ(out.size(), static_cast<size_t>(patients));
  for (const auto& [patient, r] : out) {
    expect_legal(g, r);
    EXPECT_LE(static_cast<int64_t>(r.tokens.size()), kMaxTokens) << "patient " << patient;
  }
  return out;
}

TEST(GpuDecoding, a_patient_does_not_depend_on_slots_or_order) {
  const int64_t patients = 8;
  int64_t chunked = 0;
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA}) {
    SCOPED_TRACE(family == SYN_GPT2 ? "GPT-2" : "Llama");
    const auto three = generate(family, kContext, 3, false, patients);
    for (const auto& [patient, r] : three) {
      chunked += r.chunks > 1;
      for (const int32_t token : r.tokens) fold(token);
      for (const int64_t number : r.numbers) fold(number);
    }
    expect_equal(three, generate(family, kContext, 3, false, patients));
    expect_equal(three, generate(family, kContext, 1, false, patients));
    expect_equal(three, generate(family, kContext, 8, true, patients));
    EXPECT_NE(three.at(0).tokens, three.at(1).tokens);
  }
  EXPECT_GT(chunked, 4) << "the records must have outgrown their context";
}

// Steps of a burst go on where the last ended, over the ends of chunks and records and within headers.
TEST(GpuDecoding, a_patient_does_not_depend_on_how_many_steps_are_taken_without_the_host) {
  const SmallGrammar g;
  const auto grammar = std::make_shared<Grammar>(g.params, g.arrays());
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA})
    for (const int32_t mask : {1, 0}) {
      SCOPED_TRACE(std::string(family == SYN_GPT2 ? "GPT-2" : "Llama") + (mask ? "" : " without the grammar"));
      const auto model = std::make_shared<UploadedModel>(host_gpu(), tiny_shape(family, g.params.vocab, kContext), 11);
      syn_generator_params params = generator_params(3, kMaxTokens);
      params.mask = mask;
      params.report_mass = !mask;
      std::map<int64_t, GeneratedRecord> alone;
      syn_generator_stats of_alone = {};
      for (const int32_t burst : {1, 2, 8, 32}) {
        SCOPED_TRACE(burst);
        GeneratorSettings settings = generator_settings(params);
        settings.burst = burst;
        const auto generator = Generator::create(model, grammar, settings);
        generator->submit(0, 8);
        syn_generator_stats stats = {};
        const auto records = by_patient(take_all(*generator, kMaxTokens, stats, 1000));
        if (burst == 1) {
          alone = records;
          of_alone = stats;
        }
        ASSERT_EQ(records.size(), 8u);
        expect_equal(alone, records);
        EXPECT_EQ(stats.tokens, of_alone.tokens);
        EXPECT_EQ(stats.measured, of_alone.measured);
        EXPECT_NEAR(stats.logp_masked, of_alone.logp_masked, 1e-9 * static_cast<double>(stats.tokens));
        EXPECT_NEAR(stats.masked_mass, of_alone.masked_mass, 1e-9 * static_cast<double>(stats.tokens));
      }
    }
}

TEST(GpuDecoding, a_context_without_room_for_a_chunk_closes_records_legally) {
  int64_t closed = 0;
  for (const auto& [patient, r] : generate(SYN_GPT2, 4, 3, false, 8)) closed += r.closed;
  EXPECT_GT(closed, 2);
}

TEST(GpuDecoding, weights_that_are_no_numbers_take_the_way_out_of_the_grammar) {
  const SmallGrammar g;
  const auto device = host_gpu();
  const auto model = std::make_shared<UploadedModel>(device, tiny_shape(SYN_GPT2, g.params.vocab, kContext), 11);
  const std::vector<float> nothing(static_cast<size_t>(model->layout().tensors[0].count), std::nanf(""));
  model->write(0, SYN_F32, nothing.data(), static_cast<int64_t>(nothing.size()));
  const auto generator = Generator::create(model, std::make_shared<Grammar>(g.params, g.arrays()), settings_of(2, kMaxTokens));
  generator->submit(0, 2);
  syn_generator_stats stats = {};
  const auto records = take_all(*generator, kMaxTokens, stats);
  EXPECT_EQ(stats.no_legal_logit, stats.tokens);
  ASSERT_EQ(records.size(), 2u);
  for (const GeneratedRecord& r : records) expect_legal(g, r);
}

// What an action says when it is refused; nothing when it is not.
template <class Action>
std::string sentence_of(syn_status code, Action&& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  return "";
}

// record := <s> A A </s>, where no A may follow another of its order.
struct DeadEnd {
  std::vector<uint16_t> token_class = {kNoClass, 0, 1}, distance = {3, 2, 1, 0};
  std::vector<int32_t> order = {0, 5, 0}, chunk_token = {-1, -1, -1, -1}, knot_start = {0, 0, 0, 0};
  std::vector<uint8_t> rule = {kRuleAscending, kRuleFree}, role = {kRoleCovariate, kRoleEnd}, forget = std::vector<uint8_t>(8);
  std::vector<int16_t> next = {1, -1, 2, -1, -1, 3, -1, -1};
  std::vector<int8_t> decimals = {0, 0, 0};

  std::shared_ptr<Grammar> grammar() const {
    syn_grammar_params p = {};
    p.size = sizeof p;
    p.vocab = 3;
    p.states = 4;
    p.classes = 2;
    p.done = 3;
    return std::make_shared<Grammar>(
        p, GrammarArrays{token_class.data(), order.data(), rule.data(), role.data(), next.data(), forget.data(), distance.data(),
                         chunk_token.data(), nullptr, knot_start.data(), nullptr, decimals.data()});
  }
};

TEST(GpuDecoding, a_grammar_that_leaves_nothing_is_the_sentence_of_every_backend) {
  const Shape shape = tiny_shape(SYN_GPT2, 3, 8);
  const auto run = [&](const std::shared_ptr<Model>& model) {
    const auto generator = Generator::create(model, DeadEnd().grammar(), settings_of(2, 10));
    generator->submit(7, 1);
    syn_generator_stats stats = {};
    return sentence_of(SYN_FORMAT, [&] { generator->run(10, stats); });
  };
  const std::string on_gpu = run(std::make_shared<UploadedModel>(host_gpu(), shape, 11));
  EXPECT_EQ(on_gpu, "the vetoes of the grammar leave no token in state 1 after 2 tokens of patient 7");
  EXPECT_EQ(on_gpu, run(Model::create(std::make_shared<Device>(SYN_BACKEND_REF, 1), shape, 11)));
  if (machine_isa() != Isa::kNone) {
    EXPECT_EQ(on_gpu, run(Model::create(std::make_shared<Device>(SYN_BACKEND_CPU, 1), shape, 11)));
  }
}

TEST(GpuDecoding, refuses_what_a_gpu_does_not_have) {
  const SmallGrammar g;
  const auto device = host_gpu();
  const auto grammar = std::make_shared<Grammar>(g.params, g.arrays());
  const auto model = std::make_shared<UploadedModel>(device, tiny_shape(SYN_GPT2, g.params.vocab, 8), 11);
  GeneratorSettings int8 = settings_of(2, 10);
  int8.precision = Precision::kInt8;
  syn_memory m = {};
  EXPECT_EQ(sentence_of(SYN_INVALID_ARGUMENT, [&] { Generator::create(model, grammar, int8); }),
            "precision is 2 (int8), a GPU backend generates in bf16 and knows no other: leave it at 0");
  EXPECT_NE(sentence_of(SYN_INVALID_ARGUMENT, [&] { Generator::estimate(*device, model->shape(), nullptr, int8, m); }), "");
  EXPECT_EQ(sentence_of(SYN_INVALID_ARGUMENT, [&] { Generator::create(model, grammar, settings_of(65536, 10)); }),
            "slots is 65536, a GPU backend takes 1 to 65535");
  Shape wide = model->shape();
  wide.width = 8192;
  EXPECT_EQ(sentence_of(SYN_UNSUPPORTED, [&] { Generator::estimate(*device, wide, nullptr, settings_of(2, 10), m); }),
            "width is 8192, which the kernels of a GPU backend do not take");
  const auto host_only = std::make_shared<ModelOf<float>>(device, model->shape(), 11);
  EXPECT_NE(sentence_of(SYN_INTERNAL, [&] { Generator::create(host_only, grammar, settings_of(2, 10)); }), "");
}

TEST(GpuDecoding, the_estimate_knows_the_bytes_of_the_cache_and_of_the_weights) {
  const auto device = host_gpu();
  const Shape shape = tiny_shape(SYN_LLAMA, 60, 100);
  syn_memory m = {};
  Generator::estimate(*device, shape, nullptr, settings_of(10, 50), m);
  EXPECT_EQ(m.kv_cache, 10 * 2 * shape.layers * 112 * shape.kv_width() * 2) << "100 positions are seven blocks of 16";
  const int64_t weights = layout_of(shape).count;
  EXPECT_GE(m.parameters, 6 * weights) << "masters, and beside them what products of training read";
  EXPECT_LT(m.parameters, 6 * weights + 2 * 256);
  EXPECT_GE(m.workspace, 2 * weights + 3 * 10 * 50 * 12);
  EXPECT_EQ(m.total, m.parameters + m.gradients + m.moments + m.activations + m.workspace + m.kv_cache);
}

}  // namespace
}  // namespace syn::tests
