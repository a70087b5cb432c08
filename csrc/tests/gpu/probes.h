// Small kernels that test the testers (emulation_test.cpp): each does one thing, right or wrong, in a way that is known.
#ifndef SYN_TESTS_GPU_PROBES_H
#define SYN_TESTS_GPU_PROBES_H

#include "cuda/ops.h"

namespace syn::tests {

using cuda::Stream;

// A lane's registers of mma_bf16: a [32, 4], b [32, 2], d [32, 4] added to.
int probe_mma(Stream, const uint32_t* a, const uint32_t* b, float* d);
// tile [32, 8] of 16-bit elements to the registers of ldmatrix_x4, [32, 4].
int probe_ldmatrix(Stream, const uint16_t* tile, uint32_t* registers, bool transposed);
// 32 chunks of 16 bytes by cp_async16, the odd ones not valid.
int probe_copy(Stream, const uint32_t* from, uint32_t* to);
// packed[i] of numbers 2i and 2i+1, power[i] = 2^number i; count a multiple of 64.
int probe_rounding(Stream, const float* numbers, uint32_t* packed, float* power, int count);
// x[i] += 1 for each thread of one block.
int probe_add(Stream, float* x, int count);

enum class Fault {
  kNone,               // of the kernel that has the others
  kBlocksShareAWord,   // two blocks write one address
  kNoBarrier,          // a thread reads what another warp wrote
  kAcrossBarriers,     // a write before a barrier of one block, another after barriers of the other
  kNoSyncwarp,         // a lane reads what another lane wrote
  kSharedPastTheTile,  // one element behind a piece of shared memory, into the next
  kGlobalPastTheEnd,   // one element behind an allocation
  kUninitialised,      // of shared memory
  kEarlyExit,          // some threads return before a barrier
  kDivergentBarrier,   // half of the threads wait at one barrier, half at another
  kDivergentShuffle,   // a shuffle of all lanes by half of them
  kMisaligned,         // ldmatrix of a row that begins at 8 bytes
  kNoWait,             // shared memory is read before cp.async has been waited for
};
// Two blocks of 64 threads; x [512].
int probe_fault(Stream, float* x, Fault);
// Two blocks of 64 threads write x [128]; the last one to count itself in *count, which is 0 before and after, adds x up.
enum class Counting { kFenced, kNoFenceBefore, kNoFenceBehind };
int probe_count(Stream, float* x, uint32_t* count, float* sum, Counting);
// Launches that CUDA refuses.
int probe_too_many_threads(Stream, float* x);
int probe_shared_without_asking(Stream, float* x);

}  // namespace syn::tests

#endif
