// Which table of decoding ops a device uses.
#include "core/device.h"
#include "core/status.h"
#include "ops/decode_table.h"

namespace syn {

template <>
const DecodeOps<double>& decode_ops(const Device& device) {
  if (device.backend != SYN_BACKEND_REF)
    fail(SYN_INTERNAL, "double precision decoding exists on the reference backend only");
  return ref::decode_table();
}

template <>
const DecodeOps<float>& decode_ops(const Device& device) {
  if (device.backend != SYN_BACKEND_CPU)
    fail(SYN_INTERNAL, "single precision decoding exists on the CPU backend only");
  return device.isa >= Isa::kAvx512 ? cpu::avx512::decode_table() : cpu::avx2::decode_table();
}

}  // namespace syn
