// Memory of a device, and pinned memory of the host for copies to and from it: regions that are planned before they are allocated
// (core/arena.h), with pieces at multiples of 256 bytes. A session is used by one thread at a time, so whoever reserves or
// releases holds the device.
#ifndef SYN_GPU_MEMORY_H
#define SYN_GPU_MEMORY_H

#include <memory>

#include "core/arena.h"
#include "gpu/open.h"
#include "synehrgy.h"

namespace syn::gpu {

template <int (*Backend::*kAllocate)(Context*, int64_t, void**), void (*Backend::*kRelease)(Context*, void*)>
class SessionMemory final : public PlannedMemory {
 public:
  static constexpr int64_t kAlignment = 256;  // bytes: two cache lines of a GPU, what its allocations promise

  explicit SessionMemory(const char* what) : PlannedMemory(what, kAlignment) {}
  ~SessionMemory() { release(); }

  // Allocates what the planning run took and begins the second run. Throws SYN_OUT_OF_MEMORY with the bytes wanted.
  void reserve(std::shared_ptr<const Session> session);

  // Gives the memory back; every address that was handed out is void.
  void release();

 private:
  std::shared_ptr<const Session> session_;
};

using Region = SessionMemory<&Backend::allocate, &Backend::release>;
using Pinned = SessionMemory<&Backend::allocate_pinned, &Backend::release_pinned>;

// Sets plan.total to the sum of its regions, and throws SYN_OUT_OF_MEMORY with each of them where that is more than the device
// has for what ("training"): the bytes that are free, and `there` bytes of the plan that are allocated already. With the device
// held. Others may still take what is free before it is allocated, so an allocation may fail all the same.
void require_room(const Session& session, const char* what, syn_memory& plan, int64_t there);

}  // namespace syn::gpu

#endif
