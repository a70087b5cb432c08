// Plugins that cannot be used, each in its own way, for gpu_open_test.cpp; FAKE is the way.
//   1  no symbol       2  no table of this version     3  a table of another size
//   4  no driver       5  a driver without a device    6  a device that is too old     7  a device that cannot be opened
//   8  a device whose memory is taken
#include "gpu/backend.h"

using syn::gpu::Backend;
using syn::gpu::Context;
using syn::gpu::DeviceInfo;

namespace {

constexpr int kOutOfMemory = 2, kNoDriver = 35, kBusy = 46;

const char* error_text(int code) {
  if (code == kOutOfMemory) return "out of memory";
  return code == kNoDriver ? "no NVIDIA driver is installed (libcuda.so.1 was not found)" : "all devices are busy";
}
int devices(int32_t* count) {
  *count = FAKE == 4 || FAKE == 5 ? 0 : 1;
  return FAKE == 4 ? kNoDriver : 0;
}
int describe(int32_t, DeviceInfo* out) {
  *out = {"Fake T4", "fake", int64_t{16} << 30, FAKE == 6 ? 7 : 8, 5, 40};
  return 0;
}
int open_context(int32_t, Context** out) {
  *out = nullptr;
  return FAKE == 8 ? kOutOfMemory : kBusy;
}

Backend table_of_this_fake() {
  Backend t = {};
  t.size = sizeof(Backend) + (FAKE == 3 ? 8 : 0);
  t.abi = syn::gpu::kBackendAbi;
  t.name = "cuda";
  t.error_text = error_text;
  t.devices = devices;
  t.describe = describe;
  t.open = open_context;
  return t;
}

}  // namespace

#if FAKE == 1
extern "C" __attribute__((visibility("default"))) int another_symbol() { return table_of_this_fake().emulated; }
#else
extern "C" __attribute__((visibility("default"))) const Backend* synehrgy_gpu_backend(uint32_t abi) {
  static const Backend table = table_of_this_fake();
  return FAKE == 2 || abi != table.abi ? nullptr : &table;
}
#endif
