// Table look-up and its transpose, as ops/embedding.h defines them.
#include "ref/ops.h"

namespace syn::ref {

template <class Real>
void embedding_forward(Exec&, const EmbeddingForward<Real>& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const Real* token = a.token_table + int64_t{a.token[r]} * a.width;
    const Real* position = a.position_table ? a.position_table + int64_t{a.position[r]} * a.width : nullptr;
    for (int32_t c = 0; c < a.width; ++c)
      a.out[r * a.width + c] = (token[c] + (position ? position[c] : 0)) *
                               static_cast<Real>(dropout_factor(a.drop, static_cast<uint32_t>(r), static_cast<uint32_t>(c)));
  }
}

template <class Real>
void embedding_backward(Exec&, const EmbeddingBackward<Real>& a) {
  for (int64_t id = 0; id < a.index.ids; ++id)
    for (int32_t i = a.index.start[id]; i < a.index.start[id + 1]; ++i)
      for (int32_t c = 0; c < a.width; ++c) a.dtable[id * a.width + c] += a.dout[int64_t{a.index.order[i]} * a.width + c];
}

template void embedding_forward(Exec&, const EmbeddingForward<double>&);
template void embedding_forward(Exec&, const EmbeddingForward<float>&);
template void embedding_backward(Exec&, const EmbeddingBackward<double>&);
template void embedding_backward(Exec&, const EmbeddingBackward<float>&);

}  // namespace syn::ref
