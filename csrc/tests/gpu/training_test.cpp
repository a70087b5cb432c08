// Training on a device through the C ABI: the losses, gradients and updates of the reference in bf16, at most twice as far from
// it as bf16 itself is from exact numbers (tests/precision_test.cpp); the same bits whatever is kept; and clean states after
// what goes wrong. What is read back joins the digest, so that a schedule that changes a bit is noticed.
#include <cmath>

#include "tests/gpu/host_backend.h"
#include "tests/gpu/kernel_check.h"
#include "tests/trainer_fixture.h"

namespace syn::tests {
namespace {

constexpr int32_t kVocab = 61, kContext = 40;

syn_model_config gpt2(float dropout) {
  syn_model_config c = small_config(SYN_GPT2, kVocab, 128, 2, 2, 2, 64, 96, kContext, true);
  c.dropout = dropout;
  c.init_std = 0.1f;  // livelier than fresh weights
  return c;
}
syn_model_config llama(float dropout) {
  syn_model_config c = small_config(SYN_LLAMA, kVocab, 64, 2, 2, 1, 64, 96, kContext, false);
  c.dropout = dropout;
  c.init_std = 0.1f;
  return c;
}

const TrainingBatch& ragged() {
  static const TrainingBatch batch({33, 1, 20, 7}, kVocab, Training::kSoftRows);
  return batch;
}

// Batches of one size, with other tokens each.
const std::vector<TrainingBatch>& several() {
  static const std::vector<TrainingBatch> batches = [] {
    std::vector<TrainingBatch> out;
    for (uint32_t i = 0; i < 5; ++i) out.emplace_back(std::vector<int32_t>{30, 9, 11}, kVocab, Training::kSoftRows, 20 + i);
    return out;
  }();
  return batches;
}

Training on_device(const syn_model_config& config, bool recompute = false, const TrainingBatch& batch = ragged(),
                   int32_t optimizer = SYN_OPTIMIZER_ADAMW) {
  return Training(host_gpu_device(), config, batch, SYN_PRECISION_BF16, recompute, optimizer);
}
Training muon_on_device(const syn_model_config& config) { return on_device(config, false, ragged(), SYN_OPTIMIZER_MUON); }

const std::vector<double>& noted(const std::vector<double>& x) {
  const auto* p = reinterpret_cast<const unsigned char*>(x.data());
  for (size_t i = 0; i < x.size() * sizeof(double); ++i) digest() = (digest() ^ p[i]) * 1099511628211ull;
  return x;
}

// A network before it is trained, or a step of it, without and with bf16, and on the device.
struct Three {
  Training exact, oracle, device;

  explicit Three(const syn_model_config& config, const TrainingBatch& batch = ragged(),
                 int32_t optimizer = SYN_OPTIMIZER_ADAMW)
      : exact(SYN_BACKEND_REF, config, batch, 1, SYN_PRECISION_FP32, false, optimizer),
        oracle(SYN_BACKEND_REF, config, batch, 1, SYN_PRECISION_BF16, false, optimizer),
        device(on_device(config, false, batch, optimizer)) {}

  // read(training) -> numbers, of which the device's are to be near.
  template <class Read>
  void compare(const char* what, Read&& read) {
    const std::vector<double> a = read(exact), b = read(oracle), c = read(device);
    noted(c);
    EXPECT_LE(apart(c, b), 2 * apart(b, a)) << what;
    EXPECT_GT(apart(b, a), 0) << what << ": nothing is rounded";
  }

  // Of trained weights, which differ between the three, the roundings of a sum of losses cancel by chance: there the bar is
  // fixed.
  void compare_losses(const TrainingBatch& batch, int32_t step = 0) {
    const double a = exact.accumulate(batch, step).sum, b = oracle.accumulate(batch, step).sum;
    const double c = device.accumulate(batch, step).sum;
    noted({c});
    EXPECT_NEAR(c, b, step == 0 ? 2 * std::fabs(b - a) + 1e-5 * a : 1e-3 * b) << "step " << step;
    EXPECT_NEAR(b / a, 1, 2e-3) << "step " << step;
  }
};

TEST(GpuTraining, fresh_weights_are_those_of_the_cpu) {
  for (const auto& config : {gpt2(0), llama(0)}) {
    Training cpu(SYN_BACKEND_CPU, config, ragged());
    EXPECT_EQ(on_device(config).all_weights(), cpu.all_weights());
  }
}

TEST(GpuTraining, steps_follow_the_reference) {
  for (const auto& config : {gpt2(0), llama(0), gpt2(0.2f), llama(0.2f)}) {
    SCOPED_TRACE("family " + std::to_string(config.family) + ", dropout " + std::to_string(config.dropout));
    Three three(config);
    for (int step = 0; step < 3; ++step) {
      three.compare_losses(ragged(), step);
      three.compare("gradients", [](Training& t) { return t.all_gradients(); });
      three.exact.apply();
      EXPECT_NEAR(three.device.apply().grad_norm / three.oracle.apply().grad_norm, 1, 1e-3);
      three.compare("weights", [](Training& t) { return t.all_weights(); });
      EXPECT_EQ(syn_trainer_step(three.device.trainer()), step + 1);
    }
  }
}

TEST(GpuTraining, under_a_window_it_follows_the_reference) {
  for (syn_model_config config : {gpt2(0), llama(0.2f)}) {
    SCOPED_TRACE("family " + std::to_string(config.family));
    config.window = 5;
    Three three(config);
    three.compare_losses(ragged());
    three.compare("gradients", [](Training& t) { return t.all_gradients(); });
    Training least = on_device(config, true);
    least.accumulate(ragged());
    EXPECT_EQ(least.all_gradients(), three.device.all_gradients());
    three.compare("scores", [](Training& t) { return t.score(ragged()); });
    config.window = 0;
    Training without = on_device(config);
    without.accumulate(ragged());
    EXPECT_GT(apart(without.all_gradients(), least.all_gradients()), 0.01) << "a window must have been there";
  }
}

TEST(GpuTraining, scores_and_logits_follow_the_reference) {
  for (const auto& config : {gpt2(0.2f), llama(0.2f)}) {
    Three three(config);
    three.compare("scores", [](Training& t) { return t.score(ragged()); });
    three.compare("logits", [](Training& t) { return t.logits(ragged(), kVocab); });
    TrainingBatch hard = ragged();
    hard.soft_row.assign(hard.soft_row.size(), -1);
    syn_model_config sure = config;
    sure.dropout = 0;
    Training t = on_device(sure);
    double sum = 0;
    for (const double nll : t.score(hard)) sum += nll;
    EXPECT_EQ(t.accumulate(hard).sum, sum);
  }
}

// More rows than a chunk of the loss has.
TEST(GpuTraining, a_batch_of_two_chunks_follows_the_reference) {
  const TrainingBatch batch(std::vector<int32_t>(13, kContext), kVocab, Training::kSoftRows);
  ASSERT_GT(batch.count(), kXentRows);
  Three three(small_config(SYN_LLAMA, kVocab, 64, 1, 1, 1, 64, 64, kContext, true), batch);
  three.compare_losses(batch);
  three.compare("gradients", [](Training& t) { return t.all_gradients(); });
}

TEST(GpuTraining, recompute_and_repetition_change_no_bit) {
  for (const auto& config : {gpt2(0.2f), llama(0.2f)}) {
    Training kept = on_device(config), again = on_device(config), least = on_device(config, true);
    for (int step = 0; step < 2; ++step) {
      const double sum = kept.accumulate(ragged(), step).sum;
      EXPECT_EQ(again.accumulate(ragged(), step).sum, sum);
      EXPECT_EQ(least.accumulate(ragged(), step).sum, sum);
      const std::vector<double> gradients = noted(kept.all_gradients());
      EXPECT_EQ(again.all_gradients(), gradients) << "family " << config.family;
      EXPECT_EQ(least.all_gradients(), gradients) << "family " << config.family;
      for (Training* t : {&kept, &again, &least}) t->apply();
    }
    EXPECT_EQ(again.all_weights(), kept.all_weights());
    EXPECT_EQ(least.all_weights(), kept.all_weights());
  }
}

// The device runs as late as it may (hostgpu): what is packed too early is read there instead of what was sent.
TEST(GpuTraining, batches_on_their_way_have_the_bits_of_batches_that_are_waited_for) {
  for (const auto& config : {gpt2(0.2f), llama(0.2f)}) {
    Training waiting = on_device(config), ahead = on_device(config);
    for (int step = 0; step < 2; ++step) {
      syn_loss sum = {};
      for (size_t i = 0; i < several().size(); ++i) {
        const syn_loss one = waiting.accumulate(several()[i], static_cast<int32_t>(i));
        sum.sum += one.sum;
        sum.targets += one.targets;
      }
      const Calls before = calls();
      for (size_t i = 0; i < several().size(); ++i) ahead.queue(several()[i], static_cast<int32_t>(i));
      EXPECT_EQ(calls().waits, before.waits);
      EXPECT_EQ(calls().marks_reached - before.marks_reached, 3) << "of five batches two may be on their way";
      EXPECT_EQ(calls().uploads - before.uploads, 5);
      if (step == 0) {
        EXPECT_EQ(ahead.all_gradients(), waiting.all_gradients()) << "family " << config.family;
      }
      EXPECT_EQ(ahead.apply().grad_norm, waiting.apply().grad_norm);
      const syn_loss got = ahead.losses();
      EXPECT_EQ(got.sum, sum.sum);
      EXPECT_EQ(got.targets, sum.targets);
      EXPECT_EQ(ahead.losses().targets, 0) << "they are told once";
    }
    EXPECT_EQ(ahead.all_weights(), noted(waiting.all_weights()));
  }
}

// A loss that is waited for and scores leave the others as they are; a cancelled call drops them.
TEST(GpuTraining, losses_that_are_left_stay_until_they_are_told_or_dropped) {
  Training t = on_device(llama(0)), other = on_device(llama(0));
  const double first = other.accumulate(several()[0]).sum, second = other.accumulate(several()[1]).sum;
  const std::vector<double> scores = other.score(several()[2]), gradients = other.all_gradients();
  t.queue(several()[0]);
  EXPECT_EQ(t.accumulate(several()[1]).sum, second);
  EXPECT_EQ(t.score(several()[2]), scores);
  EXPECT_EQ(t.losses().sum, first);
  EXPECT_EQ(t.all_gradients(), gradients);
  t.queue(several()[0]);
  syn_trainer_cancel(t.trainer());
  syn_error e = fresh_error();
  EXPECT_EQ(SYN_CANCELLED, t.try_accumulate(several()[1], e));
  EXPECT_EQ(t.losses().targets, 0);
  EXPECT_EQ(t.all_gradients(), std::vector<double>(gradients.size()));
}

// The emulation must see a batch that is packed while another still lies there; on a device it may have gone by then.
TEST(GpuTraining, a_mark_that_is_not_reached_is_seen) {
  static const gpu::Backend hasty = [] {
    gpu::Backend t = host_backend();
    t.reach_mark = [](gpu::Context*, int32_t) { return 0; };
    return t;
  }();
  Training waiting = on_device(llama(0)),
           ahead(DeviceHandle(new syn_device(device_of(hasty))), llama(0), ragged(), SYN_PRECISION_BF16);
  for (const TrainingBatch& batch : several()) {
    waiting.accumulate(batch);
    ahead.queue(batch);
  }
  const std::vector<double> gradients = ahead.all_gradients();
  if (hasty.emulated) {
    EXPECT_NE(gradients, waiting.all_gradients());
  }
}

// See BiasBackward in ops/linear.h: rounding would leave something, and AdamW would blow it up.
TEST(GpuTraining, the_bias_of_k_has_no_gradient) {
  Training t = on_device(gpt2(0));
  t.accumulate(ragged());
  int found = 0;
  for (int32_t i = 0; i < t.tensors(); ++i) {
    if (std::string(t.tensor(i).name).find("c_attn.bias") == std::string::npos) continue;
    ++found;
    const std::vector<double> gradient = t.state(SYN_STATE_GRADIENT, i);
    const size_t width = gradient.size() / 3;
    for (size_t c = 0; c < gradient.size(); ++c) EXPECT_EQ(gradient[c] == 0, c / width == 1) << "column " << c;
  }
  EXPECT_EQ(found, 2);
}

TEST(GpuTraining, gradients_add_up_over_calls_and_state_can_be_written) {
  Training t = on_device(llama(0)), other = on_device(llama(0));
  t.accumulate(ragged());
  const std::vector<double> once = t.all_gradients();
  t.accumulate(ragged());
  const std::vector<double> mean = t.all_gradients();  // of twice the sum over twice the targets
  EXPECT_LE(apart(mean, once), 1e-6);
  t.apply();
  EXPECT_EQ(t.all_gradients(), std::vector<double>(once.size()));
  other.take_state(t);
  for (Training* each : {&t, &other}) {
    each->accumulate(ragged());
    each->apply();
  }
  EXPECT_EQ(other.all_weights(), t.all_weights());
}

TEST(GpuTraining, a_gradient_that_is_not_finite_changes_nothing) {
  Training t = on_device(llama(0));
  t.accumulate(ragged());
  t.apply();
  std::vector<double> broken = t.weights(0);
  const double kept = broken[0];
  broken[0] = NAN;
  t.set_weights(0, broken);
  const std::vector<double> moments = t.state(SYN_STATE_MOMENT1, 1), weights = t.weights(1);
  t.accumulate(ragged());
  const syn_update update = t.apply();
  EXPECT_EQ(update.skipped, 1);
  EXPECT_EQ(update.step, 1);
  EXPECT_FALSE(std::isfinite(update.grad_norm));
  EXPECT_EQ(t.state(SYN_STATE_MOMENT1, 1), moments);
  EXPECT_EQ(t.weights(1), weights);
  broken[0] = kept;
  t.set_weights(0, broken);
  t.accumulate(ragged());
  const syn_update healthy = t.apply();
  EXPECT_EQ(healthy.skipped, 0);
  EXPECT_EQ(healthy.step, 2);
  for (const double w : t.all_weights()) ASSERT_TRUE(std::isfinite(w));
}

TEST(GpuTraining, steps_of_muon_follow_the_reference) {
  for (const auto& config : {gpt2(0), llama(0)}) {
    SCOPED_TRACE("family " + std::to_string(config.family));
    Three three(config, ragged(), SYN_OPTIMIZER_MUON);
    for (int step = 0; step < 2; ++step) {
      three.compare_losses(ragged(), step);
      three.exact.apply();
      EXPECT_NEAR(three.device.apply().grad_norm / three.oracle.apply().grad_norm, 1, 1e-3);
      three.compare("weights", [](Training& t) { return t.all_weights(); });
    }
  }
}

// Embeddings, norms, biases and the output matrix, whose gradients are the same.
TEST(GpuTraining, muon_leaves_the_rest_to_adamw) {
  for (const auto& config : {gpt2(0), llama(0)}) {
    Training adamw = on_device(config), muon = muon_on_device(config);
    for (Training* t : {&adamw, &muon}) {
      t->accumulate(ragged());
      t->apply();
      EXPECT_EQ(t->all_gradients(), std::vector<double>(t->all_weights().size()));
    }
    for (int32_t i = 0; i < muon.tensors(); ++i)
      EXPECT_EQ(muon.weights(i) == adamw.weights(i), muon.tensor(i).hidden == 0) << muon.tensor(i).name;
  }
}

TEST(GpuTraining, muon_goes_on_from_its_state_and_allocates_nothing) {
  for (const auto& config : {gpt2(0.2f), llama(0)}) {
    Training whole = muon_on_device(config), other = muon_on_device(config);
    const auto step = [](Training& t) {
      t.accumulate(ragged());
      t.apply();
    };
    step(whole);
    other.take_state(whole, true);
    const int64_t calls = device_memory().calls;
    step(whole);
    EXPECT_EQ(device_memory().calls, calls);
    step(other);
    EXPECT_EQ(noted(other.all_weights()), whole.all_weights());
  }
}

TEST(GpuTraining, muon_skips_a_gradient_that_is_not_finite) {
  Training t = muon_on_device(gpt2(0));
  t.accumulate(ragged());
  t.apply();
  int32_t hidden = 0;
  while (!t.tensor(hidden).hidden) ++hidden;
  std::vector<double> broken = t.weights(t.tensors() - 1);  // the token embedding
  const double kept = broken[0];
  broken[0] = NAN;
  t.set_weights(t.tensors() - 1, broken);
  const std::vector<double> momentum = t.state(SYN_STATE_MOMENT1, hidden), weights = t.weights(hidden);
  t.accumulate(ragged());
  EXPECT_EQ(t.apply().skipped, 1);
  EXPECT_EQ(t.state(SYN_STATE_MOMENT1, hidden), momentum);
  EXPECT_EQ(t.weights(hidden), weights);
  broken[0] = kept;
  t.set_weights(t.tensors() - 1, broken);
  t.accumulate(ragged());
  EXPECT_EQ(t.apply().skipped, 0);
  for (const double w : t.all_weights()) ASSERT_TRUE(std::isfinite(w));
}

TEST(GpuTraining, bad_batches_are_refused_with_nothing_changed) {
  Training t = on_device(llama(0));
  t.accumulate(ragged());
  const std::vector<double> before = t.all_gradients();
  TrainingBatch token = ragged(), target = ragged(), soft = ragged();
  token.tokens[40] = kVocab;
  target.targets[3] = kVocab;
  soft.soft_row[2] = Training::kSoftRows;
  syn_error e = fresh_error();
  EXPECT_EQ(SYN_INVALID_ARGUMENT, t.try_accumulate(token, e));
  EXPECT_STREQ(e.message, "the token at position 40 is outside 0 to 60");
  EXPECT_EQ(SYN_INVALID_ARGUMENT, t.try_accumulate(target, e));
  EXPECT_EQ(SYN_INVALID_ARGUMENT, t.try_accumulate(soft, e));
  EXPECT_EQ(SYN_INVALID_ARGUMENT, t.try_accumulate(TrainingBatch({kContext, 30}, kVocab, 0), e));  // longer than planned
  EXPECT_EQ(t.all_gradients(), before);
}

TEST(GpuTraining, a_cancelled_call_leaves_no_half_gradient) {
  Training t = on_device(llama(0.2f)), fresh = on_device(llama(0.2f));
  t.accumulate(ragged());
  syn_trainer_cancel(t.trainer());
  syn_error e = fresh_error();
  EXPECT_EQ(SYN_CANCELLED, t.try_accumulate(ragged(), e));
  t.accumulate(ragged());
  fresh.accumulate(ragged());
  EXPECT_EQ(t.all_gradients(), fresh.all_gradients());
}

TEST(GpuTraining, memory_is_as_estimated_and_steps_allocate_none) {
  for (const auto& config : {gpt2(0.1f), llama(0)})
    for (const int32_t way : {0, 1}) {  // as ever; with recomputation, and Muon
      syn_trainer_params params = trainer_params(ragged().count(), ragged().segments());
      params.precision = SYN_PRECISION_BF16;
      params.recompute = way;
      params.optimizer = way;
      const DeviceHandle device = host_gpu_device();
      const int64_t before = device_memory().bytes();
      syn_memory memory = {};
      memory.size = sizeof memory;
      syn_error e = fresh_error();
      must(syn_trainer_estimate(device.get(), &config, &params, &memory, &e), e);
      EXPECT_EQ(device_memory().bytes(), before);
      const ModelHandle model = make_model(device.get(), config);
      EXPECT_EQ(device_memory().bytes() - before, memory.parameters);
      const TrainerHandle trainer = make_trainer(model.get(), params);
      EXPECT_EQ(device_memory().bytes() - before, memory.total);
    }
  Training t = on_device(gpt2(0.1f));
  const int64_t calls = device_memory().calls;
  t.accumulate(ragged());
  t.apply();
  t.score(ragged());
  EXPECT_EQ(device_memory().calls, calls);
}

TEST(GpuTraining, what_a_gpu_does_not_train_is_refused_in_a_sentence) {
  const DeviceHandle device = host_gpu_device();
  const syn_model_config config = llama(0);
  const ModelHandle model = make_model(device.get(), config);
  syn_trainer_params params = trainer_params(8, 1);
  syn_trainer* trainer = nullptr;
  syn_error e = fresh_error();
  EXPECT_EQ(SYN_UNSUPPORTED, syn_trainer_create(model.get(), &params, &trainer, &e));
  EXPECT_STREQ(e.message, "precision is 0 (fp32), a GPU trains in precision 1 (bf16)");
  syn_memory memory = {};
  memory.size = sizeof memory;
  EXPECT_EQ(SYN_UNSUPPORTED, syn_trainer_estimate(device.get(), &config, &params, &memory, &e));
  syn_model* wide = nullptr;
  const syn_model_config too_wide = small_config(SYN_LLAMA, kVocab, 4104, 1, 1, 1, 64, 64, 8, true);
  EXPECT_EQ(SYN_UNSUPPORTED, syn_model_create(device.get(), &too_wide, 1, &wide, &e));
  EXPECT_STREQ(e.message, "width is 4104, a GPU takes networks up to width 4096");
  params.precision = SYN_PRECISION_BF16;
  const TrainerHandle made = make_trainer(model.get(), params);
  EXPECT_EQ(SYN_UNSUPPORTED, syn_trainer_profile(made.get(), 1, &e));
}

}  // namespace
}  // namespace syn::tests
