// Sum of squares in double (ops/grad_norm.h): a block sums kGradBlock elements, one more launch adds the blocks in order.
// Traffic: the gradient once.
#include "cuda/block.h"
#include "cuda/quads.h"

namespace syn::cuda {
namespace {

__global__ void __launch_bounds__(kQuadThreads, 1) grad_norm_blocks(GradNormArgs<float> a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  double* const scratch = shared.take<double>(kQuadThreads / 32);
  const int64_t begin = int64_t{blockIdx.x} * kGradBlock, rest = a.count - begin, n = rest < kGradBlock ? rest : kGradBlock;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += kQuadThreads) {
    const double g = static_cast<double>(a.gradient[begin + i]);
    sum = fused(g, g, sum);
  }
  sum = block_reduce(sum, scratch, Add());
  if (threadIdx.x == 0) a.partial[blockIdx.x] = sum;
}

// One block: a thread adds every kQuadThreads-th partial sum, then the threads are added.
__global__ void __launch_bounds__(kQuadThreads, 1) grad_norm_total(GradNormArgs<float> a, int blocks) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  double* const scratch = shared.take<double>(kQuadThreads / 32);
  double sum = 0;
  for (int b = static_cast<int>(threadIdx.x); b < blocks; b += kQuadThreads) sum += a.partial[b];
  sum = block_reduce(sum, scratch, Add());
  if (threadIdx.x == 0) *a.sum = sum;
}

}  // namespace

int grad_norm(Stream stream, const GradNormArgs<float>& a) {
  const int64_t blocks = grad_blocks(a.count);
  if (a.count < 0 || blocks > kMostBlocks) return kInvalid;
  int e = 0;
  if (blocks) e = GPU_LAUNCH(grad_norm_blocks, dim3(static_cast<unsigned>(blocks)), dim3(kQuadThreads), 128, stream, a);
  return e ? e : GPU_LAUNCH(grad_norm_total, dim3(1), dim3(kQuadThreads), 128, stream, a, static_cast<int>(blocks));
}

}  // namespace syn::cuda
