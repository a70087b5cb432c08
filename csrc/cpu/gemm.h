// Matrix products of the CPU backend: kernels that libxsmm generates, called on fixed tiles by one thread each under our pool.
//   run     y[r,n] = sum_k x[r,k] W[n,k] + b[n]     W packed once; optionally g = gelu(y) while the tile is in cache
//   outer   g[p,q] += sum_r a[r,p] b[r,q]           gradients of weights
// A tile is kGemmRows rows by kGemmPanel columns by at most kGemmDepth of k, in ascending k. The last rows of a batch are padded
// with zeros in a scratch tile, so every row goes through the same kernels: row i alone has the bits of row i in any batch, for
// any number of threads. Memory traffic of run: x once per group of panels, W once per block of rows, y once.
#ifndef SYN_CPU_GEMM_H
#define SYN_CPU_GEMM_H

#include <cstdint>

#include "core/pool.h"
#include "cpu/isa.h"

namespace syn::cpu::SYN_CPU_NS {

constexpr int32_t kGemmRows = 32;
constexpr int32_t kGemmPanel = 64;
constexpr int32_t kGemmDepth = 384;

// Elements of a packed W [n, k]: panels of kGemmPanel columns, panel[k][kGemmPanel], the last one padded with zeros.
int64_t gemm_packed_size(int32_t n, int32_t k);

// Element (n, k) of W is w[n * stride_n + k * stride_k].
void gemm_pack(Pool& pool, const float* w, int64_t stride_n, int64_t stride_k, int32_t n, int32_t k, float* packed);

struct GemmRun {
  const float* x;       // [rows, k], rows ldx elements apart
  const float* packed;  // W [n, k] by gemm_pack
  float* y;             // [rows, n], rows ldy elements apart
  const float* bias;    // [n] or null
  float* gelu;          // [rows, n], rows ldy elements apart, or null
  int32_t rows, n, k;
  int64_t ldx, ldy;
};
void gemm_run(Pool& pool, const GemmRun& args);

struct GemmOuter {
  const float* a;  // [rows, p]
  const float* b;  // [rows, q]
  float* g;        // [p, q], added to
  int32_t rows, p, q;
};
void gemm_outer(Pool& pool, const GemmOuter& args);

// One generated kernel on row-major operands: c[n][m] (+)= sum_k b(n, k) a[k][m], rows of a, b, c lda, ldb, ldc elements apart.
// b_transposed: b is stored [k][n]. Generated on the first call for a shape (thread-safe), looked up afterwards.
struct GemmTile {
  int32_t m, n, k;
  int32_t lda, ldb, ldc;
  bool add;  // c += instead of c =
  bool b_transposed;
};
using GemmKernel = void (*)(const float* a, const float* b, float* c);
GemmKernel gemm_kernel(const GemmTile& tile);

}  // namespace syn::cpu::SYN_CPU_NS

#endif
