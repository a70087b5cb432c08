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

void* Arena::bump(int64_t count, size_t element) {
  int64_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(element), &bytes) ||
      __builtin_add_overflow(used_, bytes + kAlignment, &bytes))
    fail_out_of_memory(what_, INT64_MAX);
  const int64_t begin = used_;
  used_ = (bytes - 1) & ~(kAlignment - 1);  // rounded up: bytes already holds one alignment too many
  if (!base_) return nullptr;
  if (used_ > size_) fail(SYN_INTERNAL, "%s: the second run of the plan took more than the first", what_);
  return base_ + begin;
}

void Arena::reserve() {
  if (base_) fail(SYN_INTERNAL, "%s: reserved twice", what_);
  size_ = used_;
  used_ = 0;
  const bool huge = size_ >= 2 * kHugePage;
  const size_t alignment = static_cast<size_t>(huge ? kHugePage : kAlignment);
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, static_cast<size_t>(size_ > 0 ? size_ : 1)) != 0) fail_out_of_memory(what_, size_);
  if (huge) madvise(memory, static_cast<size_t>(size_), MADV_HUGEPAGE);  // advice only: failure costs speed, nothing else
  std::memset(memory, 0, static_cast<size_t>(size_));
  base_ = static_cast<std::byte*>(memory);
}

}  // namespace syn
