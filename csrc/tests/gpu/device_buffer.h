// Arrays on the device for tests, and the digest of everything that tests read back: it must not depend on the schedule. The
// device is the emulation (SYN_HOSTGPU) or a GPU.
#ifndef SYN_TESTS_GPU_DEVICE_BUFFER_H
#define SYN_TESTS_GPU_DEVICE_BUFFER_H

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "cuda/ops.h"

#if defined(SYN_HOSTGPU)
#include "tests/gpu/hostgpu/runtime_api.h"
#else
#include <cuda_runtime.h>
#endif

namespace syn::tests {

using cuda::bf16;

inline uint64_t& digest() {
  static uint64_t d = 1469598103934665603ull;
  return d;
}

inline void must(int code) { ASSERT_EQ(code, 0) << cudaGetErrorString(static_cast<cudaError_t>(code)); }

// A device array with a copy on the host. Made from a size it is left uninitialised: a kernel that reads it is reported.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::vector<T> x) : host_(std::move(x)) {
    allocate();
    upload();
  }
  explicit Buffer(int64_t count) : host_(static_cast<size_t>(count)) { allocate(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { cudaFree(device_); }

  operator T*() const { return device_; }
  T* get() const { return device_; }
  std::vector<T>& host() { return host_; }
  size_t bytes() const { return host_.size() * sizeof(T); }

  void upload() { must(cudaMemcpy(device_, host_.data(), bytes(), cudaMemcpyHostToDevice)); }
  const std::vector<T>& download() {
    must(cudaMemcpy(host_.data(), device_, bytes(), cudaMemcpyDeviceToHost));
    const auto* p = reinterpret_cast<const unsigned char*>(host_.data());
    for (size_t i = 0; i < bytes(); ++i) digest() = (digest() ^ p[i]) * 1099511628211ull;
    return host_;
  }

 private:
  void allocate() { must(cudaMalloc(&device_, bytes())); }

  T* device_ = nullptr;
  std::vector<T> host_;
};

// Numbers of the device, with nothing of the digest.
template <class T>
std::vector<T> from_device(const T* p, int64_t count) {
  std::vector<T> out(static_cast<size_t>(count));
  must(cudaMemcpy(out.data(), p, out.size() * sizeof(T), cudaMemcpyDeviceToHost));
  return out;
}

inline bf16 to_bf16(double x) { return {static_cast<uint16_t>(bits_of(round_bf16(static_cast<float>(x))) >> 16)}; }
inline float from_bf16(bf16 x) { return float_of(uint32_t{x.bits} << 16); }

template <class Real>
std::vector<bf16> to_bf16(const std::vector<Real>& x) {
  std::vector<bf16> out;
  for (const Real v : x) out.push_back(to_bf16(static_cast<double>(v)));
  return out;
}
inline std::vector<float> from_bf16(const std::vector<bf16>& x) {
  std::vector<float> out;
  for (const bf16 v : x) out.push_back(from_bf16(v));
  return out;
}

// A tensor of either precision, made from numbers and read as numbers.
class TensorBuffer {
 public:
  TensorBuffer(Precision p, int64_t count)
      : precision_(p), wide_(p == Precision::kBf16 ? 0 : count), narrow_(p == Precision::kBf16 ? count : 0) {}
  TensorBuffer(Precision p, const std::vector<float>& x)
      : precision_(p),
        wide_(p == Precision::kBf16 ? std::vector<float>() : x),
        narrow_(p == Precision::kBf16 ? to_bf16(x) : std::vector<bf16>()) {}

  cuda::Tensor view() const {
    return {precision_ == Precision::kBf16 ? static_cast<void*>(narrow_.get()) : wide_.get(), precision_};
  }
  std::vector<float> download() { return precision_ == Precision::kBf16 ? from_bf16(narrow_.download()) : wide_.download(); }

 private:
  Precision precision_;
  Buffer<float> wide_;
  Buffer<bf16> narrow_;
};

}  // namespace syn::tests

#endif
