// Dropout as ops/dropout.h defines it, element by element.
#include "ref/ops.h"

namespace syn::ref {

double dropout_factor(const Dropout& d, uint32_t row, uint32_t column) {
  if (!d.on()) return 1;
  return keep(dropout_words(d, row, column / 4).w[column % 4], d.threshold) ? d.scale : 0;
}

template <class Real>
void dropout(Exec&, const DropoutArgs<Real>& a) {
  for (int32_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.width; ++c)
      a.x[int64_t{r} * a.width + c] *=
          static_cast<Real>(dropout_factor(a.drop, static_cast<uint32_t>(r), static_cast<uint32_t>(c)));
}

template void dropout(Exec&, const DropoutArgs<double>&);
template void dropout(Exec&, const DropoutArgs<float>&);

}  // namespace syn::ref
