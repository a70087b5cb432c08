// Linear layers (ops/linear.h) on the products of cpu/gemm.h, in int8 on those of cpu/gemm_int8.h; bias and GELU are applied to a
// tile while it is in cache.
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/gemm_int8.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {
constexpr int32_t kColumns = 256;  // of a task: whole kilobytes of a row, which the memory prefers to pieces
constexpr int32_t kRows = 64;      // rows summed before they join the total
}  // namespace

int64_t packed_size(int32_t out, int32_t in, Precision precision) {
  constexpr int64_t kBytes = sizeof(float);
  return precision == Precision::kInt8 ? (int8_packed_size(out, in) + kBytes - 1) / kBytes : gemm_packed_size(out, in);
}

void pack(Exec& exec, const PackArgs<float>& a) {
  const int64_t stride_out = a.w.in_out ? 1 : a.w.in, stride_in = a.w.in_out ? a.w.out : 1;
  if (a.w.precision == Precision::kInt8) return int8_pack(exec.pool, a.w.data, stride_out, stride_in, a.w.out, a.w.in, a.packed);
  if (a.packed) gemm_pack(exec.pool, a.w.data, stride_out, stride_in, a.w.out, a.w.in, a.packed, a.w.precision);
  if (a.packed_t) gemm_pack(exec.pool, a.w.data, stride_in, stride_out, a.w.in, a.w.out, a.packed_t, a.w.precision);
}

void linear_forward(Exec& exec, const LinearForward<float>& a) {
  float* gelu = a.activation == Activation::kGelu ? a.activated : nullptr;
  if (a.w.precision == Precision::kInt8)
    return int8_run(exec.pool, {a.x, a.w.packed, a.y, a.bias, gelu, a.rows, a.w.out, a.w.in, a.w.in, a.w.out});
  gemm_run(exec.pool, {a.x, a.w.packed, a.y, a.bias, gelu, a.rows, a.w.out, a.w.in, a.w.in, a.w.out, a.w.precision,
                       a.result});
}

void linear_backward_input(Exec& exec, const LinearBackwardInput<float>& a) {
  gemm_run(exec.pool, {a.dy, a.w.packed_t, a.dx, nullptr, nullptr, a.rows, a.w.in, a.w.out, a.w.out, a.w.in, a.w.precision,
                       a.result});
}

void linear_backward_weight(Exec& exec, const LinearBackwardWeight<float>& a) {
  if (a.in_out) {
    gemm_outer(exec.pool, {a.x, a.dy, a.dw, a.rows, a.in, a.out, a.precision});
  } else {
    gemm_outer(exec.pool, {a.dy, a.x, a.dw, a.rows, a.out, a.in, a.precision});
  }
}

void bias_backward(Exec& exec, const BiasBackward<float>& a) {
  exec.pool.each((a.columns + kColumns - 1) / kColumns, [&](int64_t block, int) {
    const int32_t column = static_cast<int32_t>(block) * kColumns;
    const int32_t columns = a.columns - column < kColumns ? a.columns - column : kColumns;
    for (int32_t piece = 0; piece < a.rows; piece += kRows) {
      float sum[kColumns] = {};
      for (int32_t r = piece; r < a.rows && r < piece + kRows; ++r) add_to(sum, a.dy + r * a.stride + column, columns);
      add_to(a.dbias + column, sum, columns);
    }
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
