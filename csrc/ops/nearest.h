// Nearest neighbours: for each row of a [n,d] the k rows of b [m,d] with the smallest squared Euclidean distance
//   D(x, y) = sum_c (x_c - y_c)^2, summed in double by csrc/math/distance.h,
// nearest first, ties to the lower index; exclude_self leaves row i of b out for row i of a. Where b has fewer rows to offer the
// distance is +inf and the index -1. Equal rows are at exactly 0.
// Determinism: D is exact to the bit in every backend, so distances and order are too.
#ifndef SYN_OPS_NEAREST_H
#define SYN_OPS_NEAREST_H

#include <cstdint>

namespace syn {

struct NearestArgs {
  const float* a;  // [n, d] finite
  int64_t n;
  const float* b;  // [m, d] finite
  int64_t m;
  int32_t d, k;
  bool exclude_self;
  float* distance;  // [n, k]
  int32_t* index;   // [n, k]
  void* workspace;  // nearest_workspace(...) bytes of the backend, aligned to 64
};

}  // namespace syn

#endif
