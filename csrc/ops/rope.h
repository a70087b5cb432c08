// Rotary positions, in place on q and k inside the fused rows: with the halves a = x[i], b = x[i + D/2] of each head,
//   a' = a cos - b sin,  b' = b cos + a sin,  angle = position theta^(-2i/D)
// inverse turns the other way, which is the backward pass. The table holds cos and sin for every position. A result in bf16 is
// one of the whole row: behind q and k lies v, which is rounded as it is.
#ifndef SYN_OPS_ROPE_H
#define SYN_OPS_ROPE_H

#include "ops/precision.h"
#include "ops/segments.h"

namespace syn {

template <class Real>
struct RopeArgs {
  Real* x;                  // [rows, stride]: heads of head_dim side by side from column 0
  int64_t stride;           // elements between rows
  const int32_t* position;  // [rows]
  const Real* table;        // [C, head_dim]: cos in the first half, sin in the second
  int32_t rows, heads, head_dim;
  bool inverse;
  Precision result = Precision::kFp32;  // of all stride elements of a row
};

}  // namespace syn

#endif
