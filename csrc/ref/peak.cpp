// The ceilings of ops/peak.h for plain loops. One thread, as every op of this backend.
#include "ref/ops.h"

namespace syn::ref {

template <class Real>
double fma_peak(Exec&, int64_t rounds) {
  Real x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int64_t i = 0; i < rounds * kFmaTasks; ++i)
    for (Real& v : x) v = v * static_cast<Real>(0.999) + static_cast<Real>(0.001);
  volatile Real sink = 0;
  for (const Real v : x) sink = sink + v;
  return 2.0 * 8 * static_cast<double>(rounds * kFmaTasks);
}

template <class Real>
void triad(Exec&, const TriadArgs<Real>& t) {
  for (int64_t i = 0; i < t.count; ++i) t.a[i] = t.b[i] + 3 * t.c[i];
}

template double fma_peak<double>(Exec&, int64_t);
template double fma_peak<float>(Exec&, int64_t);
template void triad(Exec&, const TriadArgs<double>&);
template void triad(Exec&, const TriadArgs<float>&);

}  // namespace syn::ref
