// A training step: batch -> forward -> loss -> backward, added to the gradients; then divide, clip, and AdamW or Muon. Nothing is
// allocated after creation but the soft table. A cancelled or failed call drops the gradients since the last apply: half a batch
// is no batch.
#include "model/trainer.h"

#include <cmath>
#include <cstring>

#include "core/status.h"
#include "model/rope_table.h"
#include "model/trainer_of.h"

namespace syn {
namespace {

constexpr double kClipEpsilon = 1e-6;

}  // namespace

template <class Real>
TrainerOf<Real>::TrainerOf(std::shared_ptr<ModelOf<Real>> model, const syn_trainer_params& params)
    : model_(std::move(model)), params_(params), ops_(model_->device()->template ops<Real>()) {
  const Shape& shape = model_->shape();
  const auto plan = [&] { return plan_trainer(shape, layout(), params_, ops_, model_->weights(), regions_); };
  plan();
  for (Arena* region : {&regions_.gradients, &regions_.moments, &regions_.activations, &regions_.workspace}) region->reserve();
  plan_ = plan();
  if (!shape.gpt2) fill_rope_table(plan_.rope, shape.context, shape.head_dim, shape.rope_theta);
  if (plan_.gradients) gradients_ = bind(shape, layout(), plan_.gradients);
}

// Holds the device, and keeps the panels up to date.
template <class Real>
template <class Body>
void TrainerOf<Real>::run(Body&& body) {
  const ForgetCancel forget{cancel_};
  std::lock_guard<std::mutex> lock(model_->device()->busy);
  Exec exec{model_->device()->pool, &cancel_, profile_.get()};
  exec.poll();
  if (packed_version_ != model_->version()) {
    pack_all(exec, ops(), plan_.matrices);
    packed_version_ = model_->version();
  }
  body(exec);
}

template <class Real>
void TrainerOf<Real>::soft_targets(const int32_t* index, const float* weight, int32_t rows) {
  check_soft_table(model_->shape(), index, weight, rows);
  const size_t n = static_cast<size_t>(rows) * kSoftTaps;
  soft_index_.assign(index, index + n);
  soft_weight_.assign(weight, weight + n);
}

template <class Real>
Batch TrainerOf<Real>::prepare(const CallerBatch& b, bool gradients) {
  const Shape& shape = model_->shape();
  check_batch(shape, params_, static_cast<int32_t>(soft_index_.size()) / kSoftTaps, b);
  fill_positions(b, plan_.position);
  const auto rows = static_cast<int32_t>(b.count);
  Batch out = {b.tokens, b.targets, b.soft_row, {b.offsets, plan_.position, b.segments, rows}, {}, {}, {}};
  if (gradients) {
    out.by_token = index_rows(b.tokens, rows, shape.vocab, plan_.token_start, plan_.token_order);
    if (shape.gpt2) out.by_position = index_rows(plan_.position, rows, shape.context, plan_.position_start, plan_.position_order);
  }
  return out;
}

template <class Real>
void TrainerOf<Real>::clear_gradients() {
  std::memset(plan_.gradients, 0, sizeof(Real) * static_cast<size_t>(layout().count));
  targets_ = 0;
}

template <class Real>
void TrainerOf<Real>::accumulate(const CallerBatch& caller, int32_t micro, syn_loss* out) {
  require(plan_.gradients != nullptr, "this trainer was made for inference");
  require(caller.targets != nullptr, "targets is NULL");
  const Dropout drop = dropout_of(model_->shape(), params_.seed, step_, micro);
  Batch batch = prepare(caller, true);
  batch.drop = drop;
  try {
    run([&](Exec& exec) {
      forward(exec, network(), batch, plan_.activations);
      loss(exec, network(), batch, soft_index_.data(), soft_weight_.data(), plan_.activations, &gradients_, &plan_.scratch);
      backward(exec, network(), batch, plan_.activations, gradients_, plan_.scratch);
    });
  } catch (...) {
    clear_gradients();
    owed_ = {};
    throw;
  }
  const syn_loss of_batch = loss_of(count_targets(caller), plan_.activations.nll, caller.count);
  deliver(of_batch, out);
  targets_ += of_batch.targets;
}

template <class Real>
void TrainerOf<Real>::apply(double lr, syn_update& out) {
  check_update(plan_.gradients != nullptr, targets_, lr);
  std::lock_guard<std::mutex> lock(model_->device()->busy);
  Exec exec{model_->device()->pool, nullptr, profile_.get()};
  double sum = 0;
  ops().grad_norm(exec, {plan_.gradients, layout().count, plan_.norm_partial, &sum});
  const double norm = std::sqrt(sum) / static_cast<double>(targets_);
  out = {};
  out.size = sizeof out;
  out.grad_norm = norm;
  out.skipped = !std::isfinite(norm);
  if (out.skipped) {
    clear_gradients();
    out.step = step_;
    return;
  }
  const bool clip = params_.clip > 0 && norm > params_.clip;
  const double scale = (clip ? params_.clip / (norm + kClipEpsilon) : 1) / static_cast<double>(targets_);
  ++step_;
  for (const Tensor& t : layout().tensors) step_tensor(exec, t, lr, scale);
  targets_ = 0;
  model_->changed();
  out.step = step_;
}

// The step_-th step of a tensor, whose gradient is scaled.
template <class Real>
void TrainerOf<Real>::step_tensor(Exec& exec, const Tensor& t, double lr, double scale) {
  const double decay = t.decay ? params_.weight_decay : 0;
  if (by_muon(t, params_)) {
    each_hidden(t, [&](const HiddenMatrix& m) {
      ops().muon(exec, {model_->data() + m.offset, plan_.gradients + m.offset, plan_.moment1 + m.offset, m.ld, m.rows, m.columns,
                        lr, kMuonMomentum, decay, scale, plan_.precision, plan_.muon});
    });
    return;
  }
  const auto n = static_cast<double>(step_);
  ops().adamw(exec, {model_->data() + t.offset, plan_.gradients + t.offset, plan_.moment1 + t.offset,
                     plan_.moment2 + second_moment_of(t, params_), t.count, lr, params_.beta1, params_.beta2, params_.epsilon,
                     decay, scale, 1 - std::pow(params_.beta1, n), 1 - std::pow(params_.beta2, n)});
}

template <class Real>
void TrainerOf<Real>::score(const CallerBatch& caller, double* nll) {
  require(caller.targets != nullptr, "targets is NULL");
  require(nll != nullptr, "nll is NULL");
  const Batch batch = prepare(caller, false);
  run([&](Exec& exec) {
    forward(exec, network(), batch, plan_.activations);
    loss<Real>(exec, network(), batch, nullptr, nullptr, plan_.activations, nullptr, nullptr);
  });
  std::memcpy(nll, plan_.activations.nll, sizeof(double) * static_cast<size_t>(caller.count));
}

template <class Real>
void TrainerOf<Real>::logits(const CallerBatch& caller, int32_t dtype, void* out) {
  require(out != nullptr, "logits is NULL");
  require(dtype == SYN_F32 || dtype == SYN_F64, "dtype is neither 0 (f32) nor 1 (f64)");
  const Batch batch = prepare(caller, false);
  const Shape& s = model_->shape();
  const size_t element = dtype == SYN_F32 ? sizeof(float) : sizeof(double);
  run([&](Exec& exec) {
    forward(exec, network(), batch, plan_.activations);
    for (int32_t begin = 0; begin < batch.segments.rows; begin += kXentRows) {
      exec.poll();
      const int32_t rows = std::min(kXentRows, batch.segments.rows - begin);
      const Real* x = plan_.activations.normed + int64_t{begin} * s.width;
      ops().linear_forward(exec, {x, plan_.matrices.head, nullptr, plan_.activations.logits, nullptr, rows});
      copy_out(plan_.activations.logits, dtype, static_cast<char*>(out) + static_cast<size_t>(int64_t{begin} * s.vocab) * element,
               int64_t{rows} * s.vocab);
    }
  });
}

template <class Real>
const Real* TrainerOf<Real>::state_at(int32_t state, const Tensor& t) const {
  return state_of(state, t, params_, plan_.moment1, plan_.moment2, plan_.gradients);
}

template <class Real>
void TrainerOf<Real>::read(int32_t state, int32_t index, int32_t dtype, void* to, int64_t count) const {
  const Real* from = state_at(state, tensor_at(layout(), index, count));
  copy_out(from, dtype, to, count, state == SYN_STATE_GRADIENT && targets_ > 0 ? static_cast<double>(targets_) : 1);
}

template <class Real>
void TrainerOf<Real>::write(int32_t state, int32_t index, int32_t dtype, const void* from, int64_t count) {
  require(state != SYN_STATE_GRADIENT, "gradients are read only");
  copy_in(const_cast<Real*>(state_at(state, tensor_at(layout(), index, count))), dtype, from, count);
}

template class TrainerOf<float>;
template class TrainerOf<double>;

}  // namespace syn
