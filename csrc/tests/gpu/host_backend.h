// The table of a GPU backend (gpu/backend.h) over the emulation in this process, with plain loops for products, and a device made
// from it: for tests of what lies above the table. A fixture, to be dropped where the table of the hostgpu plugin can be linked.
#ifndef SYN_TESTS_GPU_HOST_BACKEND_H
#define SYN_TESTS_GPU_HOST_BACKEND_H

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>

#include "abi/handles.h"
#include "gpu/open.h"
#include "tests/gpu/device_buffer.h"
#include "tests/handles.h"

namespace syn::gpu {

struct Context {
  int32_t device;
  cudaStream_t stream;
};

}  // namespace syn::gpu

namespace syn::tests {

// Device memory that is allocated, and how often it was asked for.
struct DeviceMemory {
  std::map<void*, int64_t> live;
  int64_t calls = 0;

  int64_t bytes() const {
    int64_t sum = 0;
    for (const auto& [p, n] : live) sum += n;
    return sum;
  }
};
inline DeviceMemory& device_memory() {
  static DeviceMemory memory;
  return memory;
}

inline int open_host(int32_t device, gpu::Context** out) {
  if (const int e = cudaSetDevice(device)) return e;
  auto context = std::make_unique<gpu::Context>(gpu::Context{device, nullptr});
  if (const int e = cudaStreamCreateWithFlags(&context->stream, cudaStreamNonBlocking)) return e;
  *out = context.release();
  return 0;
}
inline void close_host(gpu::Context* c) {
  cudaStreamDestroy(c->stream);
  delete c;
}
inline int describe_host(int32_t, gpu::DeviceInfo* out) {
  *out = {};
  std::snprintf(out->name, sizeof out->name, "the emulation of the tests");
  return 0;
}

inline int allocate_host(gpu::Context* c, int64_t bytes, void** out) {
  *out = nullptr;
  if (bytes == 0) return 0;
  if (const int e = cudaMalloc(out, static_cast<size_t>(bytes))) return e;
  ++device_memory().calls;
  device_memory().live[*out] = bytes;
  const int e = cudaMemsetAsync(*out, 0, static_cast<size_t>(bytes), c->stream);
  return e ? e : cudaStreamSynchronize(c->stream);
}
inline void release_host(gpu::Context*, void* p) {
  cudaFree(p);
  device_memory().live.erase(p);
}
inline int allocate_pinned_host(gpu::Context*, int64_t bytes, void** out) {
  *out = std::calloc(1, static_cast<size_t>(bytes));
  return *out ? 0 : cudaErrorMemoryAllocation;
}

// The numbers of a [rows, columns] matrix of bf16.
inline std::vector<float> fetch_bf16(const bf16* from, int64_t rows, int64_t columns, int64_t ld) {
  std::vector<bf16> x(static_cast<size_t>((rows - 1) * ld + columns));
  must(cudaMemcpy(x.data(), from, x.size() * sizeof(bf16), cudaMemcpyDeviceToHost));
  return from_bf16(x);
}

template <class T, class Number>
void multiply(const gpu::Product& p, const Number& stored) {
  const std::vector<float> a = fetch_bf16(p.a, p.a_transposed ? p.k : p.m, p.a_transposed ? p.m : p.k, p.lda),
                           b = fetch_bf16(p.b, p.b_transposed ? p.n : p.k, p.b_transposed ? p.k : p.n, p.ldb);
  std::vector<float> bias(p.bias ? static_cast<size_t>(p.n) : 0);
  std::vector<T> c(static_cast<size_t>((p.m - 1) * p.ldc + p.n));
  if (p.bias) must(cudaMemcpy(bias.data(), p.bias, bias.size() * sizeof(float), cudaMemcpyDeviceToHost));
  must(cudaMemcpy(c.data(), p.c.data, c.size() * sizeof(T), cudaMemcpyDeviceToHost));
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      const int64_t a0 = p.a_transposed ? i : i * p.lda, a1 = p.a_transposed ? p.lda : 1;
      const int64_t b0 = p.b_transposed ? j * p.ldb : j, b1 = p.b_transposed ? 1 : p.ldb;
      float sum = 0;
      for (int64_t k = 0; k < p.k; ++k) sum += a[static_cast<size_t>(a0 + k * a1)] * b[static_cast<size_t>(b0 + k * b1)];
      if (p.bias) sum += bias[static_cast<size_t>(j)];
      stored(c[static_cast<size_t>(i * p.ldc + j)], sum);
    }
  must(cudaMemcpy(p.c.data, c.data(), c.size() * sizeof(T), cudaMemcpyHostToDevice));
}

// At once, after everything that is queued.
inline int product_host(gpu::Context* c, const gpu::Product& p) {
  if (const int e = cudaStreamSynchronize(c->stream)) return e;
  if (p.c.precision == Precision::kBf16)
    multiply<bf16>(p, [](bf16& to, float x) { to = to_bf16(static_cast<double>(x)); });
  else
    multiply<float>(p, [&](float& to, float x) { to = p.add ? to + x : x; });
  return 0;
}

inline gpu::Backend host_backend() {
  gpu::Backend t = {};
  t.size = sizeof t;
  t.abi = gpu::kBackendAbi;
  t.name = "hostgpu";
  t.emulated = 1;
  t.error_text = [](int code) { return cudaGetErrorString(code); };
  t.devices = [](int32_t* count) { return cudaGetDeviceCount(count); };
  t.describe = describe_host;
  t.open = open_host;
  t.close = close_host;
  t.stream = [](gpu::Context* c) { return c->stream; };
  t.allocate = allocate_host;
  t.release = release_host;
  t.allocate_pinned = allocate_pinned_host;
  t.release_pinned = [](gpu::Context*, void* p) { std::free(p); };
  t.upload = [](gpu::Context* c, void* to, const void* from, int64_t bytes) {
    return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, c->stream);
  };
  t.download = [](gpu::Context* c, void* to, const void* from, int64_t bytes) {
    return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, c->stream);
  };
  t.copy = [](gpu::Context* c, void* to, const void* from, int64_t bytes) {
    return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, c->stream);
  };
  t.clear = [](gpu::Context* c, void* p, int64_t bytes) { return cudaMemsetAsync(p, 0, static_cast<size_t>(bytes), c->stream); };
  t.wait = [](gpu::Context* c) { return cudaStreamSynchronize(c->stream); };
  t.product = product_host;
  t.norm_forward = cuda::norm_forward;
  t.norm_backward = cuda::norm_backward;
  t.embedding_forward = cuda::embedding_forward;
  t.embedding_backward = cuda::embedding_backward;
  t.gelu_forward = cuda::gelu_forward;
  t.gelu_backward = cuda::gelu_backward;
  t.swiglu_forward = cuda::swiglu_forward;
  t.swiglu_backward = cuda::swiglu_backward;
  t.bias_backward = cuda::bias_backward;
  t.rope = cuda::rope;
  t.attention_forward = cuda::attention_forward;
  t.attention_backward = cuda::attention_backward;
  t.xent = cuda::xent;
  t.dropout = cuda::dropout;
  t.grad_norm = cuda::grad_norm;
  t.adamw = cuda::adamw;
  t.sample = cuda::sample;
  t.attention_decode = cuda::attention_decode;
  t.round = cuda::round;
  return t;
}

inline DeviceHandle host_gpu_device() {
  static const gpu::Backend table = host_backend();
  return DeviceHandle(new syn_device(std::make_shared<Device>(std::make_shared<gpu::Session>(table, 0))));
}

}  // namespace syn::tests

#endif
