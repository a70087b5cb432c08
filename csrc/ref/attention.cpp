// Attention row by row, as ops/attention.h defines it.
#include <algorithm>
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {
namespace {

template <class Real>
Real dot(const Real* a, const Real* b, int32_t n) {
  Real sum = 0;
  for (int32_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// Columns of q, k and v of a head in a fused row.
struct Columns {
  int64_t stride, q, k, v;
};

template <class Args>
Columns columns(const Args& a, int32_t head) {
  const int64_t d = a.head_dim, kv = head / (a.heads / a.kv_heads);
  return {(a.heads + 2 * a.kv_heads) * d, head * d, (a.heads + kv) * d, (a.heads + a.kv_heads + kv) * d};
}

template <class Real>
constexpr Real kLog2E = static_cast<Real>(1.4426950408889634074);

// The row of the first key that the query row i of a segment sees.
template <class Args>
int64_t first_row(const Args& a, int64_t begin, int64_t i) {
  return begin + first_key(reach_of(a.window), static_cast<int32_t>(i - begin));
}

Dropout of_head(Dropout d, int32_t head) {
  d.site += static_cast<uint32_t>(head);
  return d;
}

}  // namespace

template <class Real>
void attention_forward(Exec&, const AttentionForward<Real>& a) {
  const int32_t d = a.head_dim;
  for (int32_t s = 0; s < a.segments.count; ++s)
    for (int32_t h = 0; h < a.heads; ++h) {
      const Columns c = columns(a, h);
      const Dropout drop = of_head(a.drop, h);
      const int64_t begin = a.segments.offsets[s], end = a.segments.offsets[s + 1];
      for (int64_t i = begin; i < end; ++i) {
        const Real* q = a.qkv + i * c.stride + c.q;
        const auto score = [&](int64_t j) { return a.scale * dot(q, a.qkv + j * c.stride + c.k, d); };
        Real top = -static_cast<Real>(INFINITY), sum = 0;
        const int64_t first = first_row(a, begin, i);
        for (int64_t j = first; j <= i; ++j) top = std::max(top, score(j));
        if (a.precision == Precision::kBf16) top = std::ceil(top * kLog2E<Real>) / kLog2E<Real>;
        Real* o = a.out + (i * a.heads + h) * d;
        std::fill(o, o + d, Real{0});
        for (int64_t j = first; j <= i; ++j) {
          const Real weight = std::exp(score(j) - top);
          sum += weight;
          const auto factor = static_cast<Real>(dropout_factor(drop, static_cast<uint32_t>(i), static_cast<uint32_t>(j - begin)));
          const Real p = rounded_to(a.precision, weight * factor);
          for (int32_t x = 0; x < d; ++x) o[x] += p * a.qkv[j * c.stride + c.v + x];
        }
        for (int32_t x = 0; x < d; ++x) o[x] = rounded_to(a.precision, o[x] / sum);
        a.lse[int64_t{h} * a.segments.rows + i] = top + std::log(sum);
      }
    }
}

template <class Real>
void attention_backward(Exec&, const AttentionBackward<Real>& a) {
  const int32_t d = a.head_dim;
  const int64_t elements = a.segments.rows * columns(a, 0).stride;
  std::fill(a.dqkv, a.dqkv + elements, Real{0});
  for (int32_t s = 0; s < a.segments.count; ++s)
    for (int32_t h = 0; h < a.heads; ++h) {
      const Columns c = columns(a, h);
      const Dropout drop = of_head(a.drop, h);
      const int64_t begin = a.segments.offsets[s], end = a.segments.offsets[s + 1];
      for (int64_t i = begin; i < end; ++i) {
        const Real* q = a.qkv + i * c.stride + c.q;
        const Real* dout = a.dout + (i * a.heads + h) * d;
        const Real lse = a.lse[int64_t{h} * a.segments.rows + i];
        const Real delta = dot(dout, a.out + (i * a.heads + h) * d, d);
        for (int64_t j = first_row(a, begin, i); j <= i; ++j) {
          const int64_t row = j * c.stride;
          const auto factor = static_cast<Real>(dropout_factor(drop, static_cast<uint32_t>(i), static_cast<uint32_t>(j - begin)));
          const Real p = std::exp(a.scale * dot(q, a.qkv + row + c.k, d) - lse);
          const Real ds = rounded_to(a.precision, p * (factor * dot(dout, a.qkv + row + c.v, d) - delta) * a.scale);
          const Real dropped = rounded_to(a.precision, p * factor);
          for (int32_t x = 0; x < d; ++x) {
            a.dqkv[row + c.v + x] += dropped * dout[x];
            a.dqkv[row + c.k + x] += ds * q[x];
            a.dqkv[i * c.stride + c.q + x] += ds * a.qkv[row + c.k + x];
          }
        }
      }
    }
  for (int64_t i = 0; i < elements; ++i) a.dqkv[i] = rounded_to(a.result, a.dqkv[i]);
}

template void attention_forward(Exec&, const AttentionForward<double>&);
template void attention_forward(Exec&, const AttentionForward<float>&);
template void attention_backward(Exec&, const AttentionBackward<double>&);
template void attention_backward(Exec&, const AttentionBackward<float>&);

}  // namespace syn::ref
