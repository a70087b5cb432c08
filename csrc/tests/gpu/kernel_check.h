// Judging a kernel: its distance from the double oracle may be at most twice (outputs) or three times (gradients) the distance of
// a plain pipeline with the same storage, plus a few units in the last place; see tests/op_check.h. The plain pipeline is the
// reference backend in float, rounding where ops/precision.h rounds.
#ifndef SYN_TESTS_GPU_KERNEL_CHECK_H
#define SYN_TESTS_GPU_KERNEL_CHECK_H

#include "tests/gpu/device_buffer.h"
#include "tests/op_check.h"

namespace syn::tests {

// Race checks take long: under the thread sanitizer the larger shapes are left out.
#if defined(__SANITIZE_THREAD__)
constexpr bool kSmallOnly = true;
#else
constexpr bool kSmallOnly = false;
#endif

// Numbers that bf16 holds exactly, the same for every type.
template <class Real>
std::vector<Real> bf16_numbers(int64_t count, uint32_t seed, double size = 1) {
  std::vector<Real> out = numbers<Real>(count, seed, size);
  for (Real& x : out) x = static_cast<Real>(from_bf16(to_bf16(static_cast<double>(x))));
  return out;
}

// reference(Real{}, ops, exec, precision) -> Outputs; device() -> Outputs of the kernel.
template <class Reference, class Device>
void check_kernel(Precision p, double factor, Reference&& reference, Device&& device) {
  Pool one(1);
  Exec alone{one, nullptr};
  const Outputs oracle = reference(double{}, ref::table(), alone, Precision::kFp32);
  const Outputs plain = reference(float{}, ref::plain_float_table(), alone, p);
  compare(device(), plain, oracle, factor);
}

}  // namespace syn::tests

#endif
