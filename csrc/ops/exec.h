// What an op runs with: the threads of its device and the cancel flag of the handle it works for.
#ifndef SYN_OPS_EXEC_H
#define SYN_OPS_EXEC_H

#include <atomic>

#include "core/pool.h"

namespace syn {

struct Exec {
  Pool& pool;
  const std::atomic<bool>* cancel;  // may be null

  bool cancelled() const { return cancel && cancel->load(std::memory_order_relaxed); }
  void poll() const;  // throws SYN_CANCELLED when the flag is set; between ops, never inside a tile
};

}  // namespace syn

#endif
