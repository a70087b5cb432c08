// The rotation of ops/rope.h, of one pair of numbers.
#ifndef SYN_CUDA_TURN_H
#define SYN_CUDA_TURN_H

#include "cuda/gpu.h"

namespace syn::cuda {

struct Turned {
  float first, second;  // of the first and of the second half of a head
};

__device__ __forceinline__ Turned turn_pair(float first, float second, float cos, float sin) {
  return {first * cos - second * sin, second * cos + first * sin};
}

}  // namespace syn::cuda

#endif
