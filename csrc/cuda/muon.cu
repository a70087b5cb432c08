// What Muon (ops/muon.h) does beside products, a quad a thread: momentum, division by the norm, the sums of Newton and Schulz,
// and the step. The norm is that of cuda/grad_norm.cu. Traffic, each read once and written once: gradient and momentum; what
// becomes orthogonal, as float, then as bf16; before each of its roundings the sums of a product; the weight.
#include "cuda/clip.h"
#include "cuda/quads.h"
#include "ops/muon.h"

namespace syn::cuda {
namespace {

// Quad i of a matrix in a larger one, whose rows have ld quads.
__device__ __forceinline__ int64_t quad_in_rows(int64_t i, int quads, int64_t ld) { return i / quads * ld + i % quads; }

__global__ void __launch_bounds__(kQuadThreads, 1) muon_momentum_quads(MuonMomentum a, float mu, int64_t count) {
  const int64_t i = quad_of_thread();
  const double norm = gradient_norm(a.square_sum, a.targets);
  const bool finite = is_finite(norm);
  if (i == 0 && !finite) *a.skipped = 1;
  if (i >= count) return;
  const float scale = gradient_scale(norm, a.targets, a.clip);
  const int64_t at = quad_in_rows(i, a.columns / 4, a.ld / 4);
  const Quad g = load_quad(a.gradient, at), zeros{{0, 0, 0, 0}};
  store_quad(a.gradient, at, zeros);
  if (!finite) return store_quad(a.u, i, zeros);
  Quad m = load_quad(a.momentum, at), u;
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const float x = g.v[e] * scale;
    m.v[e] = mu * m.v[e] + x;
    u.v[e] = x + mu * m.v[e];
  }
  store_quad(a.momentum, at, m);
  store_quad(a.u, i, u);
}

__global__ void __launch_bounds__(kQuadThreads, 1) muon_normalise_quads(MuonNormalise a) {
  const int64_t i = quad_of_thread();
  if (i >= a.count / 4) return;
  const float factor = static_cast<float>(1 / (sqrt(*a.square_sum) + kMuonEpsilon));
  Quad u = load_quad(a.u, i);
#pragma unroll
  for (int e = 0; e < 4; ++e) u.v[e] *= factor;
  store_quad(a.x, i, u);
}

__global__ void __launch_bounds__(kQuadThreads, 1) muon_combine_quads(MuonCombine a) {
  const int64_t i = quad_of_thread();
  if (i >= a.count / 4) return;
  const Quad sum = load_quad(a.sum, i);
  Quad x = load_quad(a.x, i);
#pragma unroll
  for (int e = 0; e < 4; ++e) x.v[e] = a.of_x * x.v[e] + a.of_sum * sum.v[e];
  store_quad(a.y, i, x);
}

__global__ void __launch_bounds__(kQuadThreads, 1) muon_update_quads(MuonUpdate a, float step, float shrink, int64_t count) {
  const int64_t i = quad_of_thread();
  if (i >= count) return;
  if (!is_finite(gradient_norm(a.square_sum, a.targets))) return;
  const int64_t at = quad_in_rows(i, a.columns / 4, a.ld / 4);
  const Quad x = load_quad(a.x, i);
  Quad w = load_quad(a.weight, at);
#pragma unroll
  for (int e = 0; e < 4; ++e) w.v[e] = w.v[e] * shrink - step * x.v[e];
  store_quad(a.weight, at, w);
}

bool good_rows(int32_t rows, int32_t columns, int64_t ld) { return good_quads(rows, columns) && ld >= columns && ld % 4 == 0; }

dim3 blocks_of(int64_t quads) { return dim3(static_cast<unsigned>(quad_blocks(quads))); }

}  // namespace

int muon_momentum(Stream stream, const MuonMomentum& a) {
  if (!good_rows(a.rows, a.columns, a.ld)) return kInvalid;
  const int64_t count = int64_t{a.rows} * (a.columns / 4);
  if (count == 0) return 0;
  const auto mu = static_cast<float>(a.mu);
  return GPU_LAUNCH(muon_momentum_quads, blocks_of(count), dim3(kQuadThreads), 0, stream, a, mu, count);
}

int muon_normalise(Stream stream, const MuonNormalise& a) {
  if (a.count == 0) return 0;
  if (!good_quads(1, a.count)) return kInvalid;
  return GPU_LAUNCH(muon_normalise_quads, blocks_of(a.count / 4), dim3(kQuadThreads), 0, stream, a);
}

int muon_combine(Stream stream, const MuonCombine& a) {
  if (a.count == 0) return 0;
  if (!good_quads(1, a.count)) return kInvalid;
  return GPU_LAUNCH(muon_combine_quads, blocks_of(a.count / 4), dim3(kQuadThreads), 0, stream, a);
}

int muon_update(Stream stream, const MuonUpdate& a) {
  if (!good_rows(a.rows, a.columns, a.ld)) return kInvalid;
  const int64_t count = int64_t{a.rows} * (a.columns / 4);
  if (count == 0) return 0;
  const auto step = static_cast<float>(a.lr * muon_size(a.rows, a.columns)), shrink = static_cast<float>(1 - a.lr * a.decay);
  return GPU_LAUNCH(muon_update_quads, blocks_of(count), dim3(kQuadThreads), 0, stream, a, step, shrink, count);
}

}  // namespace syn::cuda
