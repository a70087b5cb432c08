// A backend with its threads: what a model lives on.
#ifndef SYN_CORE_DEVICE_H
#define SYN_CORE_DEVICE_H

#include <memory>
#include <mutex>

#include "core/machine.h"
#include "core/pool.h"
#include "synehrgy.h"

namespace syn {

template <class Real>
struct Ops;

namespace gpu {
class Session;
}

struct Device {
  // backend: one of SYN_BACKEND_...; threads 0: machine_threads(). SYN_NO_DEVICE for the CPU backend on a CPU without AVX2 and
  // FMA; gpu/open.h says what the GPU backends throw.
  Device(int32_t backend, int32_t threads);
  // A device of a GPU backend that was opened already, with one thread of the host.
  explicit Device(std::shared_ptr<gpu::Session> session);

  const int32_t backend;
  const Isa isa;  // of the host
  Pool pool;
  const std::shared_ptr<gpu::Session> gpu;  // null on ref and cpu
  mutable std::mutex busy;  // held by whoever runs ops: handles of one device may be used from different threads, the pool by one

  // The op table: double on the reference backend, float on the CPU; SYN_INTERNAL for the other type.
  template <class Real>
  const Ops<Real>& ops() const;
};

}  // namespace syn

#endif
