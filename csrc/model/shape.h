// The shape of a network: a validated syn_model_config with the widths that follow from it.
#ifndef SYN_MODEL_SHAPE_H
#define SYN_MODEL_SHAPE_H

#include <cstdint>

#include "synehrgy.h"

namespace syn {

struct Shape {
  bool gpt2;  // LayerNorm, learned positions, biases, GELU, [in,out] matrices; else RMSNorm, RoPE, SwiGLU, [out,in]
  int32_t vocab, width, layers, heads, kv_heads, head_dim, ffn, context;
  bool tied;
  float norm_eps, rope_theta, dropout, init_std;
  int32_t window;  // of attention (ops/window.h), 0: none

  int32_t q_width() const { return heads * head_dim; }
  int32_t kv_width() const { return kv_heads * head_dim; }
  int32_t qkv_width() const { return q_width() + 2 * kv_width(); }
  int32_t up_width() const { return gpt2 ? ffn : 2 * ffn; }  // Llama: gate and up side by side
};

// Throws SYN_INVALID_ARGUMENT with the field, what was found and what was expected.
Shape shape_of(const syn_model_config& config);

}  // namespace syn

#endif
