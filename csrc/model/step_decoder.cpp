// Which decoder steps for a generator: that of a backend of the host, or that of a GPU.
#include "model/step_decoder.h"

#include "core/status.h"
#include "gpu/decode.h"
#include "math/radix.h"
#include "model/decode.h"
#include "model/generator.h"

namespace syn {
namespace {

// The decoder of a backend of the host with the grammar and the settings of its draws.
template <class Real>
class HostDecoder final : public StepDecoder {
 public:
  HostDecoder(std::shared_ptr<ModelOf<Real>> model, const GrammarTables& grammar, const GeneratorSettings& settings)
      : grammar_(grammar),
        settings_(settings.sample),
        sample_(decode_ops<Real>(*model->device()).sample),
        decoder_(std::move(model), settings.slots, settings.precision, settings.cached) {
    lay_out(grammar_.vocab, arena_);
    arena_.reserve();
    b_ = lay_out(grammar_.vocab, arena_);
    for (int32_t t = 0; t < grammar_.vocab; ++t) b_.nothing[t] = kLowest;
  }

  static void estimate(const Device& device, const Shape& s, const GeneratorSettings& settings, syn_memory& out) {
    Arena weights("weights"), arena("draws without the model");
    weights.take<Real>(layout_of(s).count);
    lay_out(s.vocab, arena);
    Decoder<Real>::estimate(device, s, settings.slots, settings.precision, settings.cached, out);
    out.parameters += weights.bytes();
    out.workspace += arena.bytes();
  }

  void refresh(Exec& exec) override { decoder_.refresh(exec); }
  void step(Exec& exec, const DecodeRows& rows, SampleDraw* draws) override {
    decoder_.step(exec, rows);
    decoder_.draw(exec, grammar_, settings_, draws, rows.wanted);
  }
  void way_out(SampleDraw& draw) override { sample_(grammar_, settings_, b_.nothing, draw, b_.scratch); }

 private:
  // Laid out twice as core/arena.h explains.
  struct Buffers {
    float* nothing;      // [vocab] -inf
    std::byte* scratch;  // of a draw without the model
  };
  static Buffers lay_out(int32_t vocab, Arena& arena) {
    Buffers b;
    b.nothing = arena.take<float>(vocab);
    b.scratch = arena.take<std::byte>(static_cast<int64_t>(sample_scratch_bytes(vocab)));
    return b;
  }

  const GrammarTables grammar_;
  const SampleSettings settings_;
  const SampleFunction sample_;
  Decoder<Real> decoder_;
  Arena arena_{"draws without the model"};
  Buffers b_;
};

// The decoder of a GPU. Its context is used by one thread at a time, and it gives memory back at its end.
class GpuDecoder final : public StepDecoder {
 public:
  GpuDecoder(std::shared_ptr<Model> model, const GrammarTables& grammar, const GeneratorSettings& settings)
      : model_(std::move(model)) {
    const std::lock_guard<std::mutex> lock(model_->device()->busy);
    decoder_ = std::make_unique<gpu::DecoderOnGpu>(model_->device()->gpu, model_->shape(), model_->weights_on_gpu(), grammar,
                                                   settings.sample, settings.slots, settings.burst, settings.rules());
  }
  ~GpuDecoder() override {
    const std::lock_guard<std::mutex> lock(model_->device()->busy);
    decoder_.reset();
  }

  void refresh(Exec&) override { decoder_->refresh(model_->version()); }
  void step(Exec& exec, const DecodeRows& rows, SampleDraw* draws) override {
    exec.poll();  // not later: what is queued on the device runs to its end
    decoder_->step(rows, draws);
  }
  void way_out(SampleDraw& draw) override { decoder_->way_out(draw); }

 private:
  const std::shared_ptr<Model> model_;
  std::unique_ptr<gpu::DecoderOnGpu> decoder_;
};

template <class Real>
std::unique_ptr<StepDecoder> on_host(const std::shared_ptr<Model>& model, const GrammarTables& grammar,
                                     const GeneratorSettings& settings) {
  return std::make_unique<HostDecoder<Real>>(std::static_pointer_cast<ModelOf<Real>>(model), grammar, settings);
}

// SYN_PRECISION_FP32, the default, means what the backend computes in.
void check_settings_on_gpu(const GeneratorSettings& s) {
  require(s.precision == Precision::kFp32,
          "precision is %d (int8), a GPU backend generates in bf16 and knows no other: leave it at %d", SYN_PRECISION_INT8,
          SYN_PRECISION_FP32);
  require(s.cached == CacheNumbers::kOwn, "cache is %d (fp16), a GPU backend caches bf16 and nothing else: leave it at %d",
          SYN_CACHE_FP16, SYN_CACHE_OWN);
}

}  // namespace

int32_t most_steps(const Device& device, const GeneratorSettings& settings) { return device.gpu ? settings.burst : 1; }

std::unique_ptr<StepDecoder> make_step_decoder(const std::shared_ptr<Model>& model, const GrammarTables& grammar,
                                               const GeneratorSettings& settings) {
  const Device& device = *model->device();
  if (device.gpu) {
    check_settings_on_gpu(settings);
    return std::make_unique<GpuDecoder>(model, grammar, settings);
  }
  return device.backend == SYN_BACKEND_REF ? on_host<double>(model, grammar, settings) : on_host<float>(model, grammar, settings);
}

void estimate_step_decoder(const Device& device, const Shape& shape, const GrammarTables* grammar,
                           const GeneratorSettings& settings, syn_memory& out) {
  if (device.gpu) {
    check_settings_on_gpu(settings);
    const std::lock_guard<std::mutex> lock(device.busy);
    gpu::DecoderOnGpu::estimate(*device.gpu, shape, grammar, settings.slots, settings.burst, out);
  } else if (device.backend == SYN_BACKEND_REF) {
    HostDecoder<double>::estimate(device, shape, settings, out);
  } else {
    HostDecoder<float>::estimate(device, shape, settings, out);
  }
}

}  // namespace syn
