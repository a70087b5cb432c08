// Squared Euclidean distance of two rows, sum_c (x_c - y_c)^2, in double over eight interleaved sums that are added in order: the
// same bits whatever the vector width. Equal rows give exactly 0. Memory traffic: both rows once.
#ifndef SYN_MATH_DISTANCE_H
#define SYN_MATH_DISTANCE_H

#include <cstdint>

#include "math/bits.h"

namespace syn {

// One of the eight sums, j = 0 .. 7: the distance is sum 0, plus sum 1, plus sum 2, ...
SYN_HD double distance_lane(const float* x, const float* y, int64_t d, int64_t j) {
  double sum = 0;
  for (int64_t c = j; c < d; c += 8) {
    const double e = static_cast<double>(x[c]) - static_cast<double>(y[c]);
    sum = fused(e, e, sum);
  }
  return sum;
}

SYN_HD double squared_distance(const float* x, const float* y, int64_t d) {
  double lane[8] = {};
  int64_t c = 0;
  for (; c + 8 <= d; c += 8) {
    for (int64_t j = 0; j < 8; ++j) {
      const double e = static_cast<double>(x[c + j]) - static_cast<double>(y[c + j]);
      lane[j] = fused(e, e, lane[j]);
    }
  }
  for (int64_t j = 0; c < d; ++c, ++j) {
    const double e = static_cast<double>(x[c]) - static_cast<double>(y[c]);
    lane[j] = fused(e, e, lane[j]);
  }
  double sum = lane[0];
  for (int j = 1; j < 8; ++j) sum += lane[j];
  return sum;
}

// One neighbour; nearer(p, q): p comes first.
struct Neighbour {
  double distance;
  int64_t index;
};

SYN_HD bool nearer(const Neighbour& p, const Neighbour& q) {
  return p.distance < q.distance || (p.distance == q.distance && p.index < q.index);
}

// Puts x into best[0..count), ascending, which holds at most k; returns the new count.
SYN_HD int32_t insert_neighbour(Neighbour* best, int32_t count, int32_t k, Neighbour x) {
  if (count == k && !nearer(x, best[k - 1])) return count;
  int32_t i = count < k ? count : k - 1;
  for (; i > 0 && nearer(x, best[i - 1]); --i) best[i] = best[i - 1];
  best[i] = x;
  return count < k ? count + 1 : k;
}

}  // namespace syn

#endif
