// What the machine can do, as the ceilings of a profile: multiply-adds on registers, and a stream through memory,
//   a[i] = b[i] + 3 c[i]
// Both keep every thread of the pool busy. What they compute is of no use, and how fast is no promise.
#ifndef SYN_OPS_PEAK_H
#define SYN_OPS_PEAK_H

#include "ops/exec.h"

namespace syn {

constexpr int64_t kFmaTasks = 64;  // of fma_peak: enough for any pool to share evenly

template <class Real>
struct TriadArgs {
  Real* a;  // [count]
  const Real *b, *c;
  int64_t count;
};

}  // namespace syn

#endif
