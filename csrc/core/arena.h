// A region of memory that is planned before it is allocated. The code that lays out a region runs twice over the same Arena:
// first it only adds up (take returns NULL), then reserve() allocates that much at once, and the second run hands out the
// addresses. So an estimate and the real thing cannot disagree, and nothing is allocated later.
#ifndef SYN_CORE_ARENA_H
#define SYN_CORE_ARENA_H

#include <cstddef>
#include <cstdint>

namespace syn {

class Arena {
 public:
  static constexpr int64_t kAlignment = 64;  // bytes: a cache line, an AVX-512 register

  explicit Arena(const char* what) : what_(what) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // count elements, zeroed; NULL while planning.
  template <class T>
  T* take(int64_t count) {
    return static_cast<T*>(bump(count, sizeof(T)));
  }

  // Allocates what the planning run took and begins the second run. Throws SYN_OUT_OF_MEMORY with the bytes wanted.
  void reserve();

  int64_t bytes() const { return base_ ? size_ : used_; }

 private:
  void* bump(int64_t count, size_t element);

  const char* what_;
  std::byte* base_ = nullptr;
  int64_t size_ = 0;
  int64_t used_ = 0;
};

}  // namespace syn

#endif
