// Causal attention over packed segments: for query row i and key rows j <= i of the same segment, with a window only those with
// i - j < window (ops/window.h), in each head,
//   s_ij = scale q_i . k_j,  p_ij = exp(s_ij - lse_i),  lse_i = log sum_j exp(s_ij),  o_i = sum_j dropout(p_ij) v_j
// Head h reads the key/value head h / (heads / kv_heads). Backward recomputes p from lse; with delta_i = do_i . o_i,
//   dv_j = sum_i dropout(p_ij) do_i,  ds_ij = p_ij (dropout'(do_i . v_j) - delta_i) scale,  dq_i = sum_j ds_ij k_j,  dk_j = sum_i
//   ds_ij q_i
// In bf16 the weights that meet v are rounded before their sum divides: dropout(2^(s log2 e - m)), m the smallest integer not
// below the row's largest s log2 e. An m that grows on the way scales by powers of two, so the order in which the keys are met
// does not change what is rounded. dropout(p) and ds are rounded as above, and so is the output.
// Each segment's result has the same bits alone and packed beside others; sums run in fixed order whatever the threads.
#ifndef SYN_OPS_ATTENTION_H
#define SYN_OPS_ATTENTION_H

#include "ops/dropout.h"
#include "ops/precision.h"
#include "ops/segments.h"
#include "ops/window.h"

namespace syn {

constexpr int32_t kMaxHeadDim = 128;

template <class Real>
struct AttentionForward {
  const Real* qkv;  // [rows, (heads + 2 kv_heads) head_dim]: q of every head, then k, then v
  Segments segments;
  int32_t heads, kv_heads, head_dim;
  Real scale;
  Real* out;                               // [rows, heads head_dim]
  Real* lse;                               // [heads, rows]
  Dropout drop;                            // site of head 0; head h uses site + h
  Precision precision = Precision::kFp32;  // of the weights and of out
  int32_t window = 0;                      // keys that a query sees, 0: all up to its own
};

template <class Real>
struct AttentionBackward {
  const Real* qkv;   // as above
  const Real* out;   // [rows, heads head_dim]
  const Real* lse;   // [heads, rows]
  const Real* dout;  // [rows, heads head_dim]
  Segments segments;
  int32_t heads, kv_heads, head_dim;
  Real scale;
  Real* dqkv;   // [rows, (heads + 2 kv_heads) head_dim]
  Real* delta;  // [heads, rows] workspace
  Dropout drop;
  Precision precision = Precision::kFp32;  // of the weights and of ds
  Precision result = Precision::kFp32;     // of dqkv
  int32_t window = 0;                      // as above
};

}  // namespace syn

#endif
