// Devices and their memory: who owns which allocation, copies checked against it, errors kept until they are asked for. Fresh
// memory is NaN. Under the address sanitizer every allocation has red zones, and is poisoned but while a kernel or a copy of its
// own device runs: a host that dereferences a device pointer, and a kernel that reaches into another device, are reported.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "runtime.h"

#if defined(HOSTGPU_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace hostgpu {
namespace {

struct Allocation {
  size_t bytes;
  int device;
};
std::mutex guard;
std::map<uintptr_t, Allocation> allocations;
thread_local int device_of_thread = 0;
cudaError_t pending = cudaSuccess;
cudaError_t code_of_text = cudaSuccess;
std::string text;  // of the last error

uintptr_t number(const void* p) { return reinterpret_cast<uintptr_t>(p); }

// The allocation that holds bytes at p; null if none does.
const Allocation* holder(const void* p, size_t bytes) {
  auto it = allocations.upper_bound(number(p));
  if (it == allocations.begin()) return nullptr;
  --it;
  return number(p) + bytes <= it->first + it->second.bytes ? &it->second : nullptr;
}

cudaError_t refuse(cudaError_t code, const std::string& text) {
  set_error(code, "hostgpu: " + text);
  return code;
}

// Moves bytes as the sanitizers must not see it: both sides may be poisoned.
void move(void* to, const void* from, size_t bytes) {
  auto* d = static_cast<volatile unsigned char*>(to);
  auto* s = static_cast<const unsigned char*>(from);
  for (size_t i = 0; i < bytes; ++i) d[i] = s[i];
}

// Bytes of the current device.
size_t allocated() {
  const std::lock_guard<std::mutex> lock(guard);
  size_t sum = 0;
  for (const auto& [p, a] : allocations) sum += a.device == device_of_thread ? a.bytes : 0;
  return sum;
}

cudaError_t inside(const char* what, const void* p, size_t bytes) {
  const std::lock_guard<std::mutex> lock(guard);
  if (!bytes || holder(p, bytes)) return cudaSuccess;
  return refuse(cudaErrorInvalidValue,
                std::string(what) + " of " + std::to_string(bytes) + " bytes outside every device allocation");
}

void copy_now(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  std::string error;
  if (!ptx::on()) return move(to, from, bytes);
  if (kind == cudaMemcpyHostToDevice) error = ptx::write(to, from, bytes);
  if (kind == cudaMemcpyDeviceToHost) error = ptx::read(to, from, bytes);
  if (kind == cudaMemcpyDeviceToDevice) {
    std::vector<char> between(bytes);
    error = ptx::read(between.data(), from, bytes);
    if (error.empty()) error = ptx::write(to, between.data(), bytes);
  }
  if (!error.empty()) refuse(cudaErrorInvalidValue, error);
}

}  // namespace

void set_error(cudaError_t code, const std::string& words) {
  static std::mutex one;
  const std::lock_guard<std::mutex> lock(one);
  if (pending) return;
  text = words;
  code_of_text = pending = code;
}
bool has_error() { return pending != cudaSuccess; }
int current_device() { return device_of_thread; }

// Lets the kernels of one device at its memory, or nobody (-1).
void open_memory([[maybe_unused]] int device) {
#if defined(HOSTGPU_ASAN)
  if (ptx::on()) return;
  const std::lock_guard<std::mutex> lock(guard);
  for (const auto& [p, a] : allocations) {
    void* const start = reinterpret_cast<void*>(p);
    if (a.device == device)
      __asan_unpoison_memory_region(start, a.bytes);
    else
      __asan_poison_memory_region(start, a.bytes);
  }
#endif
}

}  // namespace hostgpu

using namespace hostgpu;

cudaError_t cudaGetLastError() {
  const cudaError_t e = pending;
  pending = cudaSuccess;
  return e;
}
const char* cudaGetErrorString(cudaError_t e) {
  if (e && e == code_of_text) return text.c_str();
  return !e ? "no error" : e == cudaErrorInvalidValue ? "invalid argument" : "an error of the emulation";
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = options().devices;
  return *count ? cudaSuccess : refuse(cudaErrorNoDevice, "no CUDA-capable device is detected");
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device < 0 || device >= options().devices) return refuse(cudaErrorInvalidDevice, "no device " + std::to_string(device));
  *p = {"hostgpu, no GPU", options().memory, 8, 0, 1};
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= options().devices) return refuse(cudaErrorInvalidDevice, "no device " + std::to_string(device));
  device_of_thread = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = device_of_thread;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  if (const cudaError_t lost = lost_device()) return lost;
  *total = options().memory;
  const size_t taken = allocated();
  *free = *total > taken ? *total - taken : 0;
  return cudaSuccess;
}

cudaError_t hostgpu_malloc(void** p, size_t bytes) {
  const auto mine = turn();
  size_t free = 0, total = 0;
  if (const cudaError_t e = cudaMemGetInfo(&free, &total)) return e;
  if (bytes > free) return refuse(cudaErrorMemoryAllocation, "out of memory");
  if (ptx::on()) {
    const std::string error = ptx::allocate(bytes, p);
    if (!error.empty()) return refuse(cudaErrorMemoryAllocation, error);
  } else {
    if (posix_memalign(p, 256, bytes ? bytes : 1)) return refuse(cudaErrorMemoryAllocation, "out of memory");
    std::memset(*p, 0xff, bytes);
  }
  {
    const std::lock_guard<std::mutex> lock(guard);
    allocations[number(*p)] = {bytes, current_device()};
  }
  open_memory(-1);
  return cudaSuccess;
}

cudaError_t cudaFree(void* p) {
  if (!p) return cudaSuccess;
  const auto mine = turn();
  cudaDeviceSynchronize();
  {
    const std::lock_guard<std::mutex> lock(guard);
    const auto it = allocations.find(number(p));
    if (it == allocations.end()) return refuse(cudaErrorInvalidValue, "cudaFree of what is no live allocation");
#if defined(HOSTGPU_ASAN)
    if (!ptx::on()) __asan_unpoison_memory_region(p, it->second.bytes);
#endif
    allocations.erase(it);
  }
  if (ptx::on()) {
    const std::string error = ptx::release(p);
    return error.empty() ? cudaSuccess : refuse(cudaErrorInvalidValue, error);
  }
#if defined(HOSTGPU_TSAN)
  if (fibers_abandoned) return cudaSuccess;
#endif
  free(p);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** p, size_t bytes) {
  if (posix_memalign(p, 256, bytes ? bytes : 1)) return refuse(cudaErrorMemoryAllocation, "out of memory");
  std::memset(*p, 0xff, bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  free(p);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  cudaError_t e = lost_device();
  if (!e && kind != cudaMemcpyDeviceToHost) e = inside("copy", to, bytes);
  if (!e && kind != cudaMemcpyHostToDevice) e = inside("copy", from, bytes);
  if (!e) enqueue(stream, [=] { copy_now(to, from, bytes, kind); });
  return e;
}
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t bytes, cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t e = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  return e ? e : cudaStreamSynchronize(nullptr);
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  cudaError_t e = lost_device();
  if (!e) e = inside("memset", p, bytes);
  if (!e)
    enqueue(stream, [=] {
      if (!ptx::on()) {
        auto* d = static_cast<volatile unsigned char*>(p);
        for (size_t i = 0; i < bytes; ++i) d[i] = static_cast<unsigned char>(value);
        return;
      }
      const std::string error = ptx::fill(p, value, bytes);
      if (!error.empty()) refuse(cudaErrorInvalidValue, error);
    });
  return e;
}
cudaError_t cudaMemset(void* p, int value, size_t bytes) { return cudaMemsetAsync(p, value, bytes, nullptr); }
