// Sum of squares of the gradient arena in double: first over fixed blocks of kGradBlock elements, then over the blocks in order.
// The bits do not depend on the threads. One pass over the gradient.
#ifndef SYN_OPS_GRAD_NORM_H
#define SYN_OPS_GRAD_NORM_H

#include <cstdint>

namespace syn {

constexpr int64_t kGradBlock = 16384;

template <class Real>
struct GradNormArgs {
  const Real* gradient;  // [count]
  int64_t count;
  double* partial;  // [grad_blocks(count)] workspace
  double* sum;      // [1]
};

inline int64_t grad_blocks(int64_t count) { return (count + kGradBlock - 1) / kGradBlock; }

}  // namespace syn

#endif
