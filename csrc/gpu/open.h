// A device of a GPU backend, opened: the table of its plugin, its context, and errors as exceptions.
#ifndef SYN_GPU_OPEN_H
#define SYN_GPU_OPEN_H

#include "gpu/backend.h"

namespace syn::gpu {

class Session {
 public:
  // Throws SYN_NO_DEVICE with the words of the backend where the device cannot be opened.
  Session(const Backend& table, int32_t device);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Backend& table() const { return table_; }
  Context* context() const { return context_; }
  cuda::Stream stream() const { return table_.stream(context_); }
  const DeviceInfo& info() const { return info_; }

  // Throws SYN_INTERNAL, of allocations SYN_OUT_OF_MEMORY, unless code is 0: what was done, the device, the words of the code.
  void check(int code, const char* what) const;

 private:
  const Backend& table_;
  Context* context_ = nullptr;
  DeviceInfo info_ = {};
};

constexpr int kOutOfMemory = 2;  // the code of an allocation that could not be had, cudaErrorMemoryAllocation

}  // namespace syn::gpu

#endif
