// Manners of the C ABI: NULLs and nonsense end in a status and a sentence in the caller's own error, sizes are checked, handles
// are counted and keep their parents alive.
#include <climits>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/json.h"
#include "tests/trainer_fixture.h"

namespace syn::tests {
namespace {

syn_model_config tiny() { return small_config(SYN_GPT2, 31, 32, 1, 2, 2, 16, 64, 16, true); }

// Runs a call with a fresh error and checks what it says.
template <class Call>
void expect_error(syn_status expected, const std::string& part, Call&& call) {
  syn_error e = fresh_error();
  EXPECT_EQ(expected, call(&e)) << e.message;
  EXPECT_EQ(expected, e.code);
  EXPECT_NE(std::string(e.message).find(part), std::string::npos) << e.message;
  EXPECT_EQ(0, std::strncmp(e.where, "syn_", 4)) << e.where;
  EXPECT_EQ(expected, call(nullptr)) << "without an error to fill";
}

TEST(Abi, VersionsAndNames) {
  EXPECT_EQ(syn_abi_version(), static_cast<uint32_t>(SYN_ABI_MAJOR) << 16 | SYN_ABI_MINOR);
  EXPECT_STREQ(syn_version(), SYN_VERSION);
  for (int s = SYN_OK; s <= SYN_ABI_MISMATCH; ++s) EXPECT_STRNE(syn_status_name(s), "unknown status");
  EXPECT_STREQ(syn_status_name(99), "unknown status");
}

TEST(Abi, TheDescriptionIsJsonAndSurvivesASmallBuffer) {
  size_t length = 0;
  ASSERT_EQ(SYN_OK, syn_describe(nullptr, 0, &length, nullptr));
  std::string text(length + 1, 'x');
  ASSERT_EQ(SYN_OK, syn_describe(text.data(), text.size(), &length, nullptr));
  const Json json = JsonReader(text).value();
  EXPECT_EQ(json.at("version").text, SYN_VERSION);
  EXPECT_FALSE(json.at("backends").items.empty());
  EXPECT_FALSE(json.at("cpu").at("name").text.empty());
  EXPECT_GE(json.at("threads").number, 1);
  EXPECT_EQ(json.at("gemm").text, "own");
  EXPECT_FALSE(json.at("boost").text.empty());
  EXPECT_FALSE(json.at("cuda").text.empty());
  char small[8];
  ASSERT_EQ(SYN_OK, syn_describe(small, sizeof small, &length, nullptr));
  EXPECT_EQ(std::string(small), text.substr(0, 7));
  expect_error(SYN_INVALID_ARGUMENT, "NULL", [](syn_error* e) { return syn_describe(nullptr, 10, nullptr, e); });
}

TEST(Abi, NullsAreSentencesNotCrashes) {
  syn_device_params_init(nullptr);
  syn_model_config_init(nullptr);
  syn_trainer_params_init(nullptr);
  syn_device_destroy(nullptr);
  syn_model_destroy(nullptr);
  syn_trainer_destroy(nullptr);
  syn_trainer_cancel(nullptr);
  EXPECT_EQ(syn_device_threads(nullptr), 0);
  EXPECT_EQ(syn_model_tensors(nullptr), 0);
  EXPECT_EQ(syn_trainer_step(nullptr), -1);
  const auto invalid = [](auto call) { expect_error(SYN_INVALID_ARGUMENT, "NULL", call); };
  syn_device* device = nullptr;
  syn_model* model = nullptr;
  syn_trainer* trainer = nullptr;
  invalid([&](syn_error* e) { return syn_device_create(nullptr, &device, e); });
  invalid([&](syn_error* e) { return syn_device_create(nullptr, nullptr, e); });
  invalid([&](syn_error* e) { return syn_model_create(nullptr, nullptr, 0, &model, e); });
  invalid([&](syn_error* e) { return syn_model_create(nullptr, nullptr, 0, nullptr, e); });
  invalid([&](syn_error* e) { return syn_model_tensor(nullptr, 0, nullptr, e); });
  invalid([&](syn_error* e) { return syn_model_read(nullptr, 0, 0, nullptr, 0, e); });
  invalid([&](syn_error* e) { return syn_model_write(nullptr, 0, 0, nullptr, 0, e); });
  invalid([&](syn_error* e) { return syn_trainer_estimate(nullptr, nullptr, nullptr, nullptr, e); });
  invalid([&](syn_error* e) { return syn_trainer_create(nullptr, nullptr, &trainer, e); });
  invalid([&](syn_error* e) { return syn_trainer_soft_targets(nullptr, nullptr, nullptr, 0, e); });
  invalid([&](syn_error* e) { return syn_trainer_accumulate(nullptr, nullptr, nullptr, nullptr, 0, nullptr, 0, 0, nullptr, e); });
  invalid([&](syn_error* e) { return syn_trainer_losses(nullptr, nullptr, e); });
  invalid([&](syn_error* e) { return syn_trainer_apply(nullptr, 0, nullptr, e); });
  invalid([&](syn_error* e) { return syn_trainer_score(nullptr, nullptr, nullptr, 0, nullptr, 0, nullptr, e); });
  invalid([&](syn_error* e) { return syn_trainer_logits(nullptr, nullptr, 0, nullptr, 0, 0, nullptr, e); });
  invalid([&](syn_error* e) { return syn_trainer_read(nullptr, 0, 0, 0, nullptr, 0, e); });
  invalid([&](syn_error* e) { return syn_trainer_write(nullptr, 0, 0, 0, nullptr, 0, e); });
  invalid([&](syn_error* e) { return syn_trainer_set_step(nullptr, 0, e); });
  invalid([&](syn_error* e) { return syn_bench(nullptr, 0, 1, 1, 1, 1, 1, nullptr, nullptr, e); });
}

TEST(Abi, AnotherSizeIsAnotherVersion) {
  syn_device_params d;
  syn_device_params_init(&d);
  d.size += 8;
  syn_device* device = nullptr;
  expect_error(SYN_ABI_MISMATCH, "syn_device_params", [&](syn_error* e) { return syn_device_create(&d, &device, e); });
  const DeviceHandle ref = make_device(SYN_BACKEND_REF);
  syn_model_config c = tiny();
  c.size = 4;
  syn_model* model = nullptr;
  expect_error(SYN_ABI_MISMATCH, "syn_model_config", [&](syn_error* e) { return syn_model_create(ref.get(), &c, 0, &model, e); });
  const ModelHandle real = make_model(ref.get(), tiny());
  syn_tensor t = {};
  expect_error(SYN_ABI_MISMATCH, "syn_tensor", [&](syn_error* e) { return syn_model_tensor(real.get(), 0, &t, e); });
  syn_trainer_params p = trainer_params(16, 4);
  p.size = 0;
  syn_trainer* trainer = nullptr;
  expect_error(SYN_ABI_MISMATCH, "syn_trainer_params",
               [&](syn_error* e) { return syn_trainer_create(real.get(), &p, &trainer, e); });
  syn_error wrong = {};
  wrong.size = 12;
  EXPECT_EQ(SYN_ABI_MISMATCH, syn_describe(nullptr, 0, nullptr, &wrong));
  EXPECT_EQ(wrong.code, 0) << "an error of unknown size is not written to";
}

TEST(Abi, DevicesThatDoNotExistAreRefused) {
  syn_device_params d;
  syn_device_params_init(&d);
  syn_device* device = nullptr;
  d.backend = SYN_BACKEND_CUDA;
  expect_error(SYN_NO_DEVICE, "CUDA", [&](syn_error* e) { return syn_device_create(&d, &device, e); });
  d.backend = 17;
  expect_error(SYN_INVALID_ARGUMENT, "backend is 17", [&](syn_error* e) { return syn_device_create(&d, &device, e); });
  d.backend = SYN_BACKEND_REF;
  for (const int32_t threads : {-1, 257, INT_MAX}) {
    d.threads = threads;
    expect_error(SYN_INVALID_ARGUMENT, "threads", [&](syn_error* e) { return syn_device_create(&d, &device, e); });
  }
  EXPECT_EQ(device, nullptr);
}

TEST(Abi, EveryFieldOfAModelIsChecked) {
  const DeviceHandle device = make_device(SYN_BACKEND_REF);
  const auto refused = [&](const std::string& part, auto change) {
    syn_model_config c = tiny();
    change(c);
    syn_model* model = nullptr;
    expect_error(SYN_INVALID_ARGUMENT, part, [&](syn_error* e) { return syn_model_create(device.get(), &c, 0, &model, e); });
  };
  refused("family", [](auto& c) { c.family = 2; });
  refused("vocab", [](auto& c) { c.vocab = 0; });
  refused("vocab", [](auto& c) { c.vocab = INT_MAX; });
  refused("width", [](auto& c) { c.width = -8; });
  refused("width", [](auto& c) { c.width = 33; });
  refused("layers", [](auto& c) { c.layers = 0; });
  refused("heads", [](auto& c) { c.heads = 0; });
  refused("kv_heads", [](auto& c) { c.kv_heads = 5; });
  refused("head_dim", [](auto& c) { c.head_dim = 8; });
  refused("head_dim", [](auto& c) { c.head_dim = 136; });
  refused("head_dim", [](auto& c) { c.head_dim = 20; });
  refused("GPT-2", [](auto& c) { c.kv_heads = 1; });
  refused("GPT-2", [](auto& c) { c.head_dim = 32; });
  refused("ffn", [](auto& c) { c.ffn = 9; });
  refused("context", [](auto& c) { c.context = 0; });
  refused("tied", [](auto& c) { c.tied = 7; });
  refused("norm_eps", [](auto& c) { c.norm_eps = 0; });
  refused("dropout", [](auto& c) { c.dropout = 1; });
  refused("dropout", [](auto& c) { c.dropout = std::numeric_limits<float>::quiet_NaN(); });
  refused("init_std", [](auto& c) { c.init_std = -1; });
  refused("window is -1, expected 0 to 16777216", [](auto& c) { c.window = -1; });
  refused("window", [](auto& c) { c.window = INT_MAX; });
  refused("rope_theta", [](auto& c) {
    c.family = SYN_LLAMA;
    c.rope_theta = 0;
  });
  syn_model_config whole = tiny();
  whole.window = 1000;  // wider than the context: as none
  make_model(device.get(), whole);
}

TEST(Abi, EveryFieldOfATrainerIsChecked) {
  const DeviceHandle device = make_device(SYN_BACKEND_REF);
  const ModelHandle model = make_model(device.get(), tiny());
  const auto refused = [&](const std::string& part, auto change) {
    syn_trainer_params p = trainer_params(16, 4);
    change(p);
    syn_trainer* trainer = nullptr;
    expect_error(SYN_INVALID_ARGUMENT, part, [&](syn_error* e) { return syn_trainer_create(model.get(), &p, &trainer, e); });
  };
  refused("max_tokens", [](auto& p) { p.max_tokens = 0; });
  refused("max_tokens", [](auto& p) { p.max_tokens = INT64_MAX; });
  refused("max_segments", [](auto& p) { p.max_segments = 17; });
  refused("beta1", [](auto& p) { p.beta1 = 1; });
  refused("beta2", [](auto& p) { p.beta2 = NAN; });
  refused("epsilon", [](auto& p) { p.epsilon = 0; });
  refused("weight_decay", [](auto& p) { p.weight_decay = -1; });
  refused("clip", [](auto& p) { p.clip = -1; });
  refused("inference", [](auto& p) { p.inference = 2; });
  refused("recompute", [](auto& p) { p.recompute = -1; });
  refused("precision is 2, expected 0 (fp32) or 1 (bf16)", [](auto& p) { p.precision = 2; });
}

TEST(Abi, BatchesThatAreNonsenseAreRefused) {
  const TrainingBatch good({3, 5}, 31, 0);
  Training t(SYN_BACKEND_REF, tiny(), TrainingBatch({16, 4}, 31, 0));
  const auto refused = [&](const std::string& part, auto change) {
    TrainingBatch b = good;
    change(b);
    syn_loss loss = {};
    loss.size = sizeof loss;
    expect_error(SYN_INVALID_ARGUMENT, part, [&](syn_error* e) {
      return syn_trainer_accumulate(t.trainer(), b.tokens.data(), b.targets.data(), b.soft_row.data(), b.count(),
                                    b.offsets.data(), b.segments(), 0, &loss, e);
    });
  };
  refused("token at position 2", [](auto& b) { b.tokens[2] = 31; });
  refused("token at position 2", [](auto& b) { b.tokens[2] = -1; });
  refused("target at position 1", [](auto& b) { b.targets[1] = 31; });
  refused("target at position 1", [](auto& b) { b.targets[1] = -2; });
  refused("soft_row at position 0", [](auto& b) { b.soft_row[0] = Training::kSoftRows; });
  refused("begin with 1", [](auto& b) { b.offsets[0] = 1; });
  refused("ascend at segment 1", [](auto& b) { b.offsets[1] = 8; });
  refused("ascend at segment 0", [](auto& b) { b.offsets[1] = 0; });
  refused("end with 7", [](auto& b) { b.offsets[2] = 7; });
  refused("the context is 16", [](auto& b) { b = TrainingBatch({17}, 31, 0); });
  refused("21 tokens", [](auto& b) { b = TrainingBatch({10, 11}, 31, 0); });
  refused("3 segments", [](auto& b) { b = TrainingBatch({1, 1, 1}, 31, 0); });
  refused("0 tokens", [](auto& b) { b.tokens.clear(); });
  syn_update update = {};
  update.size = sizeof update;
  expect_error(SYN_INVALID_ARGUMENT, "nothing was accumulated",
               [&](syn_error* e) { return syn_trainer_apply(t.trainer(), 0.1, &update, e); });
  t.accumulate(good);
  expect_error(SYN_INVALID_ARGUMENT, "lr", [&](syn_error* e) { return syn_trainer_apply(t.trainer(), NAN, &update, e); });
  EXPECT_EQ(t.apply().step, 1) << "a refused call leaves the handle usable";
}

TEST(Abi, TensorsAreCopiedWholeOrNotAtAll) {
  Training t(SYN_BACKEND_CPU, tiny(), TrainingBatch({8}, 31, 0));
  std::vector<double> x(4);
  const int32_t n = t.tensors();
  expect_error(SYN_INVALID_ARGUMENT, "elements",
               [&](syn_error* e) { return syn_model_read(t.model(), 0, SYN_F64, x.data(), 4, e); });
  expect_error(SYN_INVALID_ARGUMENT, "tensor index",
               [&](syn_error* e) { return syn_model_read(t.model(), n, SYN_F64, x.data(), 4, e); });
  expect_error(SYN_INVALID_ARGUMENT, "tensor index",
               [&](syn_error* e) { return syn_model_write(t.model(), -1, SYN_F64, x.data(), 4, e); });
  std::vector<double> whole = t.weights(0);
  const auto count = static_cast<int64_t>(whole.size());
  expect_error(SYN_INVALID_ARGUMENT, "dtype",
               [&](syn_error* e) { return syn_model_read(t.model(), 0, 5, whole.data(), count, e); });
  expect_error(SYN_INVALID_ARGUMENT, "state",
               [&](syn_error* e) { return syn_trainer_read(t.trainer(), 9, 0, SYN_F64, whole.data(), count, e); });
  expect_error(SYN_INVALID_ARGUMENT, "read only", [&](syn_error* e) {
    return syn_trainer_write(t.trainer(), SYN_STATE_GRADIENT, 0, SYN_F64, whole.data(), count, e);
  });
  for (double& v : whole) v = 0.25;
  t.set_weights(0, whole);
  EXPECT_EQ(t.weights(0), whole);
}

TEST(Abi, ATrainerForInferenceScoresAndNothingElse) {
  const DeviceHandle device = make_device(SYN_BACKEND_REF);
  const ModelHandle model = make_model(device.get(), tiny());
  syn_trainer_params p = trainer_params(16, 4);
  p.inference = 1;
  const TrainerHandle trainer = make_trainer(model.get(), p);
  const TrainingBatch b({3, 5}, 31, 0);
  Training full(SYN_BACKEND_REF, tiny(), b);
  std::vector<double> nll(b.tokens.size());
  syn_error e = fresh_error();
  for (int32_t i = 0; i < full.tensors(); ++i) {
    const std::vector<double> w = full.weights(i);
    must(syn_model_write(model.get(), i, SYN_F64, w.data(), static_cast<int64_t>(w.size()), &e), e);
  }
  must(syn_trainer_score(trainer.get(), b.tokens.data(), b.targets.data(), b.count(), b.offsets.data(), b.segments(), nll.data(),
                         &e),
       e);
  EXPECT_EQ(nll, full.score(b));
  syn_loss loss = {};
  loss.size = sizeof loss;
  expect_error(SYN_INVALID_ARGUMENT, "inference", [&](syn_error* error) {
    return syn_trainer_accumulate(trainer.get(), b.tokens.data(), b.targets.data(), nullptr, b.count(), b.offsets.data(),
                                  b.segments(), 0, &loss, error);
  });
}

TEST(Abi, HandlesAreCountedAndMayDieInAnyOrder) {
  const int64_t before = syn_live();
  DeviceHandle device = make_device(SYN_BACKEND_CPU);
  ModelHandle model = make_model(device.get(), tiny());
  TrainerHandle trainer = make_trainer(model.get(), trainer_params(8, 1));
  EXPECT_EQ(syn_live(), before + 3);
  device.reset();
  model.reset();
  EXPECT_EQ(syn_live(), before + 1);
  const TrainingBatch b({8}, 31, 0);
  std::vector<double> nll(8);
  EXPECT_EQ(SYN_OK,
            syn_trainer_score(trainer.get(), b.tokens.data(), b.targets.data(), 8, b.offsets.data(), 1, nll.data(), nullptr));
  trainer.reset();
  EXPECT_EQ(syn_live(), before);
}

TEST(Abi, FreshWeightsDependOnTheSeedAndNotOnTheBackend) {
  const DeviceHandle ref = make_device(SYN_BACKEND_REF), cpu = make_device(SYN_BACKEND_CPU);
  const ModelHandle a = make_model(ref.get(), tiny(), 1), b = make_model(cpu.get(), tiny(), 1),
                    c = make_model(cpu.get(), tiny(), 2);
  double sum = 0, square = 0, count = 0;
  for (int32_t i = 0; i < syn_model_tensors(a.get()); ++i) {
    syn_tensor t = {};
    t.size = sizeof t;
    ASSERT_EQ(SYN_OK, syn_model_tensor(a.get(), i, &t, nullptr));
    std::vector<double> x(static_cast<size_t>(t.count)), y = x, z = x;
    syn_model_read(a.get(), i, SYN_F64, x.data(), t.count, nullptr);
    syn_model_read(b.get(), i, SYN_F64, y.data(), t.count, nullptr);
    syn_model_read(c.get(), i, SYN_F64, z.data(), t.count, nullptr);
    EXPECT_EQ(x, y) << t.name;
    EXPECT_EQ(t.decay, t.rank >= 2 ? 1 : 0) << t.name;
    if (t.rank < 2) continue;
    EXPECT_NE(x, z) << t.name;
    if (std::string(t.name).find("wte") == std::string::npos) continue;
    for (const double v : x) sum += v, square += v * v, count += 1;
  }
  EXPECT_NEAR(sum / count, 0, 4 * 0.02 / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(square / count), 0.02, 0.02 * 4 / std::sqrt(2 * count));
}

TEST(Abi, BenchmarksMeasureAndRefuseNonsense) {
  const DeviceHandle device = make_device(SYN_BACKEND_CPU);
  double seconds = 0, flop = 0;
  for (int32_t op = SYN_BENCH_GEMM; op <= SYN_BENCH_TRIAD; ++op) {
    ASSERT_EQ(SYN_OK, syn_bench(device.get(), op, 64, 32, 2, 16, 2, &seconds, &flop, nullptr));
    EXPECT_GT(seconds, 0);
    EXPECT_GT(flop, 0);
  }
  expect_error(SYN_INVALID_ARGUMENT, "multiple",
               [&](syn_error* e) { return syn_bench(device.get(), 1, 64, 30, 2, 16, 1, &seconds, &flop, e); });
  expect_error(SYN_INVALID_ARGUMENT, "repeats",
               [&](syn_error* e) { return syn_bench(device.get(), 0, 1, 1, 1, 0, 0, &seconds, &flop, e); });
  expect_error(SYN_INVALID_ARGUMENT, "benchmarks",
               [&](syn_error* e) { return syn_bench(device.get(), 5, 1, 1, 1, 0, 1, &seconds, &flop, e); });
  expect_error(SYN_INVALID_ARGUMENT, "m is out of range",
               [&](syn_error* e) { return syn_bench(device.get(), SYN_BENCH_TRIAD, 0, 0, 0, 0, 1, &seconds, &flop, e); });
}

}  // namespace
}  // namespace syn::tests
