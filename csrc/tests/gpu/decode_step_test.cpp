// What a step of decoding asks of the table (gpu/backend.h): launches beside its products, and fewer where it is replayed.
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
    EXPECT_EQ(calls().launchers - both.launchers, (gpt2 ? 3 : 4) * layers) << "nobody wants a draw";
    EXPECT_EQ(calls().products - both.products, 4 * layers);
  }
}

// After three steps of as many rows the layers are recorded, and replayed from then on.
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
    const int64_t layers = 2 * (family == SYN_GPT2 ? 3 : 4);
    EXPECT_EQ(launched, 12 * (layers + 2));
    EXPECT_EQ(recorded, 8 * layers + 12 * 2) << "five steps of three rows and seven of two, of which four each are launched";
  }
}

}  // namespace
}  // namespace syn::tests
