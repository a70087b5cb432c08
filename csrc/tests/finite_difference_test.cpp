// The root of the ladder of oracles: gradients of the full network in double against central differences of its own loss, for
// both families, tied and untied, grouped key/value heads, three packed segments, hard and soft targets, with and without
// dropout and a window.
#include <cmath>

#include "tests/trainer_fixture.h"

namespace syn::tests {
namespace {

struct Form {
  int32_t family;
  int32_t heads, kv_heads;
  bool tied;
  float dropout;
  int32_t window = 0;
};

class FiniteDifferences : public testing::TestWithParam<Form> {};

// Livelier than fresh weights, so that mistakes show.
void enliven(Training& t) {
  for (int32_t i = 0; i < t.tensors(); ++i) {
    std::vector<double> x = t.weights(i);
    for (size_t j = 0; j < x.size(); ++j)
      x[j] += 0.3 * (uniform(philox({{static_cast<uint32_t>(j), static_cast<uint32_t>(i), 0, 0}}, 77, 0).w[0]) - 0.5);
    t.set_weights(i, x);
  }
}

TEST_P(FiniteDifferences, OfTheFullNetworkAgreeWithItsGradients) {
  const Form f = GetParam();
  constexpr int32_t kVocab = 23;
  const int32_t width = f.family == SYN_GPT2 ? 16 * f.heads : 16;
  syn_model_config c = small_config(f.family, kVocab, width, 2, f.heads, f.kv_heads, 16, 24, 9, f.tied);
  c.dropout = f.dropout;
  c.window = f.window;
  TrainingBatch batch({5, 1, 9}, kVocab, Training::kSoftRows);
  batch.tokens.front() = kVocab - 1;  // the last row of each table has a gradient too
  batch.targets.back() = 3;
  Training t(SYN_BACKEND_REF, c, batch);
  enliven(t);
  const auto mean_loss = [&] {
    const syn_loss loss = t.accumulate(batch);
    return loss.sum / static_cast<double>(loss.targets);
  };
  mean_loss();
  std::vector<std::vector<double>> gradients;
  double scale = 0;
  for (int32_t i = 0; i < t.tensors(); ++i) {
    gradients.push_back(t.state(SYN_STATE_GRADIENT, i));
    for (const double g : gradients.back()) scale = std::max(scale, std::fabs(g));
  }
  constexpr double kStep = 1e-4;
  for (int32_t i = 0; i < t.tensors(); ++i) {
    const std::vector<double> x = t.weights(i);
    // Every element of the tables and vectors, every last row included; one in a hundred of a large matrix.
    const size_t stride = x.size() > 400 ? x.size() / 100 | 1 : 1;
    for (size_t j = 0; j < x.size(); j += stride) {
      double f_at[4];
      const double steps[4] = {-2 * kStep, -kStep, kStep, 2 * kStep};
      for (int k = 0; k < 4; ++k) {
        std::vector<double> moved = x;
        moved[j] += steps[k];
        t.set_weights(i, moved);
        f_at[k] = mean_loss();
      }
      t.set_weights(i, x);
      const double slope = (f_at[0] - 8 * f_at[1] + 8 * f_at[2] - f_at[3]) / (12 * kStep);  // fourth order
      EXPECT_NEAR(slope, gradients[static_cast<size_t>(i)][j], 1e-6 * scale) << t.tensor(i).name << "[" << j << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ref, FiniteDifferences,
                         testing::Values(Form{SYN_GPT2, 1, 1, true, 0}, Form{SYN_GPT2, 2, 2, false, 0},
                                         Form{SYN_GPT2, 1, 1, true, 0.3f}, Form{SYN_LLAMA, 4, 2, false, 0},
                                         Form{SYN_LLAMA, 2, 1, true, 0}, Form{SYN_LLAMA, 2, 2, false, 0.2f},
                                         Form{SYN_LLAMA, 2, 1, false, 0.2f, 3}, Form{SYN_GPT2, 1, 1, true, 0, 1}),
                         [](const auto& info) {
                           return std::string(info.param.family == SYN_GPT2 ? "Gpt2" : "Llama") +
                                  std::to_string(info.param.heads) + "over" + std::to_string(info.param.kv_heads) +
                                  (info.param.tied ? "Tied" : "Untied") + (info.param.dropout > 0 ? "Dropout" : "") +
                                  (info.param.window > 0 ? "Window" : "");
                         });

}  // namespace
}  // namespace syn::tests
