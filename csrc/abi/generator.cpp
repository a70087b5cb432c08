// Entry points of generation.
#include "model/generator.h"

#include "abi/grammar.h"
#include "abi/handles.h"

struct syn_generator final : syn::Handle<syn::Generator> {
  using Handle::Handle;
};

void syn_generator_params_init(syn_generator_params* params) noexcept {
  if (!params) return;
  *params = {};
  params->size = sizeof *params;
  params->slots = 64;
  params->max_tokens = 16384;
  params->temperature = 1;
  params->top_p = 1;
  params->mask = 1;
}

syn_status syn_generator_estimate(const syn_device* device, const syn_model_config* config, const syn_grammar* grammar,
                                  const syn_generator_params* params, syn_memory* out, syn_error* error) noexcept {
  return syn::guard("syn_generator_estimate", error, [&] {
    const auto& on = syn::object_of(device, "device");
    syn::require(config && params && out, "config, params or out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_memory");
    syn_memory m = {};
    m.size = sizeof m;
    const syn::Grammar* const under = grammar ? syn::object_of(grammar, "grammar").get() : nullptr;
    syn::Generator::estimate(*on, syn::shape_of(*config), under, syn::generator_settings(*params), m);
    *out = m;
  });
}

syn_status syn_generator_create(syn_model* model, syn_grammar* grammar, const syn_generator_params* params, syn_generator** out,
                                syn_error* error) noexcept {
  return syn::guard("syn_generator_create", error, [&] {
    syn::require(out != nullptr, "out is NULL");
    *out = nullptr;
    const auto& of = syn::object_of(model, "model");
    const auto& under = syn::object_of(grammar, "grammar");
    syn::require(params != nullptr, "params is NULL");
    *out = new syn_generator(syn::Generator::create(of, under, syn::generator_settings(*params)));
  });
}

void syn_generator_destroy(syn_generator* generator) noexcept {
  if (generator && generator->valid()) delete generator;
}

void syn_generator_cancel(syn_generator* generator) noexcept {
  if (generator && generator->valid()) generator->object()->cancel();
}

syn_status syn_generator_submit(syn_generator* generator, int64_t first, int64_t count, syn_error* error) noexcept {
  return syn::guard("syn_generator_submit", error, [&] { syn::object_of(generator, "generator")->submit(first, count); });
}

syn_status syn_generator_run(syn_generator* generator, int64_t max_steps, syn_generator_stats* out, syn_error* error) noexcept {
  return syn::guard("syn_generator_run", error, [&] {
    const auto& g = syn::object_of(generator, "generator");
    syn::require(out != nullptr, "out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_generator_stats");
    *out = {};
    out->size = sizeof *out;
    g->run(max_steps, *out);
  });
}

syn_status syn_generator_take(syn_generator* generator, int32_t* tokens, int64_t* numbers, int64_t capacity, syn_record* out,
                              syn_error* error) noexcept {
  return syn::guard("syn_generator_take", error, [&] {
    const auto& g = syn::object_of(generator, "generator");
    syn::require(out != nullptr, "out is NULL");
    syn::require_size(out->size, sizeof *out, "syn_record");
    *out = {};
    out->size = sizeof *out;
    g->take(tokens, numbers, capacity, *out);
  });
}
