// What a network may look like, one sentence for each way in which it may not.
#include "model/shape.h"

#include <cmath>

#include "core/status.h"

namespace syn {
namespace {

void in_range(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    fail(SYN_INVALID_ARGUMENT, "%s is %lld, expected %lld to %lld", field, static_cast<long long>(value),
         static_cast<long long>(low), static_cast<long long>(high));
}

void number_in_range(const char* field, double value, double low, double high) {
  if (!(value >= low && value <= high)) fail(SYN_INVALID_ARGUMENT, "%s is %g, expected %g to %g", field, value, low, high);
}

void multiple(const char* field, int32_t value, int32_t of) {
  if (value % of) fail(SYN_INVALID_ARGUMENT, "%s is %d, expected a multiple of %d", field, value, of);
}

}  // namespace

Shape shape_of(const syn_model_config& c) {
  require_size(c.size, sizeof c, "syn_model_config");
  if (c.family != SYN_GPT2 && c.family != SYN_LLAMA)
    fail(SYN_INVALID_ARGUMENT, "family is %d, expected 0 (GPT-2) or 1 (Llama)", c.family);
  in_range("vocab", c.vocab, 2, 1 << 20);
  in_range("width", c.width, 8, 1 << 16);
  in_range("layers", c.layers, 1, 1024);
  in_range("heads", c.heads, 1, 1024);
  in_range("kv_heads", c.kv_heads, 1, c.heads);
  in_range("head_dim", c.head_dim, 16, 128);
  in_range("ffn", c.ffn, 8, 1 << 18);
  in_range("context", c.context, 1, 1 << 24);
  in_range("tied", c.tied, 0, 1);
  in_range("window", c.window, 0, 1 << 24);
  multiple("width", c.width, 8);
  multiple("head_dim", c.head_dim, 8);
  multiple("ffn", c.ffn, 8);
  if (c.heads % c.kv_heads) fail(SYN_INVALID_ARGUMENT, "kv_heads is %d, expected a divisor of heads, %d", c.kv_heads, c.heads);
  const bool gpt2 = c.family == SYN_GPT2;
  if (gpt2 && (c.kv_heads != c.heads || c.heads * c.head_dim != c.width))
    fail(SYN_INVALID_ARGUMENT, "heads %d, kv_heads %d, head_dim %d do not make a GPT-2 of width %d", c.heads, c.kv_heads,
         c.head_dim, c.width);
  number_in_range("norm_eps", c.norm_eps, 1e-12, 1);
  if (!gpt2) number_in_range("rope_theta", c.rope_theta, 1, 1e12);
  number_in_range("dropout", c.dropout, 0, 0.99);
  number_in_range("init_std", c.init_std, 0, 10);
  return Shape{gpt2,      c.vocab,     c.width,    c.layers,     c.heads,   c.kv_heads, c.head_dim, c.ffn,
               c.context, c.tied == 1, c.norm_eps, c.rope_theta, c.dropout, c.init_std, c.window};
}

}  // namespace syn
