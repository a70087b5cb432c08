// What the tests of decoding on a device share: a model with its weights there, a small shape, draws, and the rows of sequences
// that are decoded side by side.
#ifndef SYN_TESTS_GPU_DECODING_FIXTURE_H
#define SYN_TESTS_GPU_DECODING_FIXTURE_H

#include "gpu/decode.h"
#include "model/generator.h"
#include "tests/generator_fixture.h"
#include "tests/gpu/host_backend.h"
#include "tests/gpu/kernel_check.h"
#include "tests/sample_rows.h"

namespace syn::tests {

template <class T>
void fold(const T& x) {
  digest() = (digest() ^ static_cast<uint64_t>(x)) * 1099511628211ull;
}

// Weights of the host with a copy on the GPU, as fresh as those of the host.
class UploadedModel final : public Model {
 public:
  UploadedModel(const std::shared_ptr<Device>& device, const Shape& shape, uint64_t seed)
      : Model(device, shape), host_(device, shape, seed) {
    region_.take<float>(layout().count);
    region_.reserve(device->gpu);
    data_ = region_.take<float>(layout().count);
    send();
  }

  const float* weights_on_gpu() const override { return data_; }
  void read(int32_t index, int32_t dtype, void* to, int64_t count) const override { host_.read(index, dtype, to, count); }
  void write(int32_t index, int32_t dtype, const void* from, int64_t count) override {
    host_.write(index, dtype, from, count);
    send();
    changed();
  }

 private:
  void send() {
    const gpu::Session& s = *device()->gpu;
    s.check(s.table().upload(s.context(), data_, host_.data(), layout().count * int64_t{4}), "the weights");
    s.check(s.table().wait(s.context()), "the weights");
  }

  ModelOf<float> host_;
  gpu::Region region_{"weights"};
  float* data_ = nullptr;
};

// Heads of 64; in Llama two of them share keys and values, and are wider together than the network.
inline Shape tiny_shape(int32_t family, int32_t vocab, int32_t context) {
  const bool gpt2 = family == SYN_GPT2;
  syn_model_config c = small_config(family, vocab, 64, 2, gpt2 ? 1 : 2, 1, 64, 96, context, gpt2);
  c.init_std = 0.25f;  // a lively network: draws are not uniform
  return shape_of(c);
}

constexpr SampleSettings kFree{5, 1.0f, 0, 1.0f, 0.0f, false};

// Draws at the start of the grammar, nothing said.
struct Draws {
  std::vector<SampleDraw> draw;
  std::vector<uint64_t> seen;
  size_t words;

  Draws(int32_t rows, int32_t vocab)
      : draw(static_cast<size_t>(rows)),
        seen(static_cast<size_t>(rows) * ((static_cast<size_t>(vocab) + 63) / 64)),
        words((static_cast<size_t>(vocab) + 63) / 64) {
    for (size_t r = 0; r < draw.size(); ++r) {
      draw[r].patient = static_cast<int64_t>(r);
      draw[r].room = kUnlimited;
      draw[r].memory = {0, kNothingSaid, nullptr};
    }
    point();
  }
  Draws(const Draws& other) : draw(other.draw), seen(other.seen), words(other.words) { point(); }
  Draws& operator=(const Draws&) = delete;

 private:
  void point() {
    for (size_t r = 0; r < draw.size(); ++r) draw[r].memory.seen = seen.data() + r * words;
  }
};

// The tokens of several sequences at a place, each sequence in its slot.
struct Rows {
  std::vector<int32_t> token, slot, position, which;

  Rows(const std::vector<std::vector<int32_t>>& sequences, const std::vector<int32_t>& slots, size_t place) {
    for (size_t i = 0; i < sequences.size(); ++i) {
      if (place >= sequences[i].size()) continue;
      token.push_back(sequences[i][place]);
      slot.push_back(slots[i]);
      position.push_back(static_cast<int32_t>(place));
      which.push_back(static_cast<int32_t>(i));
    }
  }
  int32_t count() const { return static_cast<int32_t>(token.size()); }
  DecodeRows view(int32_t wanted) const { return {token.data(), slot.data(), position.data(), count(), wanted}; }
};

inline std::vector<std::vector<int32_t>> random_sequences(uint64_t seed, const std::vector<int32_t>& lengths, int32_t vocab) {
  Chance c(seed);
  std::vector<std::vector<int32_t>> out;
  for (const int32_t n : lengths) {
    out.emplace_back();
    for (int32_t i = 0; i < n; ++i) out.back().push_back(c.below(vocab));
  }
  return out;
}

// All the logits of sequences that are decoded side by side.
inline std::vector<double> decode_all(gpu::DecoderOnGpu& decoder, int32_t vocab,
                                      const std::vector<std::vector<int32_t>>& sequences, const std::vector<int32_t>& slots) {
  std::vector<std::vector<float>> by_sequence(sequences.size());
  for (size_t place = 0;; ++place) {
    const Rows rows(sequences, slots, place);
    if (rows.count() == 0) break;
    Draws draws(rows.count(), vocab);
    decoder.step(rows.view(rows.count()), draws.draw.data());
    const std::vector<float> logits = from_device(decoder.logits(), int64_t{rows.count()} * vocab);
    for (int32_t r = 0; r < rows.count(); ++r) {
      auto& to = by_sequence[static_cast<size_t>(rows.which[static_cast<size_t>(r)])];
      to.insert(to.end(), logits.begin() + int64_t{r} * vocab, logits.begin() + int64_t{r + 1} * vocab);
    }
  }
  std::vector<double> out;
  for (const auto& logits : by_sequence) out.insert(out.end(), logits.begin(), logits.end());
  return out;
}

}  // namespace syn::tests

#endif
