// Decoding against PyTorch: the logits of every record token by token, and its greedy continuation, for every folder under
// $SYNEHRGY_GOLDEN (default ../shared/golden beside the repository).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "model/decode.h"
#include "tests/full_forward.h"
#include "tests/safetensors_reader.h"

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

// One record in one slot, token by token.
template <class Real>
class Reader {
 public:
  explicit Reader(const std::string& folder)
      : device_(std::make_shared<Device>(sizeof(Real) == sizeof(float) ? SYN_BACKEND_CPU : SYN_BACKEND_REF, 2)),
        model_(std::static_pointer_cast<ModelOf<Real>>(Model::create(device_, shape_in(folder), 1))) {
    const auto weights = read_safetensors(folder + "/model.safetensors");
    const auto& tensors = model_->layout().tensors;
    for (size_t i = 0; i < tensors.size(); ++i) {
      model_->write(static_cast<int32_t>(i), SYN_F64, weights.at(tensors[i].name).data(), tensors[i].count);
    }
    decoder_ = std::make_unique<Decoder<Real>>(model_, 1);
    decoder_->refresh(exec_);
    head_ = std::make_unique<Head<Real>>(model_);
  }

  int32_t vocab() const { return model_->shape().vocab; }
  int32_t context() const { return model_->shape().context; }

  std::vector<Real> feed(int32_t token, int32_t position) {
    const int32_t slot = 0;
    return head_->logits(decoder_->step(exec_, {&token, &slot, &position, 1, 1}), 1);
  }

 private:
  std::shared_ptr<Device> device_;
  std::shared_ptr<ModelOf<Real>> model_;
  std::unique_ptr<Decoder<Real>> decoder_;
  std::unique_ptr<Head<Real>> head_;
  Exec exec_{device_->pool, nullptr};
};

template <class Real>
void expect_golden(double bar) {
  const auto folders = golden_folders();
  if (folders.empty()) GTEST_SKIP() << "no golden numbers: ../shared/golden is missing";
  for (const std::string& folder : folders) {
    SCOPED_TRACE(folder);
    const auto golden = read_safetensors(folder + "/golden.safetensors");
    const auto &tokens = golden.at("tokens"), &offsets = golden.at("offsets"), &logits = golden.at("logits"),
               &greedy = golden.at("next_greedy");
    Reader<Real> reader(folder);
    const auto vocab = static_cast<size_t>(reader.vocab());
    double error = 0, scale = 0;
    for (size_t s = 0; s + 1 < offsets.size(); ++s) {
      int32_t position = 0;
      std::vector<Real> last;
      for (auto t = static_cast<size_t>(offsets[s]); t < static_cast<size_t>(offsets[s + 1]); ++t) {
        last = reader.feed(static_cast<int32_t>(tokens[t]), position++);
        for (size_t v = 0; v < vocab; ++v) {
          const double want = logits[t * vocab + v], d = std::fabs(static_cast<double>(last[v]) - want);
          error = d <= error ? error : d;
          scale = std::max(scale, std::fabs(want));
        }
      }
      const size_t steps = greedy.size() / (offsets.size() - 1);
      for (size_t i = 0; i < steps; ++i) {
        const auto want = static_cast<int32_t>(greedy[s * steps + i]);
        if (position >= reader.context()) {
          EXPECT_EQ(want, -1) << "record " << s << ", step " << i;
          continue;
        }
        const auto next = static_cast<int32_t>(std::max_element(last.begin(), last.end()) - last.begin());
        EXPECT_EQ(next, want) << "record " << s << ", step " << i;
        last = reader.feed(next, position++);
      }
    }
    EXPECT_LE(error / scale, bar);
  }
}

TEST(DecodeGolden, logits_and_greedy_continuations_are_those_of_pytorch_in_ref) { expect_golden<double>(1e-6); }
TEST(DecodeGolden, logits_and_greedy_continuations_are_those_of_pytorch_in_cpu) { expect_golden<float>(2e-5); }

}  // namespace
}  // namespace syn::tests
