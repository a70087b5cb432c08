// Entry points of models: creation, the list of tensors, and copies in and out.
#include <cstdio>

#include "abi/handles.h"

void syn_model_config_init(syn_model_config* config) noexcept {
  if (!config) return;
  *config = {};
  config->size = sizeof *config;
  config->family = SYN_GPT2;
  config->width = 384;
  config->layers = 4;
  config->heads = 4;
  config->kv_heads = 4;
  config->head_dim = 96;
  config->ffn = 1536;
  config->context = 1024;
  config->tied = 1;
  config->norm_eps = 1e-5f;
  config->rope_theta = 10000;
  config->dropout = 0.1f;
  config->init_std = 0.02f;
}

syn_status syn_model_create(syn_device* device, const syn_model_config* config, uint64_t seed, syn_model** out,
                            syn_error* error) noexcept {
  return syn::guard("syn_model_create", error, [&] {
    syn::require(out != nullptr, "out is NULL");
    *out = nullptr;
    const auto& on = syn::object_of(device, "device");
    syn::require(config != nullptr, "config is NULL");
    *out = new syn_model(syn::Model::create(on, syn::shape_of(*config), seed));
  });
}

void syn_model_destroy(syn_model* model) noexcept {
  if (model && model->valid()) delete model;
}

int32_t syn_model_tensors(const syn_model* model) noexcept {
  return model && model->valid() ? static_cast<int32_t>(model->object()->layout().tensors.size()) : 0;
}

syn_status syn_model_tensor(const syn_model* model, int32_t index, syn_tensor* out, syn_error* error) noexcept {
  return syn::guard("syn_model_tensor", error, [&] {
    const auto& tensors = syn::object_of(model, "model")->layout().tensors;
    syn::require(out != nullptr, "out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_tensor");
    const auto count = static_cast<int32_t>(tensors.size());
    if (index < 0 || index >= count) syn::fail(SYN_INVALID_ARGUMENT, "tensor index is %d, expected 0 to %d", index, count - 1);
    const syn::Tensor& t = tensors[static_cast<size_t>(index)];
    *out = {};
    out->size = sizeof *out;
    out->rank = static_cast<int32_t>(t.shape.size());
    for (size_t i = 0; i < t.shape.size(); ++i) out->shape[i] = t.shape[i];
    out->count = t.count;
    out->decay = t.decay ? 1 : 0;
    out->hidden = t.hidden > 0 ? 1 : 0;
    std::snprintf(out->name, sizeof out->name, "%s", t.name.c_str());
  });
}

syn_status syn_model_read(const syn_model* model, int32_t index, int32_t dtype, void* to, int64_t count,
                          syn_error* error) noexcept {
  return syn::guard("syn_model_read", error, [&] { syn::object_of(model, "model")->read(index, dtype, to, count); });
}

syn_status syn_model_write(syn_model* model, int32_t index, int32_t dtype, const void* from, int64_t count,
                           syn_error* error) noexcept {
  return syn::guard("syn_model_write", error, [&] { syn::object_of(model, "model")->write(index, dtype, from, count); });
}
