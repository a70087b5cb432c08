// Numbers to bf16 (cuda/ops.h), a quad a thread, with GELU on the way where it is asked for. Traffic: every number read once,
// written once at half its size.
#include "cuda/gelu.h"
#include "cuda/quads.h"

namespace syn::cuda {
namespace {

__global__ void __launch_bounds__(kQuadThreads, 1) round_quads(Round a) {
  const int64_t i = quad_of_thread();
  if (i >= a.count / 4) return;
  Quad x = load_quad(a.x, i);
  if (a.activation == Activation::kGelu) {
#pragma unroll
    for (int e = 0; e < 4; ++e) x.v[e] = gelu(rounded(x.v[e]));
  }
  store_quad(a.y, i, x);
}

}  // namespace

int round(Stream stream, const Round& a) {
  if (a.count < 0 || a.count % 4 != 0) return kInvalid;
  if (a.count == 0) return 0;
  return GPU_LAUNCH(round_quads, dim3(static_cast<unsigned>(quad_blocks(a.count / 4))), dim3(kQuadThreads), 0, stream, a);
}

}  // namespace syn::cuda
