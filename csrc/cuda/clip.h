// What the optimizers make of the sum of squares that grad_norm left: every thread computes it for itself, so that no step waits
// for the host.
#ifndef SYN_CUDA_CLIP_H
#define SYN_CUDA_CLIP_H

#include "cuda/gpu.h"

namespace syn::cuda {

constexpr double kClipEpsilon = 1e-6;  // as in model/trainer.cpp

__device__ __forceinline__ double gradient_norm(const double* square_sum, double targets) { return sqrt(*square_sum) / targets; }

// A step whose norm is not finite is skipped.
__device__ __forceinline__ bool is_finite(double norm) { return norm - norm == 0; }

// The factor of the gradient.
__device__ __forceinline__ float gradient_scale(double norm, double targets, double clip) {
  return static_cast<float>((clip > 0 && norm > clip ? clip / (norm + kClipEpsilon) : 1) / targets);
}

}  // namespace syn::cuda

#endif
