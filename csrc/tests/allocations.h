// The number of heap allocations of this process so far, by whatever name: the executable's malloc stands before the C library's.
#ifndef SYN_TESTS_ALLOCATIONS_H
#define SYN_TESTS_ALLOCATIONS_H

#include <cstdint>

namespace syn::tests {

// False under a sanitizer, whose own malloc must not be replaced.
bool allocations_are_counted();
int64_t allocations();

}  // namespace syn::tests

#endif
