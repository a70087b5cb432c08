// The ops of the reference backend: double, one thread, written as the formula in ops/<op>.h reads. They are the oracle of the
// other backends and are themselves checked by finite differences; speed is no concern, and neither is memory traffic.
#ifndef SYN_REF_OPS_H
#define SYN_REF_OPS_H

#include "ops/table.h"

namespace syn::ref {

void embedding_forward(Exec&, const EmbeddingForward<double>&);
void embedding_backward(Exec&, const EmbeddingBackward<double>&);
void norm_forward(Exec&, const NormForward<double>&);
void norm_backward(Exec&, const NormBackward<double>&);
void rope(Exec&, const RopeArgs<double>&);
void attention_forward(Exec&, const AttentionForward<double>&);
void attention_backward(Exec&, const AttentionBackward<double>&);
int64_t packed_size(int32_t out, int32_t in);
void pack(Exec&, const PackArgs<double>&);
void linear_forward(Exec&, const LinearForward<double>&);
void linear_backward_input(Exec&, const LinearBackwardInput<double>&);
void linear_backward_weight(Exec&, const LinearBackwardWeight<double>&);
void bias_backward(Exec&, const BiasBackward<double>&);
void gelu_forward(Exec&, const GeluForward<double>&);
void gelu_backward(Exec&, const GeluBackward<double>&);
void swiglu_forward(Exec&, const SwigluForward<double>&);
void swiglu_backward(Exec&, const SwigluBackward<double>&);
void xent(Exec&, const XentArgs<double>&);
void dropout(Exec&, const DropoutArgs<double>&);
void grad_norm(Exec&, const GradNormArgs<double>&);
void adamw(Exec&, const AdamwArgs<double>&);

// The factor of dropout at (row, column): 0 or 1 / (1-p); 1 where dropout is off.
double dropout_factor(const Dropout& d, uint32_t row, uint32_t column);

}  // namespace syn::ref

#endif
