// GELU in its tanh form (ops/activation.h), as x times a gate.
#ifndef SYN_CUDA_GELU_H
#define SYN_CUDA_GELU_H

#include "cuda/gpu.h"

namespace syn::cuda {

constexpr float kSigmoidBase = 1.44269504f;  // log2(e)
// 2 sqrt(2 / pi) and the factor of the cube
constexpr float kGeluOuter = 1.5957691216f, kGeluCube = 0.044715f;

__device__ __forceinline__ float sigmoid(float x) { return 1 / (1 + ::gpu::ex2(-x * kSigmoidBase)); }
__device__ __forceinline__ float gelu_gate(float x) { return sigmoid(kGeluOuter * (x + kGeluCube * x * x * x)); }
__device__ __forceinline__ float gelu(float x) { return x * gelu_gate(x); }

}  // namespace syn::cuda

#endif
