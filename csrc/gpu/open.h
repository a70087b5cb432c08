// A device behind the table of a backend, opened.
#ifndef SYN_GPU_OPEN_H
#define SYN_GPU_OPEN_H

#include "core/status.h"
#include "gpu/backend.h"

namespace syn::gpu {

// A device with its context, closed at the end.
class Session {
 public:
  Session(const Backend& table, int32_t device) : table_(table) {
    check(table_.describe(device, &info_), "a look at the device");
    check(table_.open(device, &context_), "opening the device");
  }
  ~Session() { table_.close(context_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Backend& table() const { return table_; }
  Context* context() const { return context_; }
  cuda::Stream stream() const { return table_.stream(context_); }
  const DeviceInfo& info() const { return info_; }

  // Throws SYN_INTERNAL with the words of a code that is not 0.
  void check(int code, const char* what) const {
    if (code != 0) fail(SYN_INTERNAL, "%s failed on the %s backend: %s", what, table_.name, table_.error_text(code));
  }

 private:
  const Backend& table_;
  Context* context_ = nullptr;
  DeviceInfo info_ = {};
};

}  // namespace syn::gpu

#endif
