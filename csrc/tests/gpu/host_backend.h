// A backend for tests of csrc/gpu: the launchers, the runtime of hostgpu, and a product in plain loops on the host. It stands in
// for csrc/cuda/plugin.cpp, whose hostgpu plugin has the same table and takes its place once it is there.
#ifndef SYN_TESTS_GPU_HOST_BACKEND_H
#define SYN_TESTS_GPU_HOST_BACKEND_H

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "gpu/open.h"
#include "tests/gpu/device_buffer.h"

namespace syn::gpu {

struct Context {
  cudaStream_t stream;
};

}  // namespace syn::gpu

namespace syn::tests {

// What the decoder asks for: C = A op(B) + bias without gaps between the rows of C.
inline int plain_product(gpu::Context* context, const gpu::Product& p) {
  if (p.a_transposed || p.add || p.ldc != p.n) return cuda::kInvalid;
  if (const int e = cudaStreamSynchronize(context->stream)) return e;
  const int64_t stored = p.b_transposed ? p.n : p.k, length = p.b_transposed ? p.k : p.n;
  const std::vector<float> a = from_bf16(from_device(p.a, (p.m - 1) * p.lda + p.k)),
                           b = from_bf16(from_device(p.b, (stored - 1) * p.ldb + length)),
                           bias = p.bias ? from_device(p.bias, p.n) : std::vector<float>(static_cast<size_t>(p.n));
  const int64_t next_term = p.b_transposed ? 1 : p.ldb, next_column = p.b_transposed ? p.ldb : 1;
  std::vector<float> c(static_cast<size_t>(p.m) * static_cast<size_t>(p.n));
  for (int64_t r = 0; r < p.m; ++r) {
    float* const row = c.data() + r * p.n;
    for (int64_t i = 0; i < p.k; ++i) {
      const float x = a[static_cast<size_t>(r * p.lda + i)];
      const float* const w = b.data() + i * next_term;
      for (int64_t o = 0; o < p.n; ++o) row[o] += x * w[o * next_column];
    }
    for (int64_t o = 0; o < p.n; ++o) row[o] += bias[static_cast<size_t>(o)];
  }
  if (p.c.precision == Precision::kFp32)
    return cudaMemcpy(p.c.data, c.data(), c.size() * sizeof(float), cudaMemcpyHostToDevice);
  const std::vector<bf16> rounded = to_bf16(c);
  return cudaMemcpy(p.c.data, rounded.data(), rounded.size() * sizeof(bf16), cudaMemcpyHostToDevice);
}

inline void fill_memory(gpu::Backend& b) {
  b.allocate = [](gpu::Context*, int64_t bytes, void** out) -> int {
    *out = nullptr;
    if (bytes == 0) return 0;
    if (const int e = cudaMalloc(out, static_cast<size_t>(bytes))) return e;
    const int e = cudaMemset(*out, 0, static_cast<size_t>(bytes));
    return e ? e : cudaStreamSynchronize(nullptr);
  };
  b.release = [](gpu::Context*, void* p) { cudaFree(p); };
  b.allocate_pinned = [](gpu::Context*, int64_t bytes, void** out) -> int {
    *out = bytes > 0 ? std::calloc(1, static_cast<size_t>(bytes)) : nullptr;
    return bytes > 0 && !*out ? cudaErrorMemoryAllocation : cudaSuccess;
  };
  b.release_pinned = [](gpu::Context*, void* p) { std::free(p); };
  b.upload = [](gpu::Context* c, void* to, const void* from, int64_t bytes) -> int {
    return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, c->stream);
  };
  b.download = [](gpu::Context* c, void* to, const void* from, int64_t bytes) -> int {
    return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, c->stream);
  };
  b.copy = [](gpu::Context* c, void* to, const void* from, int64_t bytes) -> int {
    return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, c->stream);
  };
  b.clear = [](gpu::Context* c, void* p, int64_t bytes) -> int {
    return cudaMemsetAsync(p, 0, static_cast<size_t>(bytes), c->stream);
  };
  b.wait = [](gpu::Context* c) -> int { return cudaStreamSynchronize(c->stream); };
}

inline void fill_launchers(gpu::Backend& b) {
  b.product = plain_product;
  b.norm_forward = cuda::norm_forward;
  b.norm_backward = cuda::norm_backward;
  b.embedding_forward = cuda::embedding_forward;
  b.embedding_backward = cuda::embedding_backward;
  b.gelu_forward = cuda::gelu_forward;
  b.gelu_backward = cuda::gelu_backward;
  b.swiglu_forward = cuda::swiglu_forward;
  b.swiglu_backward = cuda::swiglu_backward;
  b.bias_backward = cuda::bias_backward;
  b.rope = cuda::rope;
  b.attention_forward = cuda::attention_forward;
  b.attention_backward = cuda::attention_backward;
  b.xent = cuda::xent;
  b.dropout = cuda::dropout;
  b.grad_norm = cuda::grad_norm;
  b.adamw = cuda::adamw;
  b.sample = cuda::sample;
  b.attention_decode = cuda::attention_decode;
  b.round = cuda::round;
}

inline gpu::Backend host_backend() {
  gpu::Backend b = {};
  b.size = sizeof b;
  b.abi = gpu::kBackendAbi;
  b.name = "hostgpu";
  b.emulated = 1;
  b.error_text = [](int code) { return cudaGetErrorString(code); };
  b.devices = [](int32_t* count) -> int { return cudaGetDeviceCount(count); };
  b.describe = [](int32_t, gpu::DeviceInfo* out) -> int {
    *out = {};
    std::snprintf(out->name, sizeof out->name, "an emulation for tests");
    return 0;
  };
  b.open = [](int32_t device, gpu::Context** out) -> int {
    *out = nullptr;
    if (const int e = cudaSetDevice(device)) return e;
    *out = new gpu::Context{};
    return cudaStreamCreateWithFlags(&(*out)->stream, cudaStreamNonBlocking);
  };
  b.close = [](gpu::Context* c) {
    if (c) cudaStreamDestroy(c->stream);
    delete c;
  };
  b.stream = [](gpu::Context* c) { return c->stream; };
  fill_memory(b);
  fill_launchers(b);
  return b;
}

}  // namespace syn::tests

#endif
