// Entry points of devices.
#include "abi/handles.h"

void syn_device_params_init(syn_device_params* params) noexcept {
  if (!params) return;
  *params = {};
  params->size = sizeof *params;
  params->backend = SYN_BACKEND_CPU;
}

syn_status syn_device_create(const syn_device_params* params, syn_device** out, syn_error* error) noexcept {
  return syn::guard("syn_device_create", error, [&] {
    syn::require(out != nullptr, "out is NULL");
    *out = nullptr;
    syn::require(params != nullptr, "params is NULL");
    syn::require_size(params->size, sizeof *params, "syn_device_params");
    *out = new syn_device(std::make_shared<syn::Device>(params->backend, params->threads));
  });
}

void syn_device_destroy(syn_device* device) noexcept {
  if (device && device->valid()) delete device;
}

int32_t syn_device_threads(const syn_device* device) noexcept {
  return device && device->valid() ? device->object()->pool.threads() : 0;
}
