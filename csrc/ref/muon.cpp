// One step of Muon, as ops/muon.h defines it.
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {
namespace {

// x, or its transpose where that has fewer rows: [side, span].
template <class Real>
struct Wide {
  Real* x;
  int32_t side, span;
  bool turned;

  Real& operator()(int32_t i, int32_t k) const { return x[turned ? int64_t{k} * side + i : int64_t{i} * span + k]; }
};

// m, and u into x; |u|.
template <class Real>
double momentum(const MuonArgs<Real>& a) {
  double squares = 0;
  for (int32_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.columns; ++c) {
      const int64_t at = r * a.ld + c;
      const double g = a.scale * a.gradient[at];
      const double m = a.mu * a.momentum[at] + g;
      const double u = g + a.mu * m;
      squares += u * u;
      a.momentum[at] = static_cast<Real>(m);
      a.gradient[at] = 0;
      a.scratch.x[int64_t{r} * a.columns + c] = static_cast<Real>(u);
    }
  return std::sqrt(squares);
}

template <class Real>
void newton_schulz(const Wide<Real>& x, Precision precision, const MuonScratch<Real>& s) {
  const int32_t n = x.side;
  for (int32_t i = 0; i < n; ++i)
    for (int32_t j = 0; j < n; ++j) {
      Real sum = 0;
      for (int32_t k = 0; k < x.span; ++k) sum += x(i, k) * x(j, k);
      s.gram[int64_t{i} * n + j] = rounded_to(precision, sum);
    }
  for (int32_t i = 0; i < n; ++i)
    for (int32_t j = 0; j < n; ++j) {
      Real sum = 0;
      for (int32_t k = 0; k < n; ++k) sum += s.gram[int64_t{i} * n + k] * s.gram[int64_t{k} * n + j];
      const auto p = static_cast<Real>(kMuonB * s.gram[int64_t{i} * n + j] + kMuonC * sum);
      s.poly[int64_t{i} * n + j] = rounded_to(precision, p);
    }
  for (int32_t i = 0; i < n; ++i)
    for (int32_t k = 0; k < x.span; ++k) {
      Real sum = 0;
      for (int32_t j = 0; j < n; ++j) sum += s.poly[int64_t{i} * n + j] * x(j, k);
      s.sum[int64_t{i} * x.span + k] = static_cast<Real>(kMuonA * x(i, k) + sum);
    }
  for (int32_t i = 0; i < n; ++i)
    for (int32_t k = 0; k < x.span; ++k) x(i, k) = rounded_to(precision, s.sum[int64_t{i} * x.span + k]);
}

}  // namespace

template <class Real>
void muon(Exec&, const MuonArgs<Real>& a) {
  const double norm = momentum(a) + kMuonEpsilon;
  Real* const o = a.scratch.x;
  for (int64_t i = 0; i < int64_t{a.rows} * a.columns; ++i) o[i] = rounded_to(a.precision, static_cast<Real>(o[i] / norm));
  const bool turned = a.rows > a.columns;
  const Wide<Real> x{o, turned ? a.columns : a.rows, turned ? a.rows : a.columns, turned};
  for (int step = 0; step < kMuonSteps; ++step) newton_schulz(x, a.precision, a.scratch);
  const double size = muon_size(a.rows, a.columns);
  for (int32_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.columns; ++c) {
      Real& w = a.weight[r * a.ld + c];
      w = static_cast<Real>(w - a.lr * (a.decay * w + size * o[int64_t{r} * a.columns + c]));
    }
}

template void muon(Exec&, const MuonArgs<double>&);
template void muon(Exec&, const MuonArgs<float>&);

}  // namespace syn::ref
