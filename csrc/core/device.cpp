// Which backend, which instruction set, which op table.
#include "core/device.h"

#include "core/status.h"
#include "cpu/table.h"
#include "gpu/open.h"
#include "ops/table.h"
#include "ref/table.h"

namespace syn {
namespace {

Isa isa_for(int32_t backend) {
  switch (backend) {
    case SYN_BACKEND_REF: return Isa::kNone;
    case SYN_BACKEND_CPU: {
      const Isa isa = machine_isa();
      if (isa == Isa::kNone)
        fail(SYN_NO_DEVICE, "the CPU backend needs AVX2 and FMA, which this CPU lacks; the reference backend (--device ref) runs, slowly");
      return isa;
    }
    case SYN_BACKEND_CUDA:
    case SYN_BACKEND_HOSTGPU: return machine_isa();
    default: fail(SYN_INVALID_ARGUMENT, "backend is %d, expected 0 (cpu), 1 (ref), 2 (cuda) or 3 (hostgpu)", backend);
  }
}

int thread_count(int32_t asked) {
  if (asked < 0 || asked > 256) fail(SYN_INVALID_ARGUMENT, "threads is %d, expected 0 to 256", asked);
  return asked > 0 ? asked : machine_threads();
}

bool on_gpu(int32_t backend) { return backend == SYN_BACKEND_CUDA || backend == SYN_BACKEND_HOSTGPU; }

}  // namespace

Device::Device(int32_t backend_, int32_t threads)
    : backend(backend_),
      isa(isa_for(backend_)),
      pool(thread_count(threads)),
      gpu(on_gpu(backend_) ? gpu::open_session(backend_) : nullptr) {}

Device::Device(std::shared_ptr<gpu::Session> session)
    : backend(session->table().emulated ? SYN_BACKEND_HOSTGPU : SYN_BACKEND_CUDA),
      isa(machine_isa()),
      pool(1),
      gpu(std::move(session)) {}

template <>
const Ops<double>& Device::ops<double>() const {
  if (backend != SYN_BACKEND_REF) fail(SYN_INTERNAL, "double precision ops exist on the reference backend only");
  return ref::table();
}

template <>
const Ops<float>& Device::ops<float>() const {
  if (backend != SYN_BACKEND_CPU) fail(SYN_INTERNAL, "single precision ops exist on the CPU backend only");
  return isa >= Isa::kAvx512 ? cpu::avx512::table() : cpu::avx2::table();
}

}  // namespace syn
