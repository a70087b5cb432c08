// GELU and SwiGLU, forward and backward (ops/activation.h), a quad a thread. Traffic: every operand once.
#include "cuda/gelu.h"
#include "cuda/quads.h"

namespace syn::cuda {
namespace {

__global__ void __launch_bounds__(kQuadThreads, 1) gelu_forward_quads(GeluForward a) {
  const int64_t i = quad_of_thread();
  if (i >= a.count / 4) return;
  Quad q = load_quad(a.x, i);
#pragma unroll
  for (int e = 0; e < 4; ++e) q.v[e] = gelu(q.v[e]);
  store_quad(a.y, i, q);
}

__global__ void __launch_bounds__(kQuadThreads, 1) gelu_backward_quads(GeluBackward a) {
  const int64_t i = quad_of_thread();
  if (i >= a.count / 4) return;
  Quad q = load_quad(a.x, i);
  const Quad dy = load_quad(a.dy, i);
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const float x = q.v[e], s = gelu_gate(x);
    q.v[e] = dy.v[e] * (s + x * s * (1 - s) * kGeluOuter * (1 + 3 * kGeluCube * x * x));
  }
  store_quad(a.dx, i, q);
}

// Where quad i of a [rows, ffn] matrix has its gate in [rows, 2 ffn]; up lies ffn / 4 quads behind.
__device__ __forceinline__ int64_t gate_quad(int64_t i, int ffn_quads) { return i + i / ffn_quads * ffn_quads; }

__global__ void __launch_bounds__(kQuadThreads, 1) swiglu_forward_quads(SwigluForward a, int64_t count) {
  const int64_t i = quad_of_thread();
  if (i >= count) return;
  const int64_t at = gate_quad(i, a.ffn / 4);
  const Quad gate = load_quad(a.gate_up, at), up = load_quad(a.gate_up, at + a.ffn / 4);
  Quad y;
#pragma unroll
  for (int e = 0; e < 4; ++e) y.v[e] = gate.v[e] * sigmoid(gate.v[e]) * up.v[e];
  store_quad(a.y, i, y);
}

__global__ void __launch_bounds__(kQuadThreads, 1) swiglu_backward_quads(SwigluBackward a, int64_t count) {
  const int64_t i = quad_of_thread();
  if (i >= count) return;
  const int64_t at = gate_quad(i, a.ffn / 4);
  Quad gate = load_quad(a.gate_up, at), up = load_quad(a.gate_up, at + a.ffn / 4);
  const Quad dy = load_quad(a.dy, i);
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const float g = gate.v[e], s = sigmoid(g);
    gate.v[e] = dy.v[e] * up.v[e] * s * (1 + g * (1 - s));
    up.v[e] = dy.v[e] * g * s;
  }
  store_quad(a.dgate_up, at, gate);
  store_quad(a.dgate_up, at + a.ffn / 4, up);
}

dim3 blocks_of(int64_t quads) { return dim3(static_cast<unsigned>(quad_blocks(quads))); }

}  // namespace

int gelu_forward(Stream stream, const GeluForward& a) {
  if (a.count == 0) return 0;
  if (!good_quads(1, a.count)) return kInvalid;
  return GPU_LAUNCH(gelu_forward_quads, blocks_of(a.count / 4), dim3(kQuadThreads), 0, stream, a);
}

int gelu_backward(Stream stream, const GeluBackward& a) {
  if (a.count == 0) return 0;
  if (!good_quads(1, a.count)) return kInvalid;
  return GPU_LAUNCH(gelu_backward_quads, blocks_of(a.count / 4), dim3(kQuadThreads), 0, stream, a);
}

int swiglu_forward(Stream stream, const SwigluForward& a) {
  if (!good_quads(a.rows, a.ffn)) return kInvalid;
  const int64_t count = int64_t{a.rows} * (a.ffn / 4);
  return count ? GPU_LAUNCH(swiglu_forward_quads, blocks_of(count), dim3(kQuadThreads), 0, stream, a, count) : 0;
}

int swiglu_backward(Stream stream, const SwigluBackward& a) {
  if (!good_quads(a.rows, a.ffn)) return kInvalid;
  const int64_t count = int64_t{a.rows} * (a.ffn / 4);
  return count ? GPU_LAUNCH(swiglu_backward_quads, blocks_of(count), dim3(kQuadThreads), 0, stream, a, count) : 0;
}

}  // namespace syn::cuda
