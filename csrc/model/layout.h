// Where every tensor of a network lies in one flat arena, and under which Hugging Face name. Weights, gradients and both moments
// share the layout. Matrices that are used together lie side by side, so that q, k and v (gate and up) are one product.
#ifndef SYN_MODEL_LAYOUT_H
#define SYN_MODEL_LAYOUT_H

#include <cstdint>
#include <string>
#include <vector>

#include "model/shape.h"

namespace syn {

struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset;  // elements from the start of the arena
  int64_t count;
  bool decay;     // weight decay applies: rank >= 2
  double mean;    // of fresh weights: 1 for the scale of a norm
  double spread;  // their standard deviation
  int32_t hidden = 0;  // a weight of a layer: the number of matrices that lie side by side in its columns; 0: anything else
  int64_t rest = -1;   // where it lies in an arena that leaves the hidden ones out; of those -1
};

struct Layout {
  std::vector<Tensor> tensors;  // by name, the order in which transformers saves them
  int64_t count = 0;            // elements of the arena; every tensor's first element is aligned unless it continues a matrix
  int64_t rest = 0;             // elements of an arena that leaves the hidden ones out
};

Layout layout_of(const Shape& shape);

// Pointers by role into an arena of that layout: weights or gradients.
template <class Real>
struct Weights {
  struct Layer {
    Real *norm1_weight, *norm1_bias;  // [width]; biases are null in Llama
    Real *qkv, *qkv_bias;             // GPT-2 [width, qkv_width], Llama [qkv_width, width]
    Real *proj, *proj_bias;           // GPT-2 [q_width, width], Llama [width, q_width]
    Real *norm2_weight, *norm2_bias;
    Real *up, *up_bias;      // GPT-2 [width, ffn], Llama [2 ffn, width]: gate, then up
    Real *down, *down_bias;  // GPT-2 [ffn, width], Llama [width, ffn]
  };
  Real* token_embedding;     // [vocab, width]
  Real* position_embedding;  // [context, width], GPT-2
  std::vector<Layer> layers;
  Real *final_norm_weight, *final_norm_bias;
  Real* head;  // [vocab, width]; the token embedding itself where tied
};

template <class Real>
Weights<Real> bind(const Shape& shape, const Layout& layout, Real* base);

}  // namespace syn

#endif
