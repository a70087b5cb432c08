// Elementwise activations between the two layers of the feed-forward block.
//   GELU (tanh form)  y = x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3)))
//   SwiGLU            y = silu(gate) up,  silu(g) = g / (1 + exp(-g))
// Backward recomputes from the inputs; dx may be dy's own storage for GELU.
#ifndef SYN_OPS_ACTIVATION_H
#define SYN_OPS_ACTIVATION_H

#include "ops/precision.h"

namespace syn {

template <class Real>
struct GeluForward {
  const Real* x;  // [count]
  Real* y;        // [count]
  int64_t count;
  Precision result = Precision::kFp32;  // of y
};

template <class Real>
struct GeluBackward {
  const Real* x;   // [count]
  const Real* dy;  // [count]
  Real* dx;        // [count], may be dy
  int64_t count;
  Precision result = Precision::kFp32;  // of dx
};

template <class Real>
struct SwigluForward {
  const Real* gate_up;  // [rows, 2 ffn]: gate, then up
  Real* y;              // [rows, ffn]
  int32_t rows, ffn;
  Precision result = Precision::kFp32;  // of y
};

template <class Real>
struct SwigluBackward {
  const Real* gate_up;  // [rows, 2 ffn]
  const Real* dy;       // [rows, ffn]
  Real* dgate_up;       // [rows, 2 ffn]
  int32_t rows, ffn;
  Precision result = Precision::kFp32;  // of dgate_up
};

}  // namespace syn

#endif
