// Cross entropy between its products (ops/xent.h), a block a row: maximum, sum of exponentials, then the logits become their
// gradient in place. A gradient in bf16 takes the first half of the row: chunks of it are written behind chunks of logits that
// every thread has read, which a barrier makes sure of. Traffic: the row in, from the caches the second and third time, and out
// once.
#include "cuda/block.h"
#include "cuda/quads.h"

namespace syn::cuda {
namespace {

constexpr float kLog2E = 1.44269504f;

// What a row is told to be: up to kSoftTaps tokens with weights.
struct Taps {
  int count;
  const int32_t* index;
  const float* weight;  // null: one tap of weight 1
};

__device__ __forceinline__ Taps taps_of(const Xent& a, int row) {
  const int soft = a.soft_row ? a.soft_row[row] : -1;
  if (soft >= 0) return {kSoftTaps, a.soft_index + int64_t{soft} * kSoftTaps, a.soft_weight + int64_t{soft} * kSoftTaps};
  return {a.target[row] >= 0 ? 1 : 0, a.target + row, nullptr};
}

// Quad q of a row of logits; -inf behind the vocabulary.
__device__ __forceinline__ Quad load_logits(const float* z, int q, int vocab) {
  if (4 * q + 4 <= vocab) return load_quad(z, q);
  Quad x;
#pragma unroll
  for (int e = 0; e < 4; ++e) x.v[e] = 4 * q + e < vocab ? z[4 * q + e] : -INFINITY;
  return x;
}

__device__ __forceinline__ float weight_of(const Taps& t, int k) { return t.weight ? t.weight[k] : 1; }

// Writes the gradient of a chunk of kQuadThreads quads: factor exp(z - top), less the weights of the targets.
__device__ __forceinline__ void write_gradient(const Xent& a, float* z, const Taps& taps, float top, float factor) {
  const int quads = a.stride / 4;
  const Tensor row{z, a.precision};
  for (int first = 0; first < quads; first += kQuadThreads) {
    const int q = first + static_cast<int>(threadIdx.x);
    Quad x = load_logits(z, q, a.vocab);
#pragma unroll
    for (int e = 0; e < 4; ++e) x.v[e] = gpu::ex2((x.v[e] - top) * kLog2E) * factor;
    for (int k = 0; k < taps.count; ++k) {
      const int token = taps.index[k];
      const float w = weight_of(taps, k);
#pragma unroll
      for (int e = 0; e < 4; ++e) x.v[e] -= token == 4 * q + e ? w : 0;
    }
    __syncthreads();  // the chunk has been read
    if (q < quads) store_quad(row, q, x);
  }
}

__global__ void __launch_bounds__(kQuadThreads, 1) xent_rows(Xent a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  float* const scratch = shared.take<float>(kQuadThreads / 32);
  const int row = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x), quads = a.stride / 4;
  float* const z = a.logits + int64_t{row} * a.stride;
  const Taps taps = taps_of(a, row);
  if (taps.count == 0) {
    if (thread == 0) a.nll[row] = 0;
    for (int q = thread; a.gradient && q < quads; q += kQuadThreads) store_quad(Tensor{z, a.precision}, q, Quad{});
    return;
  }
  float top = -INFINITY, sum = 0, below = 0;
  for (int q = thread; q < quads; q += kQuadThreads) {
    const Quad x = load_logits(z, q, a.vocab);
#pragma unroll
    for (int e = 0; e < 4; ++e) top = fmaxf(top, x.v[e]);
  }
  top = block_reduce(top, scratch, Largest());
  for (int q = thread; q < quads; q += kQuadThreads) {
    const Quad x = load_logits(z, q, a.vocab);
#pragma unroll
    for (int e = 0; e < 4; ++e) sum += gpu::ex2((x.v[e] - top) * kLog2E);
  }
  sum = block_reduce(sum, scratch, Add());
  if (thread == 0) {
    for (int k = 0; k < taps.count; ++k)
      below += weight_of(taps, k) * (top - z[taps.index[k]]);  // of the mean logit of the targets
    a.nll[row] = static_cast<double>(below + logf(sum));
  }
  if (a.gradient) write_gradient(a, z, taps, top, 1 / sum);
}

}  // namespace

int xent(Stream stream, const Xent& a) {
  if (!good_quads(a.rows, a.stride) || a.vocab <= 0 || a.vocab > a.stride) return kInvalid;
  if (a.rows == 0) return 0;
  return GPU_LAUNCH(xent_rows, dim3(static_cast<unsigned>(a.rows)), dim3(kQuadThreads), 128, stream, a);
}

}  // namespace syn::cuda
