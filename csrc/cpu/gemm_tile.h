// The shape of the register tile under every product, and what its callers share. The tile is kTileRows rows by kTileColumns
// columns: 14 x 32 in the 32 registers of AVX-512 (28 sums, 2 of w, 1 of x), 6 x 16 in the 16 of AVX2 (12, 2, 1).
#ifndef SYN_CPU_GEMM_TILE_H
#define SYN_CPU_GEMM_TILE_H

#include "cpu/simd.h"

namespace syn::cpu::SYN_CPU_NS {

constexpr int32_t kTileVectors = 2;
constexpr int32_t kTileColumns = kTileVectors * kLanes;
constexpr int32_t kTileRows = kLanes == 16 ? 14 : 6;

// Terms that a tile sums before the next tile has its turn. A panel of w as deep as this (48 KiB with AVX-512, 24 KiB with
// AVX2) stays in the caches while the rows of a block pass.
constexpr int32_t kTileDepth = 384;

SYN_SIMD int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
SYN_SIMD int32_t pieces(int64_t n, int64_t piece) { return static_cast<int32_t>((n + piece - 1) / piece); }

}  // namespace syn::cpu::SYN_CPU_NS

#endif
