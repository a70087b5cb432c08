// One allocation a region, through the table of the backend.
#include "gpu/memory.h"

#include "core/status.h"

namespace syn::gpu {

template <int (*Backend::*kAllocate)(Context*, int64_t, void**), void (*Backend::*kRelease)(Context*, void*)>
void SessionMemory<kAllocate, kRelease>::reserve(std::shared_ptr<const Session> session) {
  const int64_t size = end_plan();
  void* memory = nullptr;
  const int code = (session->table().*kAllocate)(session->context(), size, &memory);
  if (code == kOutOfMemory) fail_out_of_memory(what_, size);
  session->check(code, what_);
  base_ = static_cast<std::byte*>(memory);
  session_ = std::move(session);
}

template <int (*Backend::*kAllocate)(Context*, int64_t, void**), void (*Backend::*kRelease)(Context*, void*)>
void SessionMemory<kAllocate, kRelease>::release() {
  if (session_) (session_->table().*kRelease)(session_->context(), base_);
  base_ = nullptr;
  session_.reset();
}

template class SessionMemory<&Backend::allocate, &Backend::release>;
template class SessionMemory<&Backend::allocate_pinned, &Backend::release_pinned>;

}  // namespace syn::gpu
