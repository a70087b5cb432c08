// Products of 8-bit integers, for decoding: y[r,n] = float(sum_k qx[r,k] qw[n,k]) * (sx[r] * sw[n]) + b[n], where W has a
// scale for each row n, chosen when it is packed, and x one for each row r, chosen when it is used (math/int8.h). The sums
// are integers and exact, so the bits depend on nothing but the row and W. A row of x or of W with an infinity or a NaN gives
// NaN. Memory traffic: W once per block of rows, at a byte a number; x once per group of panels.
#ifndef SYN_CPU_GEMM_INT8_H
#define SYN_CPU_GEMM_INT8_H

#include <cstdint>

#include "core/pool.h"
#include "cpu/isa.h"

namespace syn::cpu::SYN_CPU_NS {

// Bytes of a packed W [n, k], scales included; to begin at a multiple of 64. k is at most kInt8Terms.
int64_t int8_packed_size(int32_t n, int32_t k);

// Element (n, k) of W is w[n * stride_n + k * stride_k].
void int8_pack(Pool& pool, const float* w, int64_t stride_n, int64_t stride_k, int32_t n, int32_t k, void* packed);

struct Int8Run {
  const float* x;      // [rows, k], rows ldx elements apart
  const void* packed;  // W [n, k] by int8_pack
  float* y;            // [rows, n], rows ldy elements apart
  const float* bias;   // [n] or null
  float* gelu;         // [rows, n], rows ldy elements apart, or null
  int32_t rows, n, k;
  int64_t ldx, ldy;
};

// Whether this machine multiplies and adds four bytes in one instruction (AVX-512 VNNI). Both ways give the same bits.
bool int8_dot_instruction();
// The columns of panels [begin, end) of that, kTileColumns (cpu/gemm_tile.h) each, by the calling thread.
void int8_panels(const Int8Run& args, int32_t begin, int32_t end, bool dot_instruction = int8_dot_instruction());
void int8_run(Pool& pool, const Int8Run& args, bool dot_instruction = int8_dot_instruction());

}  // namespace syn::cpu::SYN_CPU_NS

#endif
