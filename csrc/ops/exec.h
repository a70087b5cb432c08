// What an op runs with: the threads of its device, the cancel flag of the handle it works for, and where a timed op notes its
// time.
#ifndef SYN_OPS_EXEC_H
#define SYN_OPS_EXEC_H

#include <atomic>

#include "core/pool.h"

namespace syn {

struct Profile;

struct Exec {
  Pool& pool;
  const std::atomic<bool>* cancel;  // may be null
  Profile* profile = nullptr;       // of the table of ops, where that is a timed one

  bool cancelled() const { return cancel && cancel->load(std::memory_order_relaxed); }
  void poll() const;  // throws SYN_CANCELLED when the flag is set; between ops, never inside a tile
};

}  // namespace syn

#endif
