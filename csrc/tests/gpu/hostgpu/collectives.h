// What the threads of a warp or a block do together, as they enter the runtime (collectives.cpp, barrier.cpp).
//
// A warp collective is a rendezvous keyed by its mask: each lane leaves its words, the last one computes for all. Lanes at
// different lines, lanes outside the mask, lanes that have exited and rendezvous that can never fill are errors. Only barriers,
// __syncwarp and fences with atomics order memory for the race check: a shuffle or an mma orders nothing, as on the device.
#ifndef HOSTGPU_COLLECTIVES_H
#define HOSTGPU_COLLECTIVES_H

#include "language.h"

namespace hostgpu {

enum class Op { kSync, kShuffle, kVote, kReduce, kMma, kLoadMatrix };

constexpr int kWordsIn = 12, kWordsOut = 4;

struct Rendezvous {
  uint32_t mask, arrived, left;
  bool full, used;
  Op op;
  Site site;
  uint32_t in[32][kWordsIn], out[32][kWordsOut];
};

using Combine = void (*)(Rendezvous&, int argument);

int lane();
// Waits for the other lanes of mask. order: the collective is also a memory barrier among them.
Rendezvous* arrive(uint32_t mask, Op, const uint32_t* in, int words, Combine, int argument, bool order, Site);
void leave(Rendezvous*);

enum class Vote { kNone, kOr, kAnd, kCount };
int block_barrier(int predicate, Vote, Site);

// What orders memory between blocks, as in the PTX memory model: a fence and then an atomic of one thread, an atomic on the same
// word and then a fence of another. An atomic alone orders nothing.
void fence();
void before_atomic(void* word);

void mma_m16n8k16_bf16(Rendezvous&, int);
void load_matrix_x4(Rendezvous&, int transposed);

// The next piece of dynamic shared memory: a heap block of its own, so that the address sanitizer sees a stray write from one
// tile into the next, filled with NaN.
void* take_shared(size_t bytes, Site);

// cp.async: the copies a thread has issued, in the groups it has committed.
struct Copy {
  void* to;
  const void* from;  // null: zeros
};
void push_copy(void* to, const void* from, Site);
void commit_copies();
int ready_copies(int keep_groups, Copy** copies);  // of all but the newest groups
void drop_copies(int count);

}  // namespace hostgpu

#endif
