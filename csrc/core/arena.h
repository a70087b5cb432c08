// A region of memory that is planned before it is allocated. The code that lays out a region runs twice over the same Arena:
// first it only adds up (take returns NULL), then reserve() allocates that much at once, and the second run hands out the
// addresses. So an estimate and the real thing cannot disagree, and nothing is allocated later.
#ifndef SYN_CORE_ARENA_H
#define SYN_CORE_ARENA_H

#include <cstddef>
#include <cstdint>

namespace syn {

// The arithmetic of such a region, wherever its memory lies.
class PlannedMemory {
 public:
  PlannedMemory(const PlannedMemory&) = delete;
  PlannedMemory& operator=(const PlannedMemory&) = delete;

  // count elements, zeroed; NULL while planning.
  template <class T>
  T* take(int64_t count) {
    return static_cast<T*>(bump(count, sizeof(T)));
  }

  int64_t bytes() const { return reserved_ ? size_ : used_; }

 protected:
  PlannedMemory(const char* what, int64_t alignment) : what_(what), alignment_(alignment) {}
  ~PlannedMemory() = default;

  // Ends the planning run: the bytes that it took. The second run hands out base_, which is to be set to so many zeroed bytes.
  int64_t end_plan();

  const char* const what_;
  std::byte* base_ = nullptr;

 private:
  void* bump(int64_t count, size_t element);

  const int64_t alignment_;  // bytes
  bool reserved_ = false;
  int64_t size_ = 0;
  int64_t used_ = 0;
};

class Arena : public PlannedMemory {
 public:
  static constexpr int64_t kAlignment = 64;  // bytes: a cache line, an AVX-512 register

  explicit Arena(const char* what) : PlannedMemory(what, kAlignment) {}
  ~Arena();

  // Allocates what the planning run took and begins the second run. Throws SYN_OUT_OF_MEMORY with the bytes wanted.
  void reserve();
};

}  // namespace syn

#endif
