// What a training step on a device keeps and works in: model/activations.h with the storage of Precision::kBf16, so that a number
// that ops/precision.h rounds takes two bytes.
#ifndef SYN_GPU_ACTIVATIONS_H
#define SYN_GPU_ACTIVATIONS_H

#include <vector>

#include "gpu/memory.h"
#include "model/activations.h"
#include "ops/xent.h"

namespace syn::gpu {

using cuda::bf16;

struct Activations {
  struct Layer {
    float* residual;  // [rows, width] before the first norm
    bf16* attention;  // [rows, q_width]
    float* lse;       // [heads, rows]
    // What can be had from those again:
    bf16* qkv;                             // [rows, qkv_width], rotated in Llama
    float* middle;                         // [rows, width] residual stream after attention
    bf16* up;                              // [rows, up_width] before the activation
    float *mean1, *rstd1, *mean2, *rstd2;  // [rows]
  };
  std::vector<Layer> layers;
  float* last;                   // [rows, width] residual stream after the last layer
  float *last_mean, *last_rstd;  // [rows]
  bf16* normed;                  // [rows, width] scratch: a norm's output
  float* branch;                 // [rows, width] scratch: what is added to the residual stream next
  bf16* ffn;                     // [rows, ffn] scratch
  float* wide;                   // [rows, qkv_width or ffn] scratch: what is rounded only later
  float* logits;                 // [min(rows, kXentRows), logit_stride(vocab)] scratch
  double* nll;                   // [rows]
};

struct GradientScratch {
  float* residual;  // [rows, width] gradient of the residual stream
  bf16* branch;     // [rows, width] gradient of a residual branch
  float* normed;    // [rows, width]
  bf16* attention;  // [rows, q_width]
  bf16* qkv;        // [rows, qkv_width]
  float* delta;     // [heads, rows]
  float* partial;   // sums of blocks of rows, of whichever op runs
};

// Elements from one row of logits to the next: rows begin at multiples of 16 bytes.
inline int64_t logit_stride(int64_t vocab) { return (vocab + 3) / 4 * 4; }

Activations activations_of(const Shape& shape, int64_t rows, Keep keep, Region& region);
GradientScratch gradient_scratch_of(const Shape& shape, int64_t rows, Region& region);

}  // namespace syn::gpu

#endif
