// What decoding asks of the table (gpu/backend.h): launches of a step beside its products, fewer where it is replayed; copies and
// waits of a burst.
#include "tests/gpu/decoding_fixture.h"

namespace syn::tests {
namespace {

// Beside the products a layer of GPT-2 is two norms and attention, one of Llama an activation more; then the last norm and the
// draw. That each of these ops is one kernel is a test of the emulation's.
TEST(GpuDecoding, a_step_takes_three_launches_a_layer_and_two_beside_its_products) {
  const SmallGrammar g;
  const Grammar grammar(g.params, g.arrays());
  for (const bool gpt2 : {true, false}) {
    SCOPED_TRACE(gpt2 ? "GPT-2" : "Llama");
    const int32_t family = gpt2 ? SYN_GPT2 : SYN_LLAMA, kv_heads = gpt2 ? 2 : 1;
    const int32_t layers = 3, dim = 96, width = 2 * dim;
    const Shape shape = shape_of(small_config(family, g.params.vocab, width, layers, 2, kv_heads, dim, 64, 24, gpt2));
    const auto device = host_gpu();
    const UploadedModel model(device, shape, 11);
    gpu::DecoderOnGpu decoder(device->gpu, shape, model.weights_on_gpu(), grammar.tables(), kFree, 2);
    decoder.refresh(model.version());
    const Rows rows(random_sequences(4, {1, 1}, shape.vocab), {0, 1}, 0);
    Draws draws(2, shape.vocab);
    const Calls before = calls();
    decoder.step(rows.view(2), draws.draw.data());
    const Calls both = calls();
    decoder.step(rows.view(0), draws.draw.data());
    EXPECT_EQ(both.launchers - before.launchers, (gpt2 ? 3 : 4) * layers + 2);
    EXPECT_EQ(both.products - before.products, 4 * layers + 1);
    EXPECT_EQ(calls().launchers - both.launchers, both.launchers - before.launchers) << "the same where nobody wants a draw";
    EXPECT_EQ(calls().products - both.products, both.products - before.products);
  }
}

// After three steps of as many rows a step is recorded, its draws with it, and replayed from then on.
TEST(GpuDecoding, steps_that_are_replayed_have_the_bits_of_launches) {
  const SmallGrammar g;
  const Grammar grammar(g.params, g.arrays());
  static const gpu::Backend plain = [] {
    gpu::Backend t = host_backend();
    t.begin_recording = nullptr;
    return t;
  }();
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA}) {
    SCOPED_TRACE(family == SYN_GPT2 ? "GPT-2" : "Llama");
    const Shape shape = tiny_shape(family, g.params.vocab, 24);
    const auto sequences = random_sequences(8, {12, 12, 5}, shape.vocab);
    const auto decode = [&](const std::shared_ptr<Device>& device, int64_t& launchers) {
      const UploadedModel model(device, shape, 11);
      gpu::DecoderOnGpu decoder(device->gpu, shape, model.weights_on_gpu(), grammar.tables(), kFree, 3);
      decoder.refresh(model.version());
      const int64_t before = calls().launchers;
      const std::vector<double> logits = decode_all(decoder, shape.vocab, sequences, {2, 0, 1});
      launchers = calls().launchers - before;
      return logits;
    };
    int64_t recorded = 0, launched = 0;
    EXPECT_EQ(decode(host_gpu(), recorded), decode(std::make_shared<Device>(std::make_shared<gpu::Session>(plain, 0)), launched));
    const int64_t step = 2 * (family == SYN_GPT2 ? 3 : 4) + 2;
    EXPECT_EQ(launched, 12 * step);
    EXPECT_EQ(recorded, 8 * step) << "five steps of three rows and seven of two, of which four each are launched";
  }
}

// What a hundred steps of a generator ask for.
Calls calls_of_100_steps(int32_t burst) {
  const SmallGrammar g;
  const auto model = std::make_shared<UploadedModel>(host_gpu(), tiny_shape(SYN_GPT2, g.params.vocab, 48), 11);
  GeneratorSettings settings = generator_settings(generator_params(3, 40));  // a record fits in a chunk
  settings.burst = burst;
  const auto generator = Generator::create(model, std::make_shared<Grammar>(g.params, g.arrays()), settings);
  generator->submit(0, 500);
  const Calls before = calls();
  syn_generator_stats stats = {};
  while (stats.steps < 100) {
    generator->run(100, stats);
    int32_t tokens[40];
    int64_t numbers[40];
    for (syn_record r = {}; generator->take(tokens, numbers, 40, r), r.tokens > 0; r = {}) continue;
  }
  EXPECT_EQ(stats.steps, 100);
  EXPECT_GT(stats.queued, 0);
  const Calls now = calls();
  return {now.launchers - before.launchers, now.products - before.products, now.uploads - before.uploads,
          now.downloads - before.downloads, now.waits - before.waits, 0};
}

TEST(GpuDecoding, a_hundred_steps_wait_a_hundred_times_or_once_a_burst) {
  for (const int32_t burst : {1, kBurstSteps}) {
    SCOPED_TRACE(burst);
    const Calls c = calls_of_100_steps(burst);
    const int64_t bursts = (100 + burst - 1) / burst;
    EXPECT_EQ(c.waits, bursts);
    EXPECT_EQ(c.uploads, bursts);
    EXPECT_EQ(c.downloads, bursts);
    EXPECT_EQ(c.launchers, 4 * (2 * 3 + 2) + 1) << "four steps and the weights; then all steps are replayed";
    EXPECT_EQ(c.products, 4 * (2 * 4 + 1));
  }
}

}  // namespace
}  // namespace syn::tests
