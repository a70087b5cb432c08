// A region of zeroed pages that cost memory only once they are touched: for caches and records that are planned for the longest
// case and mostly stay short. One reservation, nothing allocated later.
#ifndef SYN_CORE_PAGES_H
#define SYN_CORE_PAGES_H

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace syn {

class Pages {
 public:
  // what names the region in the sentence of SYN_OUT_OF_MEMORY. bytes may be 0.
  Pages(const char* what, int64_t bytes);
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // The region as elements of T, from byte offset on.
  template <class T>
  T* at(int64_t offset) const {
    return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(base_) + static_cast<uintptr_t>(offset));
  }

 private:
  std::byte* base_ = nullptr;
  size_t bytes_;
};

// a b c d …, SYN_OUT_OF_MEMORY with the name when it does not fit in 63 bits.
int64_t checked_product(const char* what, std::initializer_list<int64_t> factors);

}  // namespace syn

#endif
