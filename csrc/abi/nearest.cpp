// Entry point of the nearest neighbours.
#include <cmath>

#include "abi/handles.h"
#include "core/pages.h"
#include "gpu/nearest.h"
#include "ops/decode_table.h"

namespace {

using syn::require;

void check_matrix(const char* name, const float* x, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows * columns; ++i) {
    if (!std::isfinite(x[i]))
      syn::fail(SYN_NUMERIC, "row %lld, column %lld of %s is not a finite number", static_cast<long long>(i / columns),
                static_cast<long long>(i % columns), name);
  }
}

template <class Real>
void run_on_host(syn::Device& device, syn::NearestArgs& args) {
  const syn::DecodeOps<Real>& ops = syn::decode_ops<Real>(device);
  std::lock_guard<std::mutex> lock(device.busy);
  const syn::Pages workspace("workspace of the nearest neighbours", ops.nearest_workspace(args, device.pool.threads()));
  args.workspace = workspace.at<void>(0);
  syn::Exec exec{device.pool, nullptr};
  ops.nearest(exec, args);
}

void run(syn::Device& device, syn::NearestArgs& args) {
  if (device.gpu) {
    std::lock_guard<std::mutex> lock(device.busy);
    syn::gpu::nearest(device.gpu, args);
  } else if (device.backend == SYN_BACKEND_REF) {
    run_on_host<double>(device, args);
  } else {
    run_on_host<float>(device, args);
  }
}

}  // namespace

syn_status syn_nearest(syn_device* device, const float* a, int64_t n, const float* b, int64_t m, int32_t d, int32_t k,
                       int32_t exclude_self, float* distance, int32_t* index, syn_error* error) noexcept {
  return syn::guard("syn_nearest", error, [&] {
    const auto& on = syn::object_of(device, "device");
    require(n >= 0 && n <= INT32_MAX, "n is %lld, expected 0 to %d", static_cast<long long>(n), INT32_MAX);
    require(m >= 0 && m <= INT32_MAX, "m is %lld, expected 0 to %d", static_cast<long long>(m), INT32_MAX);
    require(d >= 1 && d <= 1 << 20, "d is %d, expected 1 to %d", d, 1 << 20);
    require(k >= 1 && k <= 1 << 16, "k is %d, expected 1 to %d", k, 1 << 16);
    require(n == 0 || (a && distance && index), "a, distance or index is NULL");
    require(m == 0 || b, "b is NULL");
    check_matrix("a", a, n, d);
    check_matrix("b", b, m, d);
    syn::NearestArgs args{a, n, b, m, d, k, exclude_self != 0, distance, index, nullptr};
    run(*on, args);
  });
}
