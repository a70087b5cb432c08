// A small training problem through the C ABI: a packed batch with ragged segments and soft targets, and one call of each kind.
#ifndef SYN_TESTS_TRAINER_FIXTURE_H
#define SYN_TESTS_TRAINER_FIXTURE_H

#include <string>
#include <utility>
#include <vector>

#include "math/philox.h"
#include "tests/handles.h"

namespace syn::tests {

struct TrainingBatch {
  std::vector<int32_t> tokens, targets, soft_row, offsets = {0};

  // Made-up records; every third target is soft, the last position of a record has none.
  TrainingBatch(const std::vector<int32_t>& lengths, int32_t vocab, int32_t soft_rows, uint32_t seed = 5) {
    uint32_t i = 0;
    for (const int32_t n : lengths) {
      offsets.push_back(offsets.back() + n);
      for (int32_t p = 0; p < n; ++p, ++i) {
        const Words w = philox({{i, 0, 0, 0}}, seed, 1);
        const bool last = p + 1 == n;
        tokens.push_back(static_cast<int32_t>(w.w[0] % static_cast<uint32_t>(vocab)));
        targets.push_back(last ? -1 : static_cast<int32_t>(w.w[1] % static_cast<uint32_t>(vocab)));
        soft_row.push_back(!last && soft_rows > 0 && i % 3 == 0 ? static_cast<int32_t>(i) % soft_rows : -1);
      }
    }
  }
  int64_t count() const { return static_cast<int64_t>(tokens.size()); }
  int32_t segments() const { return static_cast<int32_t>(offsets.size()) - 1; }
};

// Device, model and trainer, with a soft table of kSoftRows rows.
class Training {
 public:
  static constexpr int32_t kSoftRows = 4;

  Training(int32_t backend, const syn_model_config& config, const TrainingBatch& largest, int threads = 1,
           int32_t precision = SYN_PRECISION_FP32, bool recompute = false, int32_t optimizer = SYN_OPTIMIZER_ADAMW)
      : Training(make_device(backend, threads), config, largest, precision, recompute, optimizer) {}

  Training(DeviceHandle device, const syn_model_config& config, const TrainingBatch& largest, int32_t precision,
           bool recompute = false, int32_t optimizer = SYN_OPTIMIZER_ADAMW)
      : device_(std::move(device)), model_(make_model(device_.get(), config, 3)) {
    syn_trainer_params p = trainer_params(largest.count(), largest.segments());
    p.seed = 11;
    p.precision = precision;
    p.recompute = recompute ? 1 : 0;
    p.optimizer = optimizer;
    trainer_ = make_trainer(model_.get(), p);
    std::vector<int32_t> index;
    std::vector<float> weight;
    for (int32_t r = 0; r < kSoftRows; ++r)
      for (int32_t k = 0; k < 7; ++k) {
        index.push_back((5 * r + 2 * k) % config.vocab);
        weight.push_back(static_cast<float>(k + 1) / 28);
      }
    syn_error e = fresh_error();
    must(syn_trainer_soft_targets(trainer_.get(), index.data(), weight.data(), kSoftRows, &e), e);
  }

  syn_loss accumulate(const TrainingBatch& b, int32_t micro = 0) {
    syn_loss out = {};
    out.size = sizeof out;
    syn_error e = fresh_error();
    must(syn_trainer_accumulate(trainer_.get(), b.tokens.data(), b.targets.data(), b.soft_row.data(), b.count(), b.offsets.data(),
                                b.segments(), micro, &out, &e),
         e);
    return out;
  }
  // accumulate that leaves its loss to losses().
  void queue(const TrainingBatch& b, int32_t micro = 0) {
    syn_error e = fresh_error();
    must(syn_trainer_accumulate(trainer_.get(), b.tokens.data(), b.targets.data(), b.soft_row.data(), b.count(), b.offsets.data(),
                                b.segments(), micro, nullptr, &e),
         e);
  }
  syn_loss losses() {
    syn_loss out = {};
    out.size = sizeof out;
    syn_error e = fresh_error();
    must(syn_trainer_losses(trainer_.get(), &out, &e), e);
    return out;
  }
  // accumulate with its status, for batches that are refused and devices that fail.
  syn_status try_accumulate(const TrainingBatch& b, syn_error& e) const {
    syn_loss loss = {};
    loss.size = sizeof loss;
    e = fresh_error();
    return syn_trainer_accumulate(trainer_.get(), b.tokens.data(), b.targets.data(), b.soft_row.data(), b.count(),
                                  b.offsets.data(), b.segments(), 0, &loss, &e);
  }
  syn_update apply(double lr = 1e-3) {
    syn_update out = {};
    out.size = sizeof out;
    syn_error e = fresh_error();
    must(syn_trainer_apply(trainer_.get(), lr, &out, &e), e);
    return out;
  }
  std::vector<double> score(const TrainingBatch& b) {
    std::vector<double> out(b.tokens.size());
    syn_error e = fresh_error();
    must(syn_trainer_score(trainer_.get(), b.tokens.data(), b.targets.data(), b.count(), b.offsets.data(), b.segments(),
                           out.data(), &e),
         e);
    return out;
  }
  std::vector<double> logits(const TrainingBatch& b, int32_t vocab) {
    std::vector<double> out(b.tokens.size() * static_cast<size_t>(vocab));
    syn_error e = fresh_error();
    must(syn_trainer_logits(trainer_.get(), b.tokens.data(), b.count(), b.offsets.data(), b.segments(), SYN_F64, out.data(), &e),
         e);
    return out;
  }

  int32_t tensors() const { return syn_model_tensors(model_.get()); }
  syn_tensor tensor(int32_t index) const {
    syn_tensor t = {};
    t.size = sizeof t;
    syn_error e = fresh_error();
    must(syn_model_tensor(model_.get(), index, &t, &e), e);
    return t;
  }
  std::vector<double> weights(int32_t index) const {
    std::vector<double> out(static_cast<size_t>(tensor(index).count));
    syn_error e = fresh_error();
    must(syn_model_read(model_.get(), index, SYN_F64, out.data(), static_cast<int64_t>(out.size()), &e), e);
    return out;
  }
  void set_weights(int32_t index, const std::vector<double>& x) {
    syn_error e = fresh_error();
    must(syn_model_write(model_.get(), index, SYN_F64, x.data(), static_cast<int64_t>(x.size()), &e), e);
  }
  std::vector<double> state(int32_t state, int32_t index) const {
    std::vector<double> out(static_cast<size_t>(tensor(index).count));
    syn_error e = fresh_error();
    must(syn_trainer_read(trainer_.get(), state, index, SYN_F64, out.data(), static_cast<int64_t>(out.size()), &e), e);
    return out;
  }
  // Every moment of another trainer of the same network, and its step; Muon has no second moment of what it steps.
  void take_state(const Training& from, bool muon = false) {
    syn_error e = fresh_error();
    for (int32_t i = 0; i < tensors(); ++i) {
      set_weights(i, from.weights(i));
      for (const int32_t which : {SYN_STATE_MOMENT1, SYN_STATE_MOMENT2}) {
        if (which == SYN_STATE_MOMENT2 && muon && tensor(i).hidden) continue;
        const std::vector<double> x = from.state(which, i);
        must(syn_trainer_write(trainer_.get(), which, i, SYN_F64, x.data(), static_cast<int64_t>(x.size()), &e), e);
      }
    }
    must(syn_trainer_set_step(trainer_.get(), syn_trainer_step(from.trainer()), &e), e);
  }
  // Every weight, moment or gradient, end to end.
  std::vector<double> all_weights() const {
    std::vector<double> out;
    for (int32_t i = 0; i < tensors(); ++i) {
      const std::vector<double> x = weights(i);
      out.insert(out.end(), x.begin(), x.end());
    }
    return out;
  }
  std::vector<double> all_gradients() const {
    std::vector<double> out;
    for (int32_t i = 0; i < tensors(); ++i) {
      const std::vector<double> x = state(SYN_STATE_GRADIENT, i);
      out.insert(out.end(), x.begin(), x.end());
    }
    return out;
  }
  syn_trainer* trainer() const { return trainer_.get(); }
  syn_model* model() const { return model_.get(); }

 private:
  DeviceHandle device_;
  ModelHandle model_;
  TrainerHandle trainer_;
};

}  // namespace syn::tests

#endif
