// Entry points of training.
#include <cstdio>

#include "abi/handles.h"

void syn_trainer_params_init(syn_trainer_params* params) noexcept {
  if (!params) return;
  *params = {};
  params->size = sizeof *params;
  params->max_segments = 1024;
  params->max_tokens = 8192;
  params->beta1 = 0.9;
  params->beta2 = 0.95;
  params->epsilon = 1e-8;
  params->weight_decay = 0.1;
  params->clip = 1;
}

syn_status syn_trainer_estimate(const syn_device* device, const syn_model_config* config, const syn_trainer_params* params,
                                syn_memory* out, syn_error* error) noexcept {
  return syn::guard("syn_trainer_estimate", error, [&] {
    const auto& on = syn::object_of(device, "device");
    syn::require(config && params && out, "config, params or out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_memory");
    *out = syn::Trainer::estimate(*on, syn::shape_of(*config), *params);
  });
}

syn_status syn_trainer_create(syn_model* model, const syn_trainer_params* params, syn_trainer** out, syn_error* error) noexcept {
  return syn::guard("syn_trainer_create", error, [&] {
    syn::require(out != nullptr, "out is NULL");
    *out = nullptr;
    const auto& of = syn::object_of(model, "model");
    syn::require(params != nullptr, "params is NULL");
    *out = new syn_trainer(syn::Trainer::create(of, *params));
  });
}

void syn_trainer_destroy(syn_trainer* trainer) noexcept {
  if (trainer && trainer->valid()) delete trainer;
}

void syn_trainer_cancel(syn_trainer* trainer) noexcept {
  if (trainer && trainer->valid()) trainer->object()->cancel();
}

syn_status syn_trainer_soft_targets(syn_trainer* trainer, const int32_t* index, const float* weight, int32_t rows,
                                    syn_error* error) noexcept {
  return syn::guard("syn_trainer_soft_targets", error,
                    [&] { syn::object_of(trainer, "trainer")->soft_targets(index, weight, rows); });
}

syn_status syn_trainer_accumulate(syn_trainer* trainer, const int32_t* tokens, const int32_t* targets, const int32_t* soft_row,
                                  int64_t count, const int32_t* offsets, int32_t segments, int32_t micro, syn_loss* out,
                                  syn_error* error) noexcept {
  return syn::guard("syn_trainer_accumulate", error, [&] {
    const auto& t = syn::object_of(trainer, "trainer");
    if (out) syn::require_size(out->size, sizeof *out, "syn_loss");
    t->accumulate({tokens, targets, soft_row, count, offsets, segments}, micro, out);
  });
}

syn_status syn_trainer_losses(syn_trainer* trainer, syn_loss* out, syn_error* error) noexcept {
  return syn::guard("syn_trainer_losses", error, [&] {
    const auto& t = syn::object_of(trainer, "trainer");
    syn::require(out != nullptr, "out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_loss");
    t->losses(*out);
  });
}

syn_status syn_trainer_apply(syn_trainer* trainer, double lr, syn_update* out, syn_error* error) noexcept {
  return syn::guard("syn_trainer_apply", error, [&] {
    const auto& t = syn::object_of(trainer, "trainer");
    syn::require(out != nullptr, "out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_update");
    t->apply(lr, *out);
  });
}

syn_status syn_trainer_score(syn_trainer* trainer, const int32_t* tokens, const int32_t* targets, int64_t count,
                             const int32_t* offsets, int32_t segments, double* nll, syn_error* error) noexcept {
  return syn::guard("syn_trainer_score", error, [&] {
    syn::object_of(trainer, "trainer")->score({tokens, targets, nullptr, count, offsets, segments}, nll);
  });
}

syn_status syn_trainer_logits(syn_trainer* trainer, const int32_t* tokens, int64_t count, const int32_t* offsets,
                              int32_t segments, int32_t dtype, void* logits, syn_error* error) noexcept {
  return syn::guard("syn_trainer_logits", error, [&] {
    syn::object_of(trainer, "trainer")->logits({tokens, nullptr, nullptr, count, offsets, segments}, dtype, logits);
  });
}

syn_status syn_trainer_read(const syn_trainer* trainer, int32_t state, int32_t index, int32_t dtype, void* to, int64_t count,
                            syn_error* error) noexcept {
  return syn::guard("syn_trainer_read", error, [&] { syn::object_of(trainer, "trainer")->read(state, index, dtype, to, count); });
}

syn_status syn_trainer_write(syn_trainer* trainer, int32_t state, int32_t index, int32_t dtype, const void* from, int64_t count,
                             syn_error* error) noexcept {
  return syn::guard("syn_trainer_write", error,
                    [&] { syn::object_of(trainer, "trainer")->write(state, index, dtype, from, count); });
}

syn_status syn_trainer_profile(syn_trainer* trainer, int32_t on, syn_error* error) noexcept {
  return syn::guard("syn_trainer_profile", error, [&] {
    const auto& t = syn::object_of(trainer, "trainer");
    if (on != 0 && on != 1) syn::fail(SYN_INVALID_ARGUMENT, "on is %d, expected 0 or 1", on);
    t->profile(on == 1);
  });
}

int32_t syn_trainer_profile_ops(const syn_trainer* trainer) noexcept {
  return trainer && trainer->valid() && trainer->object()->profile() ? syn::Profile::kOps : 0;
}

syn_status syn_trainer_profile_op(const syn_trainer* trainer, int32_t index, syn_op_time* out, syn_error* error) noexcept {
  return syn::guard("syn_trainer_profile_op", error, [&] {
    const syn::Profile* profile = syn::object_of(trainer, "trainer")->profile();
    syn::require(out != nullptr, "out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_op_time");
    syn::require(profile != nullptr, "this trainer is not profiled");
    if (index < 0 || index >= syn::Profile::kOps)
      syn::fail(SYN_INVALID_ARGUMENT, "op index is %d, expected 0 to %d", index, syn::Profile::kOps - 1);
    const syn::OpTime& op = profile->ops[static_cast<size_t>(index)];
    *out = {};
    out->size = sizeof *out;
    out->calls = op.calls;
    out->seconds = op.seconds;
    out->flop = op.flop;
    out->bytes = op.bytes;
    std::snprintf(out->name, sizeof out->name, "%s", op.name);
  });
}

int64_t syn_trainer_step(const syn_trainer* trainer) noexcept {
  return trainer && trainer->valid() ? trainer->object()->step() : -1;
}

syn_status syn_trainer_set_step(syn_trainer* trainer, int64_t step, syn_error* error) noexcept {
  return syn::guard("syn_trainer_set_step", error, [&] { syn::object_of(trainer, "trainer")->set_step(step); });
}
