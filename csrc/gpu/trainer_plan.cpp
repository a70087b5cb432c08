// What a trainer on a device needs, by region; and the same numbers as an estimate.
#include "core/status.h"
#include "gpu/trainer.h"

namespace syn::gpu {
namespace {

constexpr int32_t kMostSegments = 65535;  // attention's grid has a layer for each

}  // namespace

void TrainerRegions::reserve(const std::shared_ptr<const Session>& session) {
  for (Region* region : {&gradients, &moments, &activations, &workspace}) region->reserve(session);
  host.reserve(session);
}

void TrainerRegions::release() {
  for (Region* region : {&gradients, &moments, &activations, &workspace}) region->release();
  host.release();
}

void check_trainer(const Shape& shape, const syn_trainer_params& params) {
  check_shape(shape);
  if (params.precision != SYN_PRECISION_BF16)
    fail(SYN_UNSUPPORTED, "precision is %d (fp32), a GPU trains in precision %d (bf16)", params.precision, SYN_PRECISION_BF16);
  if (params.max_segments > kMostSegments)
    fail(SYN_UNSUPPORTED, "max_segments is %d, a GPU takes up to %d", params.max_segments, kMostSegments);
}

TrainerPlan plan_trainer(const Shape& s, const Layout& layout, const syn_trainer_params& params, TrainerRegions& regions) {
  const int64_t rows = params.max_tokens, parameters = layout.count;
  const bool training = params.inference == 0;
  TrainerPlan p;
  p.keep = !training ? Keep::kNothing : params.recompute ? Keep::kLeast : Keep::kAll;
  p.activations = activations_of(s, rows, p.keep, regions.activations);
  if (!s.gpt2) p.rope = regions.workspace.take<float>(int64_t{s.context} * s.head_dim);
  // Tokens, targets, soft rows, positions, offsets; for the gradients of embeddings, starts and orders of tokens and positions.
  int64_t integers = 4 * rows + params.max_segments + 1;
  if (training) integers += 2 * rows + s.vocab + 1 + s.context + 1;
  for (Flight& flight : p.flights) {
    int32_t* const here = regions.host.take<int32_t>(integers);
    flight.parcel = Parcel(here, regions.workspace.take<int32_t>(integers));
    flight.nll = regions.host.take<double>(rows);
  }
  if (!training) return p;
  p.gradients = regions.gradients.take<float>(parameters);
  p.moment1 = regions.moments.take<float>(parameters);
  p.moment2 = regions.moments.take<float>(second_moments(layout, params));
  p.scratch = gradient_scratch_of(s, rows, regions.activations);
  p.norm_partial = regions.workspace.take<double>(grad_blocks(parameters));
  if (uses_muon(params)) p.muon = muon_scratch_of(layout, regions.workspace);
  p.update = regions.workspace.take<UpdateResult>(1);
  p.update_here = regions.host.take<UpdateResult>(1);
  return p;
}

syn_memory estimate(const Session& session, const Shape& shape, const syn_trainer_params& params, int64_t there) {
  check_trainer(shape, params);
  const Layout layout = layout_of(shape);
  Region weights("weights");
  plan_model(layout, weights);
  TrainerRegions regions;
  plan_trainer(shape, layout, params, regions);
  syn_memory m = {};
  m.size = sizeof m;
  m.parameters = weights.bytes();
  m.gradients = regions.gradients.bytes();
  m.moments = regions.moments.bytes();
  m.activations = regions.activations.bytes();
  m.workspace = regions.workspace.bytes();
  require_room(session, params.inference ? "scoring" : "training", m, there);
  return m;
}

}  // namespace syn::gpu
