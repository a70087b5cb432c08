// Matrix products of the CPU backend, summed in fp32:
//   block   y[r,j] (+)= sum_k x(r,k) w(k,j)              one thread, operands where they lie: the tiles of attention
//   run     y[r,n] = sum_k x[r,k] W[n,k] + b[n]          W packed once; optionally g = gelu(y) while the tile is in cache
//   outer   g[p,q] += sum_r a[r,p] b[r,q]                gradients of weights
// Determinism: every element of a result is one chain of fused multiply-adds over ascending k (r in outer), begun from zero,
// or from the element itself where it is added to. So its bits depend on nothing else: not on tiles, batch, threads or
// instruction set, and a sum over rows may be interrupted anywhere. Memory traffic of run: x once per group of panels, W once
// per block of rows, y once. In bf16 operands are rounded to bf16 (ops/precision.h) as they are packed or copied, and the
// terms of a chain go 1, 0, 3, 2, … with what is below 2^-126 flushed to zero: what the instruction vdpbf16ps does, so it is
// used where that is faster (core/machine.h), to the same bits. There a sum over rows may be interrupted after an even number
// of them.
#ifndef SYN_CPU_GEMM_H
#define SYN_CPU_GEMM_H

#include <cstdint>

#include "core/pool.h"
#include "cpu/isa.h"
#include "ops/precision.h"

namespace syn::cpu::SYN_CPU_NS {

// One thread's product on operands in memory; x may have any strides, rows of w and y are contiguous.
struct GemmBlock {
  const float* x;  // element (r, k) at x[r * x_row + k * x_k]
  int64_t x_row, x_k;
  const float* w;  // [k, n], rows w_k elements apart
  int64_t w_k;
  float* y;  // [rows, n], rows y_row elements apart
  int64_t y_row;
  int32_t rows, n, k;
  bool add;  // y += instead of y =
};
void gemm_block(const GemmBlock& block);

// Elements of a packed W [n, k] in any precision: panels as wide as a register tile, panel[k][width], k even, padded with
// zeros.
int64_t gemm_packed_size(int32_t n, int32_t k);

// Element (n, k) of W is w[n * stride_n + k * stride_k], rounded to precision.
void gemm_pack(Pool& pool, const float* w, int64_t stride_n, int64_t stride_k, int32_t n, int32_t k, float* packed,
               Precision precision = Precision::kFp32);

struct GemmRun {
  const float* x;       // [rows, k], rows ldx elements apart
  const float* packed;  // W [n, k] by gemm_pack
  float* y;             // [rows, n], rows ldy elements apart
  const float* bias;    // [n] or null
  float* gelu;          // [rows, n], rows ldy elements apart, or null
  int32_t rows, n, k;
  int64_t ldx, ldy;
  Precision precision = Precision::kFp32;  // of x and W; that in which W was packed
  Precision result = Precision::kFp32;     // of y, and of the gelu of that y
};
void gemm_run(Pool& pool, const GemmRun& args);
// The columns of panels [panel0, panel1) of that, by the calling thread.
void gemm_panels(const GemmRun& args, int32_t panel0, int32_t panel1);

struct GemmOuter {
  const float* a;  // [rows, p]
  const float* b;  // [rows, q]
  float* g;        // [p, q], added to
  int32_t rows, p, q;
  Precision precision = Precision::kFp32;  // of a and b
};
void gemm_outer(Pool& pool, const GemmOuter& args);

}  // namespace syn::cpu::SYN_CPU_NS

#endif
