// What a trainer promises: the same bits for any number of threads and any packing, sums over calls, memory as estimated, nothing
// allocated in a step, and a clean state after a cancel or a gradient that is not finite.
#include <malloc.h>
#include <sys/resource.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <map>
#include <thread>

#include "tests/allocations.h"
#include "tests/trainer_fixture.h"

namespace syn::tests {
namespace {

constexpr int32_t kVocab = 131;

syn_model_config gpt2(float dropout = 0) {
  syn_model_config c = small_config(SYN_GPT2, kVocab, 96, 3, 3, 3, 32, 128, 140, true);
  c.dropout = dropout;
  return c;
}
syn_model_config llama(float dropout = 0) {
  syn_model_config c = small_config(SYN_LLAMA, kVocab, 64, 3, 4, 2, 24, 96, 140, false);
  c.dropout = dropout;
  return c;
}

const TrainingBatch& ragged() {
  static const TrainingBatch batch({65, 1, 140, 64, 2, 63, 130}, kVocab, Training::kSoftRows);
  return batch;
}

int64_t allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

void train(Training& t, int steps) {
  for (int i = 0; i < steps; ++i) {
    t.accumulate(ragged());
    t.apply();
  }
}

constexpr int32_t kPrecisions[] = {SYN_PRECISION_FP32, SYN_PRECISION_BF16};

TEST(Trainer, ThreadsDoNotChangeABit) {
  for (const auto& config : {gpt2(0.1f), llama()})
    for (const int32_t precision : kPrecisions) {
      Training one(SYN_BACKEND_CPU, config, ragged(), 1, precision);
      train(one, 2);
      for (const int threads : {2, 3, 7}) {
        Training many(SYN_BACKEND_CPU, config, ragged(), threads, precision);
        train(many, 2);
        EXPECT_EQ(one.all_weights(), many.all_weights())
            << threads << " threads, family " << config.family << ", precision " << precision;
      }
    }
}

TEST(Trainer, recompute_changes_no_bit) {
  for (const auto& config : {gpt2(0.2f), gpt2(), llama(0.2f)})
    for (const int32_t precision : kPrecisions) {
      Training kept(SYN_BACKEND_CPU, config, ragged(), 2, precision),
          again(SYN_BACKEND_CPU, config, ragged(), 2, precision, true);
      for (int step = 0; step < 2; ++step) {
        EXPECT_EQ(kept.accumulate(ragged()).sum, again.accumulate(ragged()).sum);
        EXPECT_EQ(kept.all_gradients(), again.all_gradients()) << "family " << config.family << ", precision " << precision;
        kept.apply();
        again.apply();
      }
      EXPECT_EQ(kept.score(ragged()), again.score(ragged()));
    }
  Training kept(SYN_BACKEND_REF, llama(0.1f), ragged()),
      again(SYN_BACKEND_REF, llama(0.1f), ragged(), 1, SYN_PRECISION_FP32, true);
  EXPECT_EQ(kept.accumulate(ragged()).sum, again.accumulate(ragged()).sum);
  EXPECT_EQ(kept.all_gradients(), again.all_gradients());
}

TEST(Trainer, PackedSegmentsHaveTheBitsOfSeparateOnes) {
  for (const auto& config : {gpt2(), llama()})
    for (const int32_t precision : kPrecisions) {
      Training t(SYN_BACKEND_CPU, config, ragged(), 2, precision);
      const std::vector<double> packed = t.score(ragged()), logits = t.logits(ragged(), kVocab);
      for (int32_t s = 0; s < ragged().segments(); ++s) {
        const int32_t begin = ragged().offsets[static_cast<size_t>(s)], end = ragged().offsets[static_cast<size_t>(s) + 1];
        TrainingBatch one({end - begin}, kVocab, 0);
        one.tokens.assign(ragged().tokens.begin() + begin, ragged().tokens.begin() + end);
        one.targets.assign(ragged().targets.begin() + begin, ragged().targets.begin() + end);
        EXPECT_EQ(t.score(one), std::vector<double>(packed.begin() + begin, packed.begin() + end)) << "segment " << s;
        EXPECT_EQ(t.logits(one, kVocab), std::vector<double>(logits.begin() + begin * kVocab, logits.begin() + end * kVocab));
      }
    }
}

TEST(Trainer, PermutingTheRecordsPermutesTheLosses) {
  const TrainingBatch ab({50, 70}, kVocab, 0);
  TrainingBatch ba({70, 50}, kVocab, 0);
  const auto swap = [](const std::vector<int32_t>& x) {
    std::vector<int32_t> out(x.begin() + 50, x.end());
    out.insert(out.end(), x.begin(), x.begin() + 50);
    return out;
  };
  ba.tokens = swap(ab.tokens);
  ba.targets = swap(ab.targets);
  Training t(SYN_BACKEND_CPU, gpt2(), ragged(), 2);
  const std::vector<double> first = t.score(ab), second = t.score(ba);
  EXPECT_EQ(std::vector<double>(first.begin() + 50, first.end()), std::vector<double>(second.begin(), second.begin() + 70));
  EXPECT_EQ(std::vector<double>(first.begin(), first.begin() + 50), std::vector<double>(second.begin() + 70, second.end()));
}

TEST(Trainer, CpuFollowsTheReferenceThroughDropoutAndSoftTargets) {
  for (const auto& config : {gpt2(0.2f), llama()}) {
    Training ref(SYN_BACKEND_REF, config, ragged()), cpu(SYN_BACKEND_CPU, config, ragged(), 2);
    const double a = ref.accumulate(ragged(), 1).sum, b = cpu.accumulate(ragged(), 1).sum;
    EXPECT_NEAR(b / a, 1, 1e-6);
    const std::vector<double> exact = ref.all_gradients(), got = cpu.all_gradients();
    double scale = 0, error = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      scale = std::max(scale, std::fabs(exact[i]));
      error = std::max(error, std::fabs(exact[i] - got[i]));
    }
    EXPECT_LE(error, 5e-5 * scale);
    EXPECT_GT(scale, 0);
  }
}

TEST(Trainer, GradientsAddUpOverCalls) {
  const TrainingBatch first({40, 60}, kVocab, 0, 1), second({80}, kVocab, 0, 2);
  TrainingBatch both = first;
  both.tokens.insert(both.tokens.end(), second.tokens.begin(), second.tokens.end());
  both.targets.insert(both.targets.end(), second.targets.begin(), second.targets.end());
  both.soft_row.insert(both.soft_row.end(), second.soft_row.begin(), second.soft_row.end());
  both.offsets.push_back(180);
  Training apart(SYN_BACKEND_REF, llama(), both), together(SYN_BACKEND_REF, llama(), both);
  const syn_loss a = apart.accumulate(first, 0), b = apart.accumulate(second, 1), whole = together.accumulate(both);
  EXPECT_EQ(a.targets + b.targets, whole.targets);
  EXPECT_NEAR(a.sum + b.sum, whole.sum, 1e-10 * whole.sum);
  const std::vector<double> x = apart.all_gradients(), y = together.all_gradients();
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], 1e-12);
}

TEST(Trainer, losses_that_are_left_are_told_once_and_dropped_with_the_gradients) {
  Training each(SYN_BACKEND_CPU, gpt2(0.1f), ragged()), left(SYN_BACKEND_CPU, gpt2(0.1f), ragged());
  const syn_loss first = each.accumulate(ragged(), 0), second = each.accumulate(ragged(), 1);
  left.queue(ragged(), 0);
  left.queue(ragged(), 1);
  EXPECT_EQ(left.all_gradients(), each.all_gradients());
  left.apply();
  const syn_loss both = left.losses();
  EXPECT_EQ(both.sum, first.sum + second.sum);
  EXPECT_EQ(both.targets, first.targets + second.targets);
  EXPECT_EQ(left.losses().targets, 0);
  left.queue(ragged());
  syn_trainer_cancel(left.trainer());
  syn_error e = fresh_error();
  EXPECT_EQ(SYN_CANCELLED, left.try_accumulate(ragged(), e));
  EXPECT_EQ(left.losses().targets, 0);
}

TEST(Trainer, DropoutDependsOnStepAndMicroAndIsOffWhenScoring) {
  Training t(SYN_BACKEND_CPU, gpt2(0.3f), ragged());
  const double a = t.accumulate(ragged(), 0).sum, again = t.accumulate(ragged(), 0).sum, other = t.accumulate(ragged(), 1).sum;
  EXPECT_EQ(a, again);
  EXPECT_NE(a, other);
  syn_error e = fresh_error();
  must(syn_trainer_set_step(t.trainer(), 7, &e), e);
  EXPECT_NE(a, t.accumulate(ragged(), 0).sum);
  Training without(SYN_BACKEND_CPU, gpt2(0), ragged());
  EXPECT_EQ(t.score(ragged()), without.score(ragged()));
  TrainingBatch hard = ragged();
  hard.soft_row.assign(hard.soft_row.size(), -1);
  double sum = 0;
  for (const double nll : without.score(hard)) sum += nll;
  EXPECT_EQ(without.accumulate(hard).sum, sum);
}

TEST(Trainer, LossFallsWhenTrainedOnOneBatch) {
  for (const int32_t backend : {SYN_BACKEND_CPU, SYN_BACKEND_REF}) {
    const TrainingBatch batch({30, 20}, kVocab, 0);
    Training t(backend, llama(), batch);
    const double before = t.accumulate(batch).sum;
    t.apply(1e-2);
    for (int i = 0; i < 30; ++i) {
      t.accumulate(batch);
      t.apply(1e-2);
    }
    EXPECT_LT(t.accumulate(batch).sum, 0.5 * before) << "backend " << backend;
  }
}

TEST(Trainer, ResumingFromSavedStateIsBitwise) {
  Training whole(SYN_BACKEND_CPU, gpt2(0.1f), ragged(), 2), first(SYN_BACKEND_CPU, gpt2(0.1f), ragged(), 2);
  train(whole, 6);
  train(first, 3);
  Training second(SYN_BACKEND_CPU, gpt2(0.1f), ragged(), 1);
  second.take_state(first);
  train(second, 3);
  EXPECT_EQ(whole.all_weights(), second.all_weights());
  EXPECT_EQ(syn_trainer_step(second.trainer()), 6);
}

TEST(Trainer, AGradientThatIsNotFiniteChangesNothing) {
  Training t(SYN_BACKEND_CPU, gpt2(), ragged());
  train(t, 1);
  std::vector<double> broken = t.weights(0);
  const double kept = broken[0];
  broken[0] = NAN;
  t.set_weights(0, broken);
  t.accumulate(ragged());
  const syn_update update = t.apply();
  EXPECT_EQ(update.skipped, 1);
  EXPECT_EQ(update.step, 1);
  broken[0] = kept;
  t.set_weights(0, broken);
  t.accumulate(ragged());
  const syn_update healthy = t.apply();
  EXPECT_EQ(healthy.skipped, 0);
  EXPECT_TRUE(std::isfinite(healthy.grad_norm));
  for (const double w : t.all_weights()) ASSERT_TRUE(std::isfinite(w));
}

TEST(Trainer, ACancelledCallLeavesTheHandleUsableAndNoHalfGradient) {
  Training t(SYN_BACKEND_CPU, gpt2(), ragged(), 2), fresh(SYN_BACKEND_CPU, gpt2(), ragged(), 2);
  t.accumulate(ragged());
  syn_trainer_cancel(t.trainer());
  syn_loss loss = {};
  loss.size = sizeof loss;
  syn_error e = fresh_error();
  EXPECT_EQ(SYN_CANCELLED, syn_trainer_accumulate(t.trainer(), ragged().tokens.data(), ragged().targets.data(), nullptr,
                                                  ragged().count(), ragged().offsets.data(), ragged().segments(), 0, &loss, &e));
  t.accumulate(ragged());
  fresh.accumulate(ragged());
  EXPECT_EQ(t.all_gradients(), fresh.all_gradients());
}

TEST(Trainer, ACancelFromAnotherThreadEndsARunningCall) {
  const TrainingBatch large({140, 140, 140, 140}, kVocab, 0);
  Training t(SYN_BACKEND_REF, gpt2(), large);  // slow enough to be caught in the middle
  std::atomic<bool> done{false};
  std::thread canceller([&] {
    while (!done.load()) {
      syn_trainer_cancel(t.trainer());
      std::this_thread::yield();
    }
  });
  std::vector<double> nll(large.tokens.size());
  syn_error e = fresh_error();
  const syn_status status = syn_trainer_score(t.trainer(), large.tokens.data(), large.targets.data(), large.count(),
                                              large.offsets.data(), large.segments(), nll.data(), &e);
  done.store(true);
  canceller.join();
  EXPECT_EQ(SYN_CANCELLED, status);
}

TEST(Trainer, AThousandStepsAllocateNothingAfterTheFirst) {
  if (!allocations_are_counted()) GTEST_SKIP() << "a sanitizer owns the allocator";
  constexpr int kSteps = 1000;
  const TrainingBatch longer({7, 1, 20, 2}, kVocab, Training::kSoftRows), shorter({5, 16}, kVocab, Training::kSoftRows);
  for (const auto& config : {gpt2(0.1f), llama()}) {
    Training t(SYN_BACKEND_CPU, config, ragged(), 2);
    train(t, 1);
    const int64_t before = allocations();
    for (int step = 0; step < kSteps; ++step) {
      t.accumulate(step % 2 ? shorter : longer);
      t.apply();
    }
    EXPECT_EQ(allocations() - before, 0) << "family " << config.family;
  }
}

// Calls of every op in a step of three layers, and no bit or allocation of the step changes.
TEST(Trainer, a_profile_counts_every_op_and_changes_nothing) {
  for (const auto& config : {gpt2(0.1f), llama(0.1f)}) {
    const bool is_gpt2 = config.family == SYN_GPT2;
    Training plain(SYN_BACKEND_CPU, config, ragged(), 2), profiled(SYN_BACKEND_CPU, config, ragged(), 2);
    syn_error e = fresh_error();
    EXPECT_EQ(syn_trainer_profile_ops(profiled.trainer()), 0);
    must(syn_trainer_profile(profiled.trainer(), 1, &e), e);
    train(plain, 1);
    train(profiled, 1);
    must(syn_trainer_profile(profiled.trainer(), 1, &e), e);  // from zero
    const int64_t before = allocations();
    train(profiled, 1);
    EXPECT_EQ(allocations() - before, 0);
    train(plain, 1);
    EXPECT_EQ(plain.all_weights(), profiled.all_weights());
    std::map<std::string, syn_op_time> ops;
    for (int32_t i = 0; i < syn_trainer_profile_ops(profiled.trainer()); ++i) {
      syn_op_time op = {};
      op.size = sizeof op;
      must(syn_trainer_profile_op(profiled.trainer(), i, &op, &e), e);
      EXPECT_EQ(op.calls > 0, op.seconds > 0) << op.name;
      EXPECT_EQ(op.calls > 0, op.bytes > 0) << op.name;
      ops[op.name] = op;
    }
    const std::map<std::string, int64_t> calls = {{"embedding_forward", 1},
                                                  {"embedding_backward", is_gpt2 ? 2 : 1},
                                                  {"norm_forward", 13},
                                                  {"norm_backward", 7},
                                                  {"rope", is_gpt2 ? 0 : 6},
                                                  {"attention_forward", 3},
                                                  {"attention_backward", 3},
                                                  {"pack", 13},
                                                  {"linear_forward", 12},
                                                  {"linear_backward_input", 12},
                                                  {"linear_backward_weight", 12},
                                                  {"bias_backward", is_gpt2 ? 15 : 0},
                                                  {"gelu_forward", is_gpt2 ? 3 : 0},
                                                  {"gelu_backward", is_gpt2 ? 3 : 0},
                                                  {"swiglu_forward", is_gpt2 ? 0 : 6},
                                                  {"swiglu_backward", is_gpt2 ? 0 : 3},
                                                  {"xent", 1},
                                                  {"dropout", 1},
                                                  {"grad_norm", 1},
                                                  {"adamw", profiled.tensors()},
                                                  {"muon", 0}};
    ASSERT_EQ(ops.size(), calls.size());
    for (const auto& [name, count] : calls) EXPECT_EQ(ops[name].calls, count) << name;
    const double rows = static_cast<double>(ragged().count()), width = config.width;
    EXPECT_EQ(ops["xent"].flop, 3 * 2 * rows * width * kVocab);
    must(syn_trainer_profile(profiled.trainer(), 0, &e), e);
    EXPECT_EQ(syn_trainer_profile_ops(profiled.trainer()), 0);
    syn_op_time op = {};
    op.size = sizeof op;
    EXPECT_EQ(SYN_INVALID_ARGUMENT, syn_trainer_profile_op(profiled.trainer(), 0, &op, &e));
  }
}

// Losses of the rows have the same bits wherever a batch is cut in two. Gradients are sums over rows in pieces of at most 512
// that begin with the call: where the cut is the end of a piece, the two calls add the very pieces of one. Embeddings are the
// exception, whose pieces are of the rows of one token, and so is any other cut: there the sums differ by roundings.
TEST(Trainer, a_batch_cut_in_two_sums_the_same_gradients) {
  std::vector<int32_t> lengths(10, 128);
  lengths.insert(lengths.end(), {100, 28, 64});
  const TrainingBatch whole(lengths, kVocab, 0);
  const auto part = [&](size_t from, size_t to) {
    TrainingBatch out({1}, kVocab, 0);
    const int32_t begin = whole.offsets[from], end = whole.offsets[to];
    for (auto x : {&TrainingBatch::tokens, &TrainingBatch::targets, &TrainingBatch::soft_row})
      (out.*x).assign((whole.*x).begin() + begin, (whole.*x).begin() + end);
    out.offsets.clear();
    for (size_t s = from; s <= to; ++s) out.offsets.push_back(whole.offsets[s] - begin);
    return out;
  };
  Training together(SYN_BACKEND_CPU, gpt2(), whole, 2), apart(SYN_BACKEND_CPU, gpt2(), whole, 2);
  const syn_loss all = together.accumulate(whole);
  for (const size_t cut : {size_t{8}, size_t{11}}) {  // after 1,024 rows and after 1,380
    SCOPED_TRACE(cut);
    const TrainingBatch first = part(0, cut), second = part(cut, lengths.size());
    std::vector<double> nll = together.score(first);
    const std::vector<double> rest = together.score(second);
    nll.insert(nll.end(), rest.begin(), rest.end());
    EXPECT_EQ(nll, together.score(whole));
    const syn_loss a = apart.accumulate(first, 0), b = apart.accumulate(second, 1);
    EXPECT_EQ(a.targets + b.targets, all.targets);
    for (int32_t i = 0; i < apart.tensors(); ++i) {
      const std::string name = apart.tensor(i).name;
      const std::vector<double> x = apart.state(SYN_STATE_GRADIENT, i), y = together.state(SYN_STATE_GRADIENT, i);
      const bool embedding = name.find("wte") != std::string::npos || name.find("wpe") != std::string::npos;
      if (cut == 8 && !embedding) {
        EXPECT_EQ(x, y) << name;
      }
      double scale = 0, error = 0;
      for (size_t j = 0; j < x.size(); ++j) {
        scale = std::max(scale, std::fabs(y[j]));
        error = std::max(error, std::fabs(x[j] - y[j]));
      }
      EXPECT_LE(error, 2e-6 * scale) << name;
    }
    apart.apply(0);  // forgets the gradients; the weights stay
  }
}

TEST(Trainer, TheEstimateIsWhatIsAllocated) {
  const DeviceHandle device = make_device(SYN_BACKEND_CPU);
  const syn_model_config c = gpt2(0.1f);
  syn_trainer_params p = trainer_params(4096, 64);
  syn_memory training = {}, inference = {};
  training.size = inference.size = sizeof training;
  syn_error e = fresh_error();
  must(syn_trainer_estimate(device.get(), &c, &p, &training, &e), e);
  p.inference = 1;
  must(syn_trainer_estimate(device.get(), &c, &p, &inference, &e), e);
  EXPECT_GT(training.parameters, 0);
  EXPECT_EQ(training.gradients, training.parameters);
  EXPECT_EQ(training.moments, 2 * training.parameters);
  EXPECT_EQ(training.total,
            training.parameters + training.gradients + training.moments + training.activations + training.workspace);
  EXPECT_EQ(inference.gradients + inference.moments, 0);
  EXPECT_LT(inference.activations, training.activations);
  if (!allocations_are_counted()) return;
  p.inference = 0;
  const ModelHandle model = make_model(device.get(), c);
  const int64_t before = allocated_bytes();
  const TrainerHandle trainer = make_trainer(model.get(), p);
  const int64_t regions = training.total - training.parameters, used = allocated_bytes() - before;
  EXPECT_GE(used, regions);
  EXPECT_LT(used, regions + 4 * (2 << 20) + (1 << 20));  // each region may be aligned to a huge page
}

// The published shape over a record of 8,192 tokens. Peak memory is that of the process, so what ran before must have been
// smaller.
TEST(Trainer, a_context_of_8192_trains_in_less_than_two_gigabytes) {
  const int32_t context = 8192, vocab = 5115;
  syn_model_config c = small_config(SYN_GPT2, vocab, 384, 4, 4, 4, 96, 1536, context, true);
  c.dropout = 0.1f;
  const DeviceHandle device = make_device(SYN_BACKEND_CPU, 2);
  syn_error e = fresh_error();
  int64_t total[2] = {};
  for (const int32_t recompute : {0, 1}) {
    syn_trainer_params p = trainer_params(context, 1);
    p.recompute = recompute;
    syn_memory memory = {};
    memory.size = sizeof memory;
    must(syn_trainer_estimate(device.get(), &c, &p, &memory, &e), e);
    total[recompute] = memory.total;
    EXPECT_LT(memory.total, int64_t{2} << 30) << "recompute " << recompute;
  }
  EXPECT_LT(total[1], total[0] * 3 / 4);
  if (!allocations_are_counted()) GTEST_SKIP() << "under a sanitizer a step of this size takes a minute, and more memory";
  const TrainingBatch batch({context}, vocab, 0);
  Training t(SYN_BACKEND_CPU, c, batch, 2, SYN_PRECISION_FP32, true);
  t.accumulate(batch);
  EXPECT_EQ(t.apply().skipped, 0);
  struct rusage usage = {};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  EXPECT_LT(int64_t{usage.ru_maxrss} << 10, int64_t{2} << 30);
  EXPECT_GT(int64_t{usage.ru_maxrss} << 10, total[1] / 2) << "the step did not touch what it was given";
  std::printf("estimate %lld MB (%lld MB without recompute), peak of the process %ld MB\n",
              static_cast<long long>(total[1] >> 20), static_cast<long long>(total[0] >> 20), usage.ru_maxrss >> 10);
}

TEST(Trainer, TooMuchMemoryIsAStatusWithTheBytesWanted) {
  const DeviceHandle device = make_device(SYN_BACKEND_CPU);
  const ModelHandle model = make_model(device.get(), gpt2());
  syn_trainer_params p = trainer_params(int64_t{1} << 26, 64);
  syn_model_config huge = gpt2();
  huge.width = 65536;
  huge.heads = huge.kv_heads = 512;
  huge.head_dim = 128;
  huge.layers = 1000;
  huge.ffn = 1 << 18;
  syn_memory memory = {};
  memory.size = sizeof memory;
  syn_error e = fresh_error();
  ASSERT_EQ(SYN_OK, syn_trainer_estimate(device.get(), &huge, &p, &memory, &e)) << e.message;
  EXPECT_GT(memory.total, int64_t{1} << 44);
  syn_model* out = nullptr;
  EXPECT_EQ(SYN_OUT_OF_MEMORY, syn_model_create(device.get(), &huge, 1, &out, &e));
  EXPECT_EQ(out, nullptr);
  EXPECT_EQ(e.wanted, memory.parameters);
}

}  // namespace
}  // namespace syn::tests
