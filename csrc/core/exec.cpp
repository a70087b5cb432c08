// Polling of the cancel flag.
#include "ops/exec.h"

#include "core/status.h"

namespace syn {

void Exec::poll() const {
  if (cancelled()) throw Error(SYN_CANCELLED, "cancelled");
}

}  // namespace syn
