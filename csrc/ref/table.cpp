// The reference backend as a table.
#include "ref/table.h"

#include "ref/ops.h"

namespace syn::ref {

const Ops<double>& table() {
  static constexpr Ops<double> kTable = {
      embedding_forward, embedding_backward,    norm_forward,           norm_backward, rope,
      attention_forward, attention_backward,    packed_size,            pack,          linear_forward,
      linear_backward_input, linear_backward_weight, bias_backward,     gelu_forward,  gelu_backward,
      swiglu_forward,    swiglu_backward,       xent,                   dropout,       grad_norm,
      adamw};
  return kTable;
}

}  // namespace syn::ref
