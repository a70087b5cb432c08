// The reference backend as a table.
#include "ref/table.h"

#include "ref/ops.h"

namespace syn::ref {

namespace {

template <class Real>
constexpr Ops<Real> kTable = {embedding_forward<Real>,
                              embedding_backward<Real>,
                              norm_forward<Real>,
                              norm_backward<Real>,
                              rope<Real>,
                              attention_forward<Real>,
                              attention_backward<Real>,
                              packed_size,
                              pack<Real>,
                              linear_forward<Real>,
                              linear_backward_input<Real>,
                              linear_backward_weight<Real>,
                              bias_backward<Real>,
                              gelu_forward<Real>,
                              gelu_backward<Real>,
                              swiglu_forward<Real>,
                              swiglu_backward<Real>,
                              xent<Real>,
                              dropout<Real>,
                              grad_norm<Real>,
                              adamw<Real>,
                              fma_peak<Real>,
                              triad<Real>,
                              muon<Real>};

}  // namespace

const Ops<double>& table() { return kTable<double>; }
const Ops<float>& plain_float_table() { return kTable<float>; }

}  // namespace syn::ref
