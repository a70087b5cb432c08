// Handles of the C ABI for the tests: created or the test fails, destroyed at the end of their scope.
#ifndef SYN_TESTS_HANDLES_H
#define SYN_TESTS_HANDLES_H

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "synehrgy.h"

namespace syn::tests {

template <class T, void (*kDestroy)(T*)>
struct Destroyer {
  void operator()(T* handle) const { kDestroy(handle); }
};
using DeviceHandle = std::unique_ptr<syn_device, Destroyer<syn_device, syn_device_destroy>>;
using ModelHandle = std::unique_ptr<syn_model, Destroyer<syn_model, syn_model_destroy>>;
using TrainerHandle = std::unique_ptr<syn_trainer, Destroyer<syn_trainer, syn_trainer_destroy>>;

inline syn_error fresh_error() {
  syn_error e = {};
  e.size = sizeof e;
  return e;
}

inline void must(syn_status status, const syn_error& e) {
  if (status != SYN_OK) throw std::runtime_error(std::string(e.where) + ": " + e.message);
}

inline DeviceHandle make_device(int32_t backend, int32_t threads = 1) {
  syn_device_params params;
  syn_device_params_init(&params);
  params.backend = backend;
  params.threads = threads;
  syn_device* out = nullptr;
  syn_error e = fresh_error();
  must(syn_device_create(&params, &out, &e), e);
  return DeviceHandle(out);
}

inline ModelHandle make_model(syn_device* device, const syn_model_config& config, uint64_t seed = 1) {
  syn_model* out = nullptr;
  syn_error e = fresh_error();
  must(syn_model_create(device, &config, seed, &out, &e), e);
  return ModelHandle(out);
}

inline TrainerHandle make_trainer(syn_model* model, const syn_trainer_params& params) {
  syn_trainer* out = nullptr;
  syn_error e = fresh_error();
  must(syn_trainer_create(model, &params, &out, &e), e);
  return TrainerHandle(out);
}

inline syn_trainer_params trainer_params(int64_t tokens, int32_t segments) {
  syn_trainer_params p;
  syn_trainer_params_init(&p);
  p.max_tokens = tokens;
  p.max_segments = segments;
  return p;
}

// A small network without dropout.
inline syn_model_config small_config(int32_t family, int32_t vocab, int32_t width, int32_t layers, int32_t heads,
                                     int32_t kv_heads, int32_t head_dim, int32_t ffn, int32_t context, bool tied) {
  syn_model_config c;
  syn_model_config_init(&c);
  c.family = family;
  c.vocab = vocab;
  c.width = width;
  c.layers = layers;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = head_dim;
  c.ffn = ffn;
  c.context = context;
  c.tied = tied ? 1 : 0;
  c.dropout = 0;
  return c;
}

}  // namespace syn::tests

#endif
