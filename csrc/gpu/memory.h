// Regions of memory for a device, planned before they are allocated (core/arena.h explains how): Region lies on the device,
// Pinned on the host where the device can reach it.
#ifndef SYN_GPU_MEMORY_H
#define SYN_GPU_MEMORY_H

#include <cstddef>
#include <memory>

#include "gpu/open.h"

namespace syn::gpu {

template <bool kOnHost>
class SessionMemory {
 public:
  static constexpr int64_t kAlignment = 256;  // bytes: what the allocations of a GPU promise

  explicit SessionMemory(const char* what) : what_(what) {}
  ~SessionMemory() { release(); }
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;

  // count elements, zeroed; null while planning.
  template <class T>
  T* take(int64_t count) {
    int64_t bytes = 0;
    if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(sizeof(T)), &bytes) ||
        __builtin_add_overflow(used_, bytes + kAlignment, &bytes))
      fail_out_of_memory(what_, INT64_MAX);
    const int64_t begin = used_;
    used_ = (bytes - 1) & ~(kAlignment - 1);
    if (!session_) return nullptr;
    if (used_ > size_) fail(SYN_INTERNAL, "%s: the second run of the plan took more than the first", what_);
    return reinterpret_cast<T*>(static_cast<std::byte*>(base_) + begin);
  }

  // Allocates what the planning run took and begins the second run. Throws SYN_OUT_OF_MEMORY with the bytes wanted.
  void reserve(std::shared_ptr<const Session> session) {
    if (session_) fail(SYN_INTERNAL, "%s: reserved twice", what_);
    const auto allocate = kOnHost ? session->table().allocate_pinned : session->table().allocate;
    if (allocate(session->context(), used_, &base_) != 0) fail_out_of_memory(what_, used_);
    size_ = used_;
    used_ = 0;
    session_ = std::move(session);
  }

  // Gives the memory back; every address that was handed out is void.
  void release() {
    if (session_) (kOnHost ? session_->table().release_pinned : session_->table().release)(session_->context(), base_);
    session_.reset();
  }

  int64_t bytes() const { return session_ ? size_ : used_; }

 private:
  const char* what_;
  std::shared_ptr<const Session> session_;
  void* base_ = nullptr;
  int64_t size_ = 0, used_ = 0;
};

using Region = SessionMemory<false>;
using Pinned = SessionMemory<true>;

}  // namespace syn::gpu

#endif
