// Anonymous mappings.
#include "core/pages.h"

#include <sys/mman.h>

#include "core/status.h"

namespace syn {

Pages::Pages(const char* what, int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
  if (bytes < 0) fail_out_of_memory(what, INT64_MAX);
  if (bytes == 0) return;
  void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail_out_of_memory(what, bytes);
  madvise(memory, bytes_, MADV_HUGEPAGE);  // advice only: failure costs speed, nothing else
  base_ = static_cast<std::byte*>(memory);
}

Pages::~Pages() {
  if (base_) munmap(base_, bytes_);
}

int64_t checked_product(const char* what, std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (const int64_t f : factors) {
    if (f < 0 || __builtin_mul_overflow(product, f, &product)) fail_out_of_memory(what, INT64_MAX);
  }
  return product;
}

}  // namespace syn
