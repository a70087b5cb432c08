// The ops of the reference backend: one thread, written as the formula in ops/<op>.h reads. In double they are the oracle of the
// other backends and are themselves checked by finite differences; in float they are the plain implementation by whose error the
// tests judge the CPU's. Speed is no concern, and neither is memory traffic.
#ifndef SYN_REF_OPS_H
#define SYN_REF_OPS_H

#include "ops/table.h"

namespace syn::ref {

template <class Real>
void embedding_forward(Exec&, const EmbeddingForward<Real>&);
template <class Real>
void embedding_backward(Exec&, const EmbeddingBackward<Real>&);
template <class Real>
void norm_forward(Exec&, const NormForward<Real>&);
template <class Real>
void norm_backward(Exec&, const NormBackward<Real>&);
template <class Real>
void rope(Exec&, const RopeArgs<Real>&);
template <class Real>
void attention_forward(Exec&, const AttentionForward<Real>&);
template <class Real>
void attention_backward(Exec&, const AttentionBackward<Real>&);
int64_t packed_size(int32_t out, int32_t in, Precision precision);
template <class Real>
void pack(Exec&, const PackArgs<Real>&);
template <class Real>
void linear_forward(Exec&, const LinearForward<Real>&);
template <class Real>
void linear_forward_int8(Exec&, const LinearForward<Real>&);
template <class Real>
void linear_backward_input(Exec&, const LinearBackwardInput<Real>&);
template <class Real>
void linear_backward_weight(Exec&, const LinearBackwardWeight<Real>&);
template <class Real>
void bias_backward(Exec&, const BiasBackward<Real>&);
template <class Real>
void gelu_forward(Exec&, const GeluForward<Real>&);
template <class Real>
void gelu_backward(Exec&, const GeluBackward<Real>&);
template <class Real>
void swiglu_forward(Exec&, const SwigluForward<Real>&);
template <class Real>
void swiglu_backward(Exec&, const SwigluBackward<Real>&);
template <class Real>
void xent(Exec&, const XentArgs<Real>&);
template <class Real>
void dropout(Exec&, const DropoutArgs<Real>&);
template <class Real>
void grad_norm(Exec&, const GradNormArgs<Real>&);
template <class Real>
void adamw(Exec&, const AdamwArgs<Real>&);
template <class Real>
void muon(Exec&, const MuonArgs<Real>&);
template <class Real>
double fma_peak(Exec&, int64_t rounds);
template <class Real>
void triad(Exec&, const TriadArgs<Real>&);

// The factor of dropout at (row, column): 0 or 1 / (1-p); 1 where dropout is off.
double dropout_factor(const Dropout& d, uint32_t row, uint32_t column);

}  // namespace syn::ref

#endif
