// What a training step keeps between forward and backward, and the scratch it works in, laid out for at most `rows` tokens.
// Kept per layer and token: the residual stream before and after attention, q k v, the attention's output and the feed-forward
// block's input to its activation. Cheap things are computed again: normalised rows, activations, attention weights. Where memory
// is dearer than time a layer keeps its input and its attention's output, and one layer's storage serves all for the rest, which
// backward fills anew; for inference it serves all of them for everything.
#ifndef SYN_MODEL_ACTIVATIONS_H
#define SYN_MODEL_ACTIVATIONS_H

#include <vector>

#include "core/arena.h"
#include "model/shape.h"
#include "ops/precision.h"

namespace syn {

// What of each layer outlives the forward pass.
enum class Keep { kAll, kLeast, kNothing };

template <class Real>
struct Activations {
  struct Layer {
    Real* residual;   // [rows, width] before the first norm
    Real* attention;  // [rows, q_width]
    Real* lse;        // [heads, rows]
    // What can be had from those again:
    Real* qkv;                            // [rows, qkv_width], rotated in Llama
    Real* middle;                         // [rows, width] residual stream after attention
    Real* up;                             // [rows, up_width] before the activation
    Real *mean1, *rstd1, *mean2, *rstd2;  // [rows]
  };
  std::vector<Layer> layers;
  Real* last;                   // [rows, width] residual stream after the last layer
  Real *last_mean, *last_rstd;  // [rows]
  Real* normed;                 // [rows, width] scratch: a norm's output
  Real* branch;                 // [rows, width] scratch: what is added to the residual stream next
  Real* ffn;                    // [rows, ffn] scratch
  Real* logits;                 // [min(rows, kXentRows), vocab] scratch
  double* nll;                  // [rows]
};

template <class Real>
struct GradientScratch {
  Real* residual;      // [rows, width] gradient of the residual stream
  Real* branch;        // [rows, width] gradient of a residual branch; the same storage as residual where they are equal
  Real* normed;        // [rows, width]
  Real* attention;     // [rows, q_width]
  Real* qkv;           // [rows, qkv_width]
  Real* delta;         // [heads, rows]
  Real* norm_partial;  // [norm_partial(rows, width)]
};

template <class Real>
Activations<Real> activations_of(const Shape& shape, int64_t rows, Keep keep, Arena& arena);
template <class Real>
GradientScratch<Real> gradient_scratch_of(const Shape& shape, int64_t rows, Precision precision, Arena& arena);

}  // namespace syn

#endif
