// Opening a device of a GPU backend: the plugin, its device, a context on it, and errors as exceptions.
//
//   libsynehrgy_cuda.so, libsynehrgy_hostgpu.so   in the folder of the library, or in SYNEHRGY_BACKEND_DIR, an absolute path
//
// A plugin is opened once a process and never closed: a runtime with threads of its own cannot be unloaded.
#ifndef SYN_GPU_OPEN_H
#define SYN_GPU_OPEN_H

#include <memory>
#include <string>

#include "gpu/backend.h"

namespace syn::gpu {

constexpr int kOutOfMemory = 2;  // the code of an allocation that could not be had, cudaErrorMemoryAllocation

// A device with its context, closed at the end.
class Session {
 public:
  // Throws SYN_NO_DEVICE with the words of the backend where the device cannot be opened, SYN_OUT_OF_MEMORY where others left no
  // room for a context.
  Session(const Backend& table, int32_t device);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Backend& table() const { return table_; }
  Context* context() const { return context_; }
  cuda::Stream stream() const { return table_.stream(context_); }
  const DeviceInfo& info() const { return info_; }

  // Throws unless code is 0: what was done, where, and the words of the code. SYN_NO_DEVICE for a device that is there no longer,
  // SYN_OUT_OF_MEMORY for an allocation, else SYN_INTERNAL.
  void check(int code, const char* what) const;

 private:
  const Backend& table_;
  Context* context_ = nullptr;
  DeviceInfo info_ = {};
};

// Opens the first device of SYN_BACKEND_CUDA or SYN_BACKEND_HOSTGPU. Throws SYN_NO_DEVICE with the reason where there is none,
// SYN_ABI_MISMATCH for a plugin of another version, SYN_INVALID_ARGUMENT for a SYNEHRGY_BACKEND_DIR that is not absolute.
std::shared_ptr<Session> open_session(int32_t backend);

// The device that open_session would open, in words, or the reason why it would not. No context is made.
struct Offer {
  bool there;
  std::string words;
};
Offer offer_of(int32_t backend);

}  // namespace syn::gpu

#endif
