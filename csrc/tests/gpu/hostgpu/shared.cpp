// Shared memory and cp.async of the running thread.
//
// Each piece is a heap block with red zones around it. Under the thread sanitizer a fiber must not allocate, so pieces come from
// an arena that the scheduler made before the fibers; in front of them lie the addresses that barriers are ordered by. A barrier
// has two, in turn: a thread already at the next one must not be seen by one that is still leaving this one.
#include <cstdlib>
#include <cstring>

#include "runtime.h"

namespace hostgpu {
namespace {
constexpr size_t kSyncBytes = 128 + kMaxWarps * kRendezvousPerWarp * 8;

size_t padded(size_t bytes) { return (bytes + 127) & ~size_t{127}; }
}  // namespace

size_t arena_bytes(const Launch& l) { return padded(kSyncBytes) + l.shared; }

void* block_sync_object(Block& b) { return b.arena + (b.barrier.generation & 1) * 8; }

void* warp_sync_object(Block& b, int warp, const Rendezvous* r) {
  return b.arena + 128 + (warp * kRendezvousPerWarp + (r - b.warps[warp].meeting)) * 8;
}

void* take_shared(size_t bytes, Site s) {
  Fiber& f = *this_fiber;
  Block& b = *f.block;
  const int i = static_cast<int>(f.pieces++);
  if (i < b.piece_count) {
    if (b.piece[i].bytes != bytes) fail(s, "threads carve shared memory differently, %zu and %zu bytes", b.piece[i].bytes, bytes);
    return b.piece[i].p;
  }
  b.shared_used += padded(bytes);
  if (b.shared_used > b.launch->shared)
    fail(s, "kernel carves %zu bytes of dynamic shared memory, the launch gave %zu", b.shared_used, b.launch->shared);
  if (i == kMaxPieces) fail(s, "too many pieces of shared memory");
  void* p;
#if defined(HOSTGPU_TSAN)
  p = b.arena + b.arena_used;
  b.arena_used += padded(bytes);
#else
  if (posix_memalign(&p, 128, bytes)) abort();
  std::memset(p, 0xff, bytes);
#endif
  b.piece[b.piece_count++] = {bytes, p};
  return p;
}

void push_copy(void* to, const void* from, Site s) {
  Fiber& f = *this_fiber;
  if (f.copies == kMaxCopies) fail(s, "too many cp.async in flight");
  f.copy[f.copies++] = {to, from};
}

void commit_copies() {
  Fiber& f = *this_fiber;
  if (f.groups == kMaxGroups) fail({"cp.async.commit_group", 0}, "too many groups in flight");
  f.group_end[f.groups++] = f.copies;
}

int ready_copies(int keep_groups, Copy** copies) {
  Fiber& f = *this_fiber;
  *copies = f.copy;
  return f.groups > keep_groups ? f.group_end[f.groups - 1 - keep_groups] : 0;
}

void drop_copies(int count) {
  Fiber& f = *this_fiber;
  for (int i = count; i < f.copies; ++i) f.copy[i - count] = f.copy[i];
  f.copies -= count;
  int kept = 0;
  for (int i = 0; i < f.groups; ++i)
    if (f.group_end[i] > count) f.group_end[kept++] = f.group_end[i] - count;
  f.groups = kept;
}

}  // namespace hostgpu
