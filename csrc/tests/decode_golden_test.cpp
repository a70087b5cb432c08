// Decoding against PyTorch: the logits of every record token by token, and its greedy continuation, for every folder under
// $SYNEHRGY_GOLDEN (default ../shared/golden beside the repository).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "gpu/decode.h"
#include "model/decode.h"
#include "tests/full_forward.h"
#include "tests/plugins_in.h"
#include "tests/safetensors_reader.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> golden_folders() {
  const char* set = std::getenv("SYNEHRGY_GOLDEN");
  const fs::path root = set ? fs::path(set) : fs::path(SYN_SOURCE_DIR) / "../shared/golden";
  std::vector<std::string> out;
  if (!fs::is_directory(root)) {
    if (set) ADD_FAILURE() << "SYNEHRGY_GOLDEN names " << set << ", which is no folder";
    return out;
  }
  for (const auto& entry : fs::directory_iterator(root)) {
    if (fs::exists(entry.path() / "golden.safetensors")) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Shape shape_in(const std::string& folder) {
  const Json j = JsonReader(read_file(folder + "/config.json")).value();
  const bool gpt2 = j.at("model_type").text == "gpt2";
  const auto integer = [&](const char* of_gpt2, const char* of_llama) {
    return static_cast<int32_t>(j.at(gpt2 ? of_gpt2 : of_llama).number);
  };
  syn_model_config c;
  syn_model_config_init(&c);
  c.family = gpt2 ? SYN_GPT2 : SYN_LLAMA;
  c.vocab = integer("vocab_size", "vocab_size");
  c.width = integer("n_embd", "hidden_size");
  c.layers = integer("n_layer", "num_hidden_layers");
  c.heads = integer("n_head", "num_attention_heads");
  c.kv_heads = integer("n_head", "num_key_value_heads");
  c.head_dim = gpt2 ? c.width / c.heads : integer("", "head_dim");
  c.ffn = integer("n_inner", "intermediate_size");
  c.context = integer("n_positions", "max_position_embeddings");
  c.norm_eps = static_cast<float>(j.at(gpt2 ? "layer_norm_epsilon" : "rms_norm_eps").number);
  if (!gpt2) c.rope_theta = static_cast<float>((j.has("rope_parameters") ? j.at("rope_parameters") : j).at("rope_theta").number);
  c.tied = j.at("tie_word_embeddings").truth() ? 1 : 0;
  return shape_of(c);
}

// Rows of tokens in, logits out: a decoder whose slots hold a record each.
class Reader {
 public:
  virtual ~Reader() = default;

  // [rows, vocab], in the order of the rows, which are at most kProductRows.
  virtual std::vector<double> feed(const std::vector<int32_t>& token, const std::vector<int32_t>& slot,
                                   const std::vector<int32_t>& position) = 0;
  const Shape& shape() const { return model_->shape(); }

 protected:
  Reader(const std::string& folder, int32_t backend)
      : device_(std::make_shared<Device>(backend, 2)), model_(Model::create(device_, shape_in(folder), 1)) {
    const auto weights = read_safetensors(folder + "/model.safetensors");
    const auto& tensors = model_->layout().tensors;
    for (size_t i = 0; i < tensors.size(); ++i) {
      model_->write(static_cast<int32_t>(i), SYN_F64, weights.at(tensors[i].name).data(), tensors[i].count);
    }
  }
  static DecodeRows rows_of(const std::vector<int32_t>& token, const std::vector<int32_t>& slot,
                            const std::vector<int32_t>& position) {
    const auto rows = static_cast<int32_t>(token.size());
    return {token.data(), slot.data(), position.data(), rows, rows};
  }

  const std::shared_ptr<Device> device_;
  const std::shared_ptr<Model> model_;
};

template <class Real>
class HostReader final : public Reader {
 public:
  HostReader(const std::string& folder, int32_t slots)
      : Reader(folder, sizeof(Real) == sizeof(float) ? SYN_BACKEND_CPU : SYN_BACKEND_REF),
        decoder_(std::static_pointer_cast<ModelOf<Real>>(model_), slots),
        head_(std::static_pointer_cast<ModelOf<Real>>(model_)) {
    decoder_.refresh(exec_);
  }

  std::vector<double> feed(const std::vector<int32_t>& token, const std::vector<int32_t>& slot,
                           const std::vector<int32_t>& position) override {
    const DecodeRows rows = rows_of(token, slot, position);
    const std::vector<Real> logits = head_.logits(decoder_.step(exec_, rows), rows.rows);
    return {logits.begin(), logits.end()};
  }

 private:
  Exec exec_{device_->pool, nullptr};
  Decoder<Real> decoder_;
  Head<Real> head_;
};

// A GPU, or its emulation, draws in the same step, here under tables that mean nothing; what it draws from are the logits.
template <int32_t kBackend>
class GpuReader final : public Reader {
 public:
  GpuReader(const std::string& folder, int32_t slots)
      : Reader(folder, kBackend),
        chance_(1),
        grammar_(chance_, shape().vocab),
        decoder_(device_->gpu, shape(), model_->weights_on_gpu(), grammar_.tables(), {1, 1.0f, 0, 1.0f, 0.0f, false}, slots),
        words_((static_cast<size_t>(shape().vocab) + 63) / 64),
        seen_(static_cast<size_t>(slots) * words_) {
    decoder_.refresh(model_->version());
  }

  std::vector<double> feed(const std::vector<int32_t>& token, const std::vector<int32_t>& slot,
                           const std::vector<int32_t>& position) override {
    const DecodeRows rows = rows_of(token, slot, position);
    std::vector<SampleDraw> draws(token.size());
    for (size_t r = 0; r < draws.size(); ++r) {
      draws[r].room = kUnlimited;
      draws[r].memory = {0, kNothingSaid, seen_.data() + r * words_};
    }
    decoder_.step(rows, draws.data());
    std::vector<float> logits(token.size() * static_cast<size_t>(shape().vocab));
    const gpu::Session& s = *device_->gpu;
    s.check(s.table().download(s.context(), logits.data(), decoder_.logits(), static_cast<int64_t>(logits.size() * 4)), "logits");
    s.check(s.table().wait(s.context()), "logits");
    return {logits.begin(), logits.end()};
  }

 private:
  Chance chance_;
  const RandomGrammar grammar_;
  gpu::DecoderOnGpu decoder_;
  const size_t words_;
  std::vector<uint64_t> seen_;
};

// What PyTorch says of a folder.
struct Expected {
  std::vector<double> tokens, offsets, logits, greedy;

  explicit Expected(const std::string& folder) {
    const auto golden = read_safetensors(folder + "/golden.safetensors");
    tokens = golden.at("tokens");
    offsets = golden.at("offsets");
    logits = golden.at("logits");
    greedy = golden.at("next_greedy");
  }
  size_t records() const { return offsets.size() - 1; }
  size_t begin(size_t record) const { return static_cast<size_t>(offsets[record]); }
  size_t length(size_t record) const { return begin(record + 1) - begin(record); }
  size_t steps() const { return greedy.size() / records(); }  // of each continuation
  double largest() const {
    double out = 0;
    for (const double x : logits) out = std::max(out, std::fabs(x));
    return out;
  }
};

// The records side by side, each in a slot, and then on with their continuations. A logit may be off by bar times the largest;
// the token that PyTorch goes on with must be the likeliest, or as near to that as two logits that are off so allow (tie).
void expect_golden(Reader& reader, const Expected& g, double bar, bool tie) {
  const auto vocab = static_cast<size_t>(reader.shape().vocab), context = static_cast<size_t>(reader.shape().context);
  const double scale = g.largest();
  double error = 0;
  size_t compared = 0, likeliest = 0, continued = 0;
  for (size_t place = 0; place < context; ++place) {
    std::vector<int32_t> token, slot, position;
    for (size_t s = 0; s < g.records(); ++s) {
      const size_t n = g.length(s);
      if (place >= n + g.steps()) continue;
      const double next = place < n ? g.tokens[g.begin(s) + place] : g.greedy[s * g.steps() + place - n];
      ASSERT_GE(next, 0) << "record " << s << " ends before its context does";
      token.push_back(static_cast<int32_t>(next));
      slot.push_back(static_cast<int32_t>(s));
      position.push_back(static_cast<int32_t>(place));
    }
    if (token.empty()) break;
    const std::vector<double> logits = reader.feed(token, slot, position);
    for (size_t r = 0; r < slot.size(); ++r) {
      const auto s = static_cast<size_t>(slot[r]);
      const double* const got = logits.data() + r * vocab;
      for (size_t v = 0; place < g.length(s) && v < vocab; ++v, ++compared) {
        const double d = std::fabs(got[v] - g.logits[(g.begin(s) + place) * vocab + v]);
        error = d <= error ? error : d;  // a NaN sticks
      }
      if (place + 1 < g.length(s) || place + 1 - g.length(s) >= g.steps()) continue;
      const double said = g.greedy[s * g.steps() + place + 1 - g.length(s)];
      if (place + 1 == context) {
        EXPECT_EQ(said, -1) << "record " << s << " goes on behind its context";
        continue;
      }
      const double* const best = std::max_element(got, got + vocab);
      ++continued;
      likeliest += best - got == static_cast<std::ptrdiff_t>(said);
      EXPECT_LE(*best - got[static_cast<size_t>(said)], tie ? 2 * bar * scale : 0) << "record " << s << ", position " << place;
    }
  }
  EXPECT_EQ(compared, g.logits.size());
  EXPECT_LE(error, bar * scale);
  EXPECT_GE(likeliest * 10, continued * (tie ? 9 : 10));
  EXPECT_GT(continued, g.steps());
}

template <class SomeReader>
void expect_golden(double bar, bool tie = false) {
  const auto folders = golden_folders();
  if (folders.empty()) GTEST_SKIP() << "no golden numbers: ../shared/golden is missing";
  for (const std::string& folder : folders) {
    SCOPED_TRACE(folder);
    const Expected g(folder);
    SomeReader reader(folder, static_cast<int32_t>(g.records()));
    expect_golden(reader, g, bar, tie);
  }
}

TEST(DecodeGolden, logits_and_greedy_continuations_are_those_of_pytorch_in_ref) { expect_golden<HostReader<double>>(1e-6); }
TEST(DecodeGolden, logits_and_greedy_continuations_are_those_of_pytorch_in_cpu) { expect_golden<HostReader<float>>(2e-5); }
TEST(DecodeGolden, logits_and_greedy_continuations_are_those_of_pytorch_in_an_emulated_gpu) {
  const PluginsIn folder(SYN_PLUGIN_FOLDER);
  expect_golden<GpuReader<SYN_BACKEND_HOSTGPU>>(2e-2, true);
}
#if defined(SYN_CUDA_PLUGIN_FOLDER)
TEST(DecodeGolden, logits_and_greedy_continuations_are_those_of_pytorch_on_a_cuda_device) {
  const PluginsIn folder(SYN_CUDA_PLUGIN_FOLDER);
  const gpu::Offer offer = gpu::offer_of(SYN_BACKEND_CUDA);
  if (!offer.there) GTEST_SKIP() << offer.words;
  expect_golden<GpuReader<SYN_BACKEND_CUDA>>(2e-2, true);
}
#endif

}  // namespace
}  // namespace syn::tests
