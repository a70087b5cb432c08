#include "tests/gpu/probes.h"

#include "cuda/gpu.h"

namespace syn::tests {
namespace {

__global__ void mma(const uint32_t* a, const uint32_t* b, float* d) {
  const int l = gpu::lane();
  const uint32_t x[4] = {a[4 * l], a[4 * l + 1], a[4 * l + 2], a[4 * l + 3]};
  float sum[4] = {d[4 * l], d[4 * l + 1], d[4 * l + 2], d[4 * l + 3]};
  gpu::mma_bf16(sum, x, b[2 * l], b[2 * l + 1]);
  for (int i = 0; i < 4; ++i) d[4 * l + i] = sum[i];
}

__global__ void load_matrices(const uint16_t* tile, uint32_t* registers, bool transposed) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  uint16_t* const rows = shared.take<uint16_t>(32 * 8);
  const int l = gpu::lane();
  for (int i = 0; i < 8; ++i) rows[8 * l + i] = tile[8 * l + i];
  __syncwarp();
  uint32_t r[4];
  if (transposed)
    gpu::ldmatrix_x4_trans(r, rows + 8 * l);
  else
    gpu::ldmatrix_x4(r, rows + 8 * l);
  for (int i = 0; i < 4; ++i) registers[4 * l + i] = r[i];
}

__global__ void copy_chunks(const uint32_t* from, uint32_t* to) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  uint32_t* const chunks = shared.take<uint32_t>(32 * 4);
  const int l = gpu::lane();
  gpu::cp_async16(chunks + 4 * l, from + 4 * l, l % 2 == 0);
  gpu::cp_async_commit();
  gpu::cp_async_wait<0>();
  for (int i = 0; i < 4; ++i) to[4 * l + i] = chunks[4 * l + i];
}

__global__ void round_numbers(const float* numbers, uint32_t* packed, float* power) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  packed[i] = gpu::pack_bf16(numbers[2 * i], numbers[2 * i + 1]);
  power[2 * i] = gpu::ex2(numbers[2 * i]);
  power[2 * i + 1] = gpu::ex2(numbers[2 * i + 1]);
}

__global__ void add_one(float* x) { x[threadIdx.x] += 1; }

__global__ void count(float* x, uint32_t* counter, float* sum, Counting how) {
  x[blockIdx.x * 64 + threadIdx.x] = static_cast<float>(blockIdx.x * 64 + threadIdx.x);
  __syncthreads();
  bool last = false;
  if (threadIdx.x == 0) {
    if (how != Counting::kNoFenceBefore) __threadfence();
    last = atomicInc(counter, 1) == 1;
    if (how != Counting::kNoFenceBehind) __threadfence();
  }
  if (!__syncthreads_or(last) || threadIdx.x != 5) return;
  *sum = 0;
  for (int i = 0; i < 128; ++i) *sum += x[i];
}

__global__ void fault(float* x, Fault f) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  float* const piece = shared.take<float>(64);
  float* const next = shared.take<float>(64);
  const int t = static_cast<int>(threadIdx.x), other_lane = t ^ 1, other_warp = t ^ 32;
  const bool first_block = blockIdx.x == 0;
  piece[t] = next[t] = static_cast<float>(t);
  if (f == Fault::kBlocksShareAWord && t == 3) x[0] = static_cast<float>(blockIdx.x);
  if (f == Fault::kAcrossBarriers && first_block && t == 3) x[0] = 1;
  if (f == Fault::kNoSyncwarp) x[blockIdx.x * 64 + threadIdx.x] = piece[other_lane];
  if (f == Fault::kNoBarrier) {
    __syncwarp();
    x[blockIdx.x * 64 + threadIdx.x] = piece[other_warp];
  }
  __syncthreads();
  __syncthreads();
  if (f == Fault::kAcrossBarriers && !first_block && t == 5) x[0] = 2;
  if (f == Fault::kSharedPastTheTile && t == 0) piece[64] = 1;
  if (f == Fault::kGlobalPastTheEnd && t == 0) x[512] = 1;
  if (f == Fault::kEarlyExit && t < 16) return;
  if (f == Fault::kDivergentShuffle && t % 2) piece[t] = __shfl_xor_sync(0xffffffffu, piece[t], 1);
  if (f == Fault::kDivergentBarrier && t < 32) __syncthreads();
  __syncthreads();
  if (f == Fault::kUninitialised) x[blockIdx.x * 64 + threadIdx.x] = shared.take<float>(64)[t];
  if (f == Fault::kMisaligned) {
    uint32_t r[4];
    gpu::ldmatrix_x4(r, piece + 2);
    x[blockIdx.x * 64 + threadIdx.x] = static_cast<float>(r[0]);
  }
  if (f == Fault::kNoWait) {
    float* const copied = shared.take<float>(64 * 4);
    float* const own = x + 4 * (blockIdx.x * 64 + threadIdx.x);
    gpu::cp_async16(copied + 4 * t, own, true);
    gpu::cp_async_commit();
    next[t] = copied[4 * t];
    gpu::cp_async_wait<0>();
    *own = next[t];
  }
}

}  // namespace

int probe_mma(Stream s, const uint32_t* a, const uint32_t* b, float* d) {
  return GPU_LAUNCH(mma, dim3(1), dim3(32), 0, s, a, b, d);
}
int probe_ldmatrix(Stream s, const uint16_t* tile, uint32_t* registers, bool transposed) {
  return GPU_LAUNCH(load_matrices, dim3(1), dim3(32), 512, s, tile, registers, transposed);
}
int probe_copy(Stream s, const uint32_t* from, uint32_t* to) {
  return GPU_LAUNCH(copy_chunks, dim3(1), dim3(32), 512, s, from, to);
}
int probe_rounding(Stream s, const float* numbers, uint32_t* packed, float* power, int count) {
  return GPU_LAUNCH(round_numbers, dim3(static_cast<unsigned>(count / 64)), dim3(32), 0, s, numbers, packed, power);
}
int probe_add(Stream s, float* x, int count) { return GPU_LAUNCH(add_one, dim3(1), dim3(static_cast<unsigned>(count)), 0, s, x); }
int probe_fault(Stream s, float* x, Fault f) { return GPU_LAUNCH(fault, dim3(2), dim3(64), 2048, s, x, f); }
int probe_count(Stream s, float* x, uint32_t* counter, float* sum, Counting how) {
  return GPU_LAUNCH(count, dim3(2), dim3(64), 0, s, x, counter, sum, how);
}
int probe_too_many_threads(Stream s, float* x) { return GPU_LAUNCH(add_one, dim3(1), dim3(2048), 0, s, x); }
int probe_shared_without_asking(Stream s, float* x) { return GPU_LAUNCH(add_one, dim3(1), dim3(32), 64 << 10, s, x); }

}  // namespace syn::tests
