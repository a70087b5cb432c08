// The trainer of one backend: regions, and the calls of the ABI in terms of the network's passes.
#ifndef SYN_MODEL_TRAINER_OF_H
#define SYN_MODEL_TRAINER_OF_H

#include "model/network.h"
#include "model/trainer.h"

namespace syn {

// Everything that is laid out, over the four regions.
template <class Real>
struct TrainerPlan {
  Real* gradients = nullptr;  // [layout.count], sums over targets, not yet divided
  Real *moment1 = nullptr, *moment2 = nullptr;  // [layout.count], [second_moments(layout, params)]
  Activations<Real> activations;
  GradientScratch<Real> scratch = {};
  Matrices<Real> matrices;
  Real* rope = nullptr;
  Precision precision = Precision::kFp32;
  Keep keep = Keep::kAll;
  int32_t *position = nullptr, *token_start = nullptr, *token_order = nullptr, *position_start = nullptr,
          *position_order = nullptr;
  double* norm_partial = nullptr;
  MuonScratch<Real> muon = {};
};

struct TrainerRegions {
  Arena gradients{"gradients"}, moments{"moments"}, activations{"activations"}, workspace{"workspace"};
};

template <class Real>
TrainerPlan<Real> plan_trainer(const Shape& shape, const Layout& layout, const syn_trainer_params& params, const Ops<Real>& ops,
                               const Weights<Real>& weights, TrainerRegions& regions);

template <class Real>
class TrainerOf final : public Trainer {
 public:
  TrainerOf(std::shared_ptr<ModelOf<Real>> model, const syn_trainer_params& params);

  const Layout& layout() const override { return model_->layout(); }
  void soft_targets(const int32_t* index, const float* weight, int32_t rows) override;
  void accumulate(const CallerBatch& batch, int32_t micro, syn_loss* out) override;
  void apply(double lr, syn_update& out) override;
  void score(const CallerBatch& batch, double* nll) override;
  void logits(const CallerBatch& batch, int32_t dtype, void* out) override;
  void read(int32_t state, int32_t index, int32_t dtype, void* to, int64_t count) const override;
  void write(int32_t state, int32_t index, int32_t dtype, const void* from, int64_t count) override;
  void profile(bool on) override { profile_ = on ? std::make_unique<ProfileOf<Real>>(ops_) : nullptr; }
  const Profile* profile() const override { return profile_.get(); }

 private:
  template <class Body>
  void run(Body&& body);
  Batch prepare(const CallerBatch& batch, bool gradients);
  void clear_gradients();
  void step_tensor(Exec& exec, const Tensor& tensor, double lr, double scale);
  const Real* state_at(int32_t state, const Tensor& tensor) const;
  const Ops<Real>& ops() const { return profile_ ? profile_->table() : ops_; }
  Network<Real> network() const {
    return {model_->shape(), ops(), model_->weights(), plan_.matrices, plan_.rope, plan_.precision, plan_.keep};
  }

  std::shared_ptr<ModelOf<Real>> model_;
  const syn_trainer_params params_;
  const Ops<Real>& ops_;
  std::unique_ptr<ProfileOf<Real>> profile_;
  TrainerRegions regions_;
  TrainerPlan<Real> plan_;
  Weights<Real> gradients_;  // views of plan_.gradients
  std::vector<int32_t> soft_index_;
  std::vector<float> soft_weight_;
  uint64_t packed_version_ = 0;
  int64_t targets_ = 0;  // since the last apply
};

}  // namespace syn

#endif
