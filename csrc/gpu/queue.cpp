// Linear layers as products: which operand is transposed follows from how the weights are stored.
#include "gpu/queue.h"

namespace syn::gpu {

void Queue::linear_forward(const bf16* x, const Linear& w, const cuda::Tensor& y, int64_t ldy, int32_t rows) const {
  Product p = {};
  p.a = x;  // [rows, in]
  p.lda = w.in;
  p.b = w.weight;  // [in, out]
  p.b_transposed = !w.in_out;
  p.ldb = w.in_out ? w.out : w.in;
  p.c = y;
  p.ldc = ldy;
  p.bias = w.bias;
  p.m = rows;
  p.n = w.out;
  p.k = w.in;
  product(p);
}

void Queue::linear_backward_input(const bf16* dy, int64_t lddy, const Linear& w, const cuda::Tensor& dx, int32_t rows) const {
  Product p = {};
  p.a = dy;  // [rows, out]
  p.lda = lddy;
  p.b = w.weight;  // [out, in]
  p.b_transposed = w.in_out;
  p.ldb = w.in_out ? w.out : w.in;
  p.c = dx;
  p.ldc = w.in;
  p.m = rows;
  p.n = w.in;
  p.k = w.out;
  product(p);
}

void Queue::linear_backward_weight(const bf16* x, const bf16* dy, int64_t lddy, const Linear& w, float* dw, int32_t rows) const {
  Product p = {};
  p.a = w.in_out ? x : dy;  // [rows, in] or [rows, out]
  p.lda = w.in_out ? w.in : lddy;
  p.a_transposed = true;
  p.b = w.in_out ? dy : x;
  p.ldb = w.in_out ? lddy : w.in;
  p.c = {dw, Precision::kFp32};
  p.ldc = w.in_out ? w.out : w.in;
  p.m = w.in_out ? w.in : w.out;
  p.n = w.in_out ? w.out : w.in;
  p.k = rows;
  p.add = true;
  product(p);
}

}  // namespace syn::gpu
