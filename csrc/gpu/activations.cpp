// The layout of activations and scratch on a device.
#include "gpu/activations.h"

#include <algorithm>

#include "cuda/ops.h"

namespace syn::gpu {

Activations activations_of(const Shape& s, int64_t rows, Keep keep, Region& region) {
  const auto take = [&](int64_t width) { return region.take<float>(rows * width); };
  const auto take_bf16 = [&](int64_t width) { return region.take<bf16>(rows * width); };
  Activations a = {};
  for (int32_t i = 0; i < s.layers; ++i) {
    Activations::Layer layer = i > 0 ? a.layers[0] : Activations::Layer{};
    if (i == 0 || keep != Keep::kNothing) {
      layer.residual = take(s.width);
      layer.attention = take_bf16(s.q_width());
      layer.lse = take(s.heads);
    }
    if (i == 0 || keep == Keep::kAll) {
      layer.qkv = take_bf16(s.qkv_width());
      layer.middle = take(s.width);
      layer.up = take_bf16(s.up_width());
      for (float** x : {&layer.mean1, &layer.rstd1, &layer.mean2, &layer.rstd2}) *x = take(1);
    }
    a.layers.push_back(layer);
  }
  a.last = take(s.width);
  a.last_mean = take(1);
  a.last_rstd = take(1);
  a.normed = take_bf16(s.width);
  a.branch = take(s.width);
  a.ffn = take_bf16(s.ffn);
  a.wide = take(std::max(s.gpt2 ? 0 : s.qkv_width(), keep == Keep::kNothing ? 0 : s.ffn));
  a.logits = region.take<float>(std::min<int64_t>(rows, kXentRows) * logit_stride(s.vocab));
  a.nll = region.take<double>(rows);
  return a;
}

GradientScratch gradient_scratch_of(const Shape& s, int64_t rows, Region& region) {
  const auto take = [&](int64_t width) { return region.take<float>(rows * width); };
  const auto take_bf16 = [&](int64_t width) { return region.take<bf16>(rows * width); };
  const int64_t bias = s.gpt2 ? cuda::bias_partial(rows, std::max({s.width, s.ffn, s.q_width()})) : 0;
  GradientScratch g = {};
  g.residual = take(s.width);
  g.branch = take_bf16(s.width);
  g.normed = take(s.width);
  g.attention = take_bf16(s.q_width());
  g.qkv = take_bf16(s.qkv_width());
  g.delta = take(s.heads);
  g.partial = region.take<float>(std::max({norm_partial(rows, s.width), cuda::embedding_partial(rows, s.width), bias}));
  return g;
}

}  // namespace syn::gpu
