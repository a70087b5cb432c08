// What a trainer needs, by region, for any backend; and the same numbers as an estimate.
#include "model/trainer_of.h"

#include <algorithm>

#include "core/status.h"
#include "gpu/trainer.h"

namespace syn {
namespace {

constexpr int64_t kMostTokens = int64_t{1} << 26;

void number_at_least(const char* field, double value, double low, bool below_one) {
  if (!(value >= low && (!below_one || value < 1) && value < 1e30))
    fail(SYN_INVALID_ARGUMENT, "%s is %g, expected at least %g%s", field, value, low, below_one ? " and less than 1" : "");
}

void check(const syn_trainer_params& p) {
  require_size(p.size, sizeof p, "syn_trainer_params");
  if (p.max_tokens < 1 || p.max_tokens > kMostTokens)
    fail(SYN_INVALID_ARGUMENT, "max_tokens is %lld, expected 1 to %lld", static_cast<long long>(p.max_tokens),
         static_cast<long long>(kMostTokens));
  if (p.max_segments < 1 || p.max_segments > p.max_tokens)
    fail(SYN_INVALID_ARGUMENT, "max_segments is %d, expected 1 to max_tokens, %lld", p.max_segments,
         static_cast<long long>(p.max_tokens));
  number_at_least("beta1", p.beta1, 0, true);
  number_at_least("beta2", p.beta2, 0, true);
  number_at_least("epsilon", p.epsilon, 1e-30, false);
  number_at_least("weight_decay", p.weight_decay, 0, false);
  number_at_least("clip", p.clip, 0, false);
  if (p.inference != 0 && p.inference != 1) fail(SYN_INVALID_ARGUMENT, "inference is %d, expected 0 or 1", p.inference);
  if (p.recompute != 0 && p.recompute != 1) fail(SYN_INVALID_ARGUMENT, "recompute is %d, expected 0 or 1", p.recompute);
  if (p.optimizer != SYN_OPTIMIZER_ADAMW && p.optimizer != SYN_OPTIMIZER_MUON)
    fail(SYN_INVALID_ARGUMENT, "optimizer is %d, expected 0 (AdamW) or 1 (Muon)", p.optimizer);
  if (p.precision != SYN_PRECISION_FP32 && p.precision != SYN_PRECISION_BF16)
    fail(SYN_INVALID_ARGUMENT, "precision is %d, expected 0 (fp32) or 1 (bf16)", p.precision);
}

template <class Real>
MuonScratch<Real> muon_scratch_of(const Layout& layout, Precision precision, const Ops<Real>& ops, Arena& arena) {
  const HiddenSizes most = hidden_sizes(layout);
  int64_t packed = 0;
  for (const Tensor& t : layout.tensors)
    each_hidden(t, [&](const HiddenMatrix& m) {
      packed = std::max(packed, muon_packed(m.rows, m.columns, precision, ops.packed_size));
    });
  MuonScratch<Real> s;
  s.x = arena.take<Real>(most.area);
  s.sum = arena.take<Real>(most.area);
  s.gram = arena.take<Real>(most.square);
  s.poly = arena.take<Real>(most.square);
  s.packed = arena.take<Real>(packed);
  s.partial = arena.take<double>(most.rows);
  return s;
}

template <class Real>
syn_memory estimate_for(const Device& device, const Shape& shape, const syn_trainer_params& params) {
  const Layout layout = layout_of(shape);
  Weights<Real> nowhere = {};
  nowhere.layers.resize(static_cast<size_t>(shape.layers));
  TrainerRegions regions;
  plan_trainer<Real>(shape, layout, params, device.ops<Real>(), nowhere, regions);
  Arena weights("weights");
  weights.take<Real>(layout.count);
  syn_memory m = {};
  m.size = sizeof m;
  m.parameters = weights.bytes();
  m.gradients = regions.gradients.bytes();
  m.moments = regions.moments.bytes();
  m.activations = regions.activations.bytes();
  m.workspace = regions.workspace.bytes();
  m.total = m.parameters + m.gradients + m.moments + m.activations + m.workspace;
  return m;
}

}  // namespace

template <class Real>
TrainerPlan<Real> plan_trainer(const Shape& s, const Layout& layout, const syn_trainer_params& params, const Ops<Real>& ops,
                               const Weights<Real>& weights, TrainerRegions& regions) {
  const int64_t rows = params.max_tokens, parameters = layout.count;
  const bool training = params.inference == 0;
  TrainerPlan<Real> p;
  p.precision = static_cast<Precision>(params.precision);
  p.keep = !training ? Keep::kNothing : params.recompute ? Keep::kLeast : Keep::kAll;
  p.activations = activations_of<Real>(s, rows, p.keep, regions.activations);
  p.matrices = matrices_of(s, weights, ops, training, regions.workspace, p.precision);
  if (!s.gpt2) p.rope = regions.workspace.take<Real>(int64_t{s.context} * s.head_dim);
  p.position = regions.workspace.take<int32_t>(rows);
  if (!training) return p;
  p.gradients = regions.gradients.take<Real>(parameters);
  p.moment1 = regions.moments.take<Real>(parameters);
  p.moment2 = regions.moments.take<Real>(second_moments(layout, params));
  p.scratch = gradient_scratch_of<Real>(s, rows, p.precision, regions.activations);
  p.token_start = regions.workspace.take<int32_t>(int64_t{s.vocab} + 1);
  p.token_order = regions.workspace.take<int32_t>(rows);
  p.position_start = regions.workspace.take<int32_t>(int64_t{s.context} + 1);
  p.position_order = regions.workspace.take<int32_t>(rows);
  p.norm_partial = regions.workspace.take<double>(grad_blocks(parameters) + 1);
  if (uses_muon(params)) p.muon = muon_scratch_of(layout, p.precision, ops, regions.workspace);
  return p;
}

syn_memory Trainer::estimate(const Device& device, const Shape& shape, const syn_trainer_params& params) {
  check(params);
  if (device.gpu) {
    const std::lock_guard<std::mutex> lock(device.busy);
    return gpu::estimate(*device.gpu, shape, params, 0);
  }
  return device.backend == SYN_BACKEND_REF ? estimate_for<double>(device, shape, params)
                                           : estimate_for<float>(device, shape, params);
}

std::shared_ptr<Trainer> Trainer::create(std::shared_ptr<Model> model, const syn_trainer_params& params) {
  check(params);
  if (auto on_gpu = std::dynamic_pointer_cast<gpu::ModelOnGpu>(model))
    return std::make_shared<gpu::TrainerOnGpu>(std::move(on_gpu), params);
  if (auto ref = std::dynamic_pointer_cast<ModelOf<double>>(model)) return std::make_shared<TrainerOf<double>>(ref, params);
  return std::make_shared<TrainerOf<float>>(std::dynamic_pointer_cast<ModelOf<float>>(model), params);
}

void Trainer::set_step(int64_t step) {
  if (step < 0) fail(SYN_INVALID_ARGUMENT, "step is %lld, expected at least 0", static_cast<long long>(step));
  step_ = step;
}

template TrainerPlan<float> plan_trainer(const Shape&, const Layout&, const syn_trainer_params&, const Ops<float>&,
                                         const Weights<float>&, TrainerRegions&);
template TrainerPlan<double> plan_trainer(const Shape&, const Layout&, const syn_trainer_params&, const Ops<double>&,
                                          const Weights<double>&, TrainerRegions&);

}  // namespace syn
