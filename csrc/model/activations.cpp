// The layout of activations and scratch.
#include "model/activations.h"

#include <algorithm>

#include "ops/norm.h"
#include "ops/xent.h"

namespace syn {

template <class Real>
Activations<Real> activations_of(const Shape& s, int64_t rows, Keep keep, Arena& arena) {
  const auto take = [&](int64_t width) { return arena.take<Real>(rows * width); };
  Activations<Real> a;
  for (int32_t i = 0; i < s.layers; ++i) {
    typename Activations<Real>::Layer layer = i > 0 ? a.layers[0] : typename Activations<Real>::Layer{};
    if (i == 0 || keep != Keep::kNothing) {
      layer.residual = take(s.width);
      layer.attention = take(s.q_width());
      layer.lse = take(s.heads);
    }
    if (i == 0 || keep == Keep::kAll) {
      layer.qkv = take(s.qkv_width());
      layer.middle = take(s.width);
      layer.up = take(s.up_width());
      for (Real** x : {&layer.mean1, &layer.rstd1, &layer.mean2, &layer.rstd2}) *x = take(1);
    }
    a.layers.push_back(layer);
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
GradientScratch<Real> gradient_scratch_of(const Shape& s, int64_t rows, Precision precision, Arena& arena) {
  const auto take = [&](int64_t width) { return arena.take<Real>(rows * width); };
  GradientScratch<Real> g;
  g.residual = take(s.width);
  g.branch = s.dropout > 0 || precision != Precision::kFp32 ? take(s.width) : g.residual;
  g.normed = take(s.width);
  g.attention = take(s.q_width());
  g.qkv = take(s.qkv_width());
  g.delta = take(s.heads);
  g.norm_partial = arena.take<Real>(norm_partial(rows, s.width));
  return g;
}

template Activations<float> activations_of(const Shape&, int64_t, Keep, Arena&);
template Activations<double> activations_of(const Shape&, int64_t, Keep, Arena&);
template GradientScratch<float> gradient_scratch_of(const Shape&, int64_t, Precision, Arena&);
template GradientScratch<double> gradient_scratch_of(const Shape&, int64_t, Precision, Arena&);

}  // namespace syn
