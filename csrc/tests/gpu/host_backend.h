// The table of the hostgpu plugin (cuda/plugin.cpp), linked into the tests, with its allocations, launchers and products counted;
// and a device made from it.
#ifndef SYN_TESTS_GPU_HOST_BACKEND_H
#define SYN_TESTS_GPU_HOST_BACKEND_H

#include <map>
#include <memory>

#include "abi/handles.h"
#include "gpu/open.h"
#include "tests/gpu/device_buffer.h"
#include "tests/handles.h"

extern "C" const syn::gpu::Backend* synehrgy_gpu_backend(uint32_t abi);

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

inline const gpu::Backend& plugin_table() { return *synehrgy_gpu_backend(gpu::kBackendAbi); }

// Calls through the table so far.
struct Calls {
  int64_t launchers = 0, products = 0;
};
inline Calls& calls() {
  static Calls c;
  return c;
}

// A launcher of the table that counts itself.
template <auto kEntry>
struct Counted;
template <class Args, int (*gpu::Backend::*kEntry)(cuda::Stream, const Args&)>
struct Counted<kEntry> {
  static int launch(cuda::Stream stream, const Args& args) {
    ++calls().launchers;
    return (plugin_table().*kEntry)(stream, args);
  }
};
template <auto... kEntries>
void count_calls(gpu::Backend& t) {
  ((t.*kEntries = Counted<kEntries>::launch), ...);
  t.product = [](gpu::Context* c, const gpu::Product& p) {
    ++calls().products;
    return plugin_table().product(c, p);
  };
}

inline gpu::Backend host_backend() {
  gpu::Backend t = plugin_table();
  t.allocate = [](gpu::Context* c, int64_t bytes, void** out) {
    const int code = plugin_table().allocate(c, bytes, out);
    if (code == 0 && *out) {
      ++device_memory().calls;
      device_memory().live[*out] = bytes;
    }
    return code;
  };
  t.release = [](gpu::Context* c, void* p) {
    plugin_table().release(c, p);
    device_memory().live.erase(p);
  };
  using B = gpu::Backend;
  count_calls<&B::norm_forward, &B::norm_backward, &B::embedding_backward, &B::gelu_forward, &B::gelu_backward,
              &B::swiglu_forward, &B::swiglu_backward, &B::bias_backward, &B::rope, &B::attention_forward, &B::attention_backward,
              &B::xent, &B::dropout, &B::grad_norm, &B::adamw, &B::sample, &B::attention_decode, &B::round>(t);
  return t;
}

inline std::shared_ptr<Device> host_gpu() {
  static const gpu::Backend table = host_backend();
  return std::make_shared<Device>(std::make_shared<gpu::Session>(table, 0));
}
inline DeviceHandle host_gpu_device() { return DeviceHandle(new syn_device(host_gpu())); }

}  // namespace syn::tests

#endif
