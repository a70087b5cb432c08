// Opening a device, and its errors in words.
#include "gpu/open.h"

#include "core/status.h"

namespace syn::gpu {

Session::Session(const Backend& table, int32_t device) : table_(table) {
  int code = table.describe(device, &info_);
  if (code == 0) code = table.open(device, &context_);
  if (code != 0) fail(SYN_NO_DEVICE, "device %d of %s cannot be opened: %s", device, table.name, table.error_text(code));
}

Session::~Session() { table_.close(context_); }

void Session::check(int code, const char* what) const {
  if (code == 0) return;
  fail(code == kOutOfMemory ? SYN_OUT_OF_MEMORY : SYN_INTERNAL, "%s on %s: %s", what, info_.name, table_.error_text(code));
}

}  // namespace syn::gpu
