// The table of the hostgpu plugin (cuda/plugin.cpp), linked into the tests, with its allocations, launchers, products, copies and
// waits counted and faults that a test may ask for; and a device made from it.
#ifndef SYN_TESTS_GPU_HOST_BACKEND_H
#define SYN_TESTS_GPU_HOST_BACKEND_H

#include <algorithm>
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

// What goes wrong with the device.
struct Faults {
  int64_t memory = INT64_MAX;       // bytes that it has; INT64_MAX: those of the plugin
  int64_t allocations = INT64_MAX;  // so many more are had, then somebody else has taken what was free
  int64_t waits = INT64_MAX;        // so many more end well, in the next the device is lost
  bool lost = false;
};
inline Faults& faults() {
  static Faults now;
  return now;
}
// Asks for faults while it lives.
class WithFaults {
 public:
  explicit WithFaults(const Faults& f) { faults() = f; }
  ~WithFaults() { faults() = {}; }
  WithFaults(const WithFaults&) = delete;
  WithFaults& operator=(const WithFaults&) = delete;
};
constexpr int kUnavailable = 46;  // cudaErrorDevicesUnavailable

inline const gpu::Backend& plugin_table() { return *synehrgy_gpu_backend(gpu::kBackendAbi); }

// Calls through the table so far.
struct Calls {
  int64_t launchers = 0, products = 0, uploads = 0, downloads = 0, waits = 0, marks_reached = 0;
};
inline Calls& calls() {
  static Calls c;
  return c;
}

inline void add_faults(gpu::Backend& t) {
  t.error_text = [](int code) {
    return code == kUnavailable ? "all CUDA-capable devices are busy or unavailable" : plugin_table().error_text(code);
  };
  t.free_memory = [](gpu::Context* c, int64_t* bytes) {
    if (faults().lost) return kUnavailable;
    if (faults().memory == INT64_MAX) return plugin_table().free_memory(c, bytes);
    *bytes = std::max(int64_t{0}, faults().memory - device_memory().bytes());
    return 0;
  };
  t.upload = [](gpu::Context* c, void* to, const void* from, int64_t bytes) {
    ++calls().uploads;
    return faults().lost ? kUnavailable : plugin_table().upload(c, to, from, bytes);
  };
  t.download = [](gpu::Context* c, void* to, const void* from, int64_t bytes) {
    ++calls().downloads;
    return faults().lost ? kUnavailable : plugin_table().download(c, to, from, bytes);
  };
  t.upload_beside = [](gpu::Context* c, void* to, const void* from, int64_t bytes) {
    ++calls().uploads;
    return faults().lost ? kUnavailable : plugin_table().upload_beside(c, to, from, bytes);
  };
  t.reach_mark = [](gpu::Context* c, int32_t mark) {
    ++calls().marks_reached;
    const int code = plugin_table().reach_mark(c, mark);
    return faults().lost ? kUnavailable : code;
  };
  t.clear = [](gpu::Context* c, void* p, int64_t bytes) {
    return faults().lost ? kUnavailable : plugin_table().clear(c, p, bytes);
  };
  t.wait = [](gpu::Context* c) {
    ++calls().waits;
    const int code = plugin_table().wait(c);  // in any case: what is queued may use memory that goes soon
    faults().lost |= faults().waits-- <= 0;
    return faults().lost ? kUnavailable : code;
  };
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
    *out = nullptr;
    if (faults().lost) return kUnavailable;
    if (faults().allocations-- <= 0) return gpu::kOutOfMemory;
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
  add_faults(t);
  using B = gpu::Backend;
  count_calls<&B::norm_forward, &B::norm_backward, &B::embedding_backward, &B::gelu_forward, &B::gelu_backward,
              &B::swiglu_forward, &B::swiglu_backward, &B::bias_backward, &B::rope, &B::attention_forward, &B::attention_backward,
              &B::xent, &B::dropout, &B::grad_norm, &B::adamw, &B::muon_momentum, &B::muon_normalise, &B::muon_combine,
              &B::muon_update, &B::sample, &B::attention_decode, &B::round, &B::nearest>(t);
  return t;
}

// A device of a table that outlives it.
inline std::shared_ptr<Device> device_of(const gpu::Backend& table) {
  return std::make_shared<Device>(std::make_shared<gpu::Session>(table, 0));
}
inline std::shared_ptr<Device> host_gpu() {
  static const gpu::Backend table = host_backend();
  return device_of(table);
}
inline DeviceHandle host_gpu_device() { return DeviceHandle(new syn_device(host_gpu())); }

}  // namespace syn::tests

#endif
