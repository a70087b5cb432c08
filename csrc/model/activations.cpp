// The layout of activations and scratch.
#include "model/activations.h"

#include <algorithm>

#include "ops/norm.h"
#include "ops/xent.h"

namespace syn {

template <class Real>
Activations<Real> activations_of(const Shape& s, int64_t rows, bool inference, Arena& arena) {
  const auto take = [&](int64_t width) { return arena.take<Real>(rows * width); };
  Activations<Real> a;
  for (int32_t i = 0; i < s.layers; ++i) {
    if (inference && i > 0) {
      a.layers.push_back(a.layers[0]);
      continue;
    }
    a.layers.push_back({take(s.width), take(s.qkv_width()), take(s.q_width()), take(s.heads), take(s.width), take(s.up_width()),
                        take(1), take(1), take(1), take(1)});
  }
  a.last = take(s.width);
  a.last_mean = take(1);
  a.last_rstd = take(1);
  a.normed = take(s.width);
  a.branch = take(s.width);
  a.ffn = take(s.ffn);
  a.logits = arena.take<Real>(std::min<int64_t>(rows, kXentRows) * s.vocab);
  a.nll = arena.take<double>(rows);
  return a;
}

template <class Real>
GradientScratch<Real> gradient_scratch_of(const Shape& s, int64_t rows, Arena& arena) {
  const auto take = [&](int64_t width) { return arena.take<Real>(rows * width); };
  GradientScratch<Real> g;
  g.residual = take(s.width);
  g.branch = s.dropout > 0 ? take(s.width) : g.residual;
  g.normed = take(s.width);
  g.attention = take(s.q_width());
  g.qkv = take(s.qkv_width());
  g.delta = take(s.heads);
  g.norm_partial = arena.take<Real>(norm_partial(rows, s.width));
  return g;
}

template Activations<float> activations_of(const Shape&, int64_t, bool, Arena&);
template Activations<double> activations_of(const Shape&, int64_t, bool, Arena&);
template GradientScratch<float> gradient_scratch_of(const Shape&, int64_t, Arena&);
template GradientScratch<double> gradient_scratch_of(const Shape&, int64_t, Arena&);

}  // namespace syn
