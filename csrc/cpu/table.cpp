// The CPU backend as a table.
#include "cpu/table.h"

#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {

const Ops<float>& table() {
  static constexpr Ops<float> kTable = {embedding_forward,
                                        embedding_backward,
                                        norm_forward,
                                        norm_backward,
                                        rope,
                                        attention_forward,
                                        attention_backward,
                                        packed_size,
                                        pack,
                                        linear_forward,
                                        linear_backward_input,
                                        linear_backward_weight,
                                        bias_backward,
                                        gelu_forward,
                                        gelu_backward,
                                        swiglu_forward,
                                        swiglu_backward,
                                        xent,
                                        dropout,
                                        grad_norm,
                                        adamw,
                                        fma_peak,
                                        triad,
                                        muon};
  return kTable;
}

}  // namespace syn::cpu::SYN_CPU_NS
