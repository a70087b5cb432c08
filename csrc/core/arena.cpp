// One allocation a region, zeroed, on huge pages where it is large.
#include "core/arena.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "core/status.h"

namespace syn {
namespace {
constexpr int64_t kHugePage = int64_t{2} << 20;
}

Arena::~Arena() { std::free(base_); }

void* PlannedMemory::bump(int64_t count, size_t element) {
  int64_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(element), &bytes) ||
      __builtin_add_overflow(used_, bytes + alignment_, &bytes))
    fail_out_of_memory(what_, INT64_MAX);
  const int64_t begin = used_;
  used_ = (bytes - 1) & ~(alignment_ - 1);  // rounded up: bytes already holds one alignment too many
  if (!reserved_) return nullptr;
  if (used_ > size_) fail(SYN_INTERNAL, "%s: the second run of the plan took more than the first", what_);
  return base_ + begin;
}

int64_t PlannedMemory::end_plan() {
  if (reserved_) fail(SYN_INTERNAL, "%s: reserved twice", what_);
  reserved_ = true;
  size_ = used_;
  used_ = 0;
  return size_;
}

void Arena::reserve() {
  const int64_t size = end_plan();
  const bool huge = size >= 2 * kHugePage;
  const size_t alignment = static_cast<size_t>(huge ? kHugePage : kAlignment);
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, static_cast<size_t>(size > 0 ? size : 1)) != 0) fail_out_of_memory(what_, size);
  if (huge) madvise(memory, static_cast<size_t>(size), MADV_HUGEPAGE);  // advice only: failure costs speed, nothing else
  std::memset(memory, 0, static_cast<size_t>(size));
  base_ = static_cast<std::byte*>(memory);
}

}  // namespace syn
