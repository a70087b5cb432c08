// Opaque handles of the ABI: a tag that tells a live handle from a stale or foreign pointer, shared ownership of the object
// behind it (a child holds its parent's object, so handles may be destroyed in any order), and the count behind syn_live.
#ifndef SYN_CORE_HANDLE_H
#define SYN_CORE_HANDLE_H

#include <cstdint>
#include <memory>

#include "core/status.h"

namespace syn {

int64_t live_handles() noexcept;
void count_handle(int change) noexcept;

template <class T>
class Handle {
 public:
  explicit Handle(std::shared_ptr<T> object) : object_(std::move(object)) { count_handle(+1); }
  ~Handle() {
    tag_ = 0;
    count_handle(-1);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  bool valid() const noexcept { return tag_ == kTag; }
  const std::shared_ptr<T>& object() const noexcept { return object_; }

 private:
  static constexpr uint64_t kTag = 0x53796e4548526779;  // "SynEHRgy"
  uint64_t tag_ = kTag;
  std::shared_ptr<T> object_;
};

// The object behind a handle argument; name is the argument's, for the sentence.
template <class H>
auto& object_of(H* handle, const char* name) {
  if (!handle) fail(SYN_INVALID_ARGUMENT, "%s is NULL", name);
  if (!handle->valid()) fail(SYN_INVALID_ARGUMENT, "%s is not a live handle", name);
  return handle->object();
}

}  // namespace syn

#endif
