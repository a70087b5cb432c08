// Dropout in place (ops/dropout.h): the same bits as every backend. Traffic: x once in, once out.
#include "cuda/quads.h"

namespace syn::cuda {
namespace {

__global__ void __launch_bounds__(kQuadThreads, 1) dropout_quads(float* x, Mask drop, int quads, int64_t count) {
  const int64_t i = quad_of_thread();
  if (i >= count) return;
  const Quad f = mask_quad(drop, static_cast<uint32_t>(i / quads), static_cast<uint32_t>(i % quads));
  Quad q = load_quad(x, i);
#pragma unroll
  for (int e = 0; e < 4; ++e) q.v[e] *= f.v[e];
  store_quad(x, i, q);
}

}  // namespace

int dropout(Stream stream, const DropoutArgs<float>& a) {
  if (!good_quads(a.rows, a.width)) return kInvalid;
  const int64_t count = int64_t{a.rows} * (a.width / 4);
  if (count == 0) return 0;
  const dim3 grid(static_cast<unsigned>(quad_blocks(count)));
  return GPU_LAUNCH(dropout_quads, grid, dim3(kQuadThreads), 0, stream, a.x, Mask(a.drop), a.width / 4, count);
}

}  // namespace syn::cuda
