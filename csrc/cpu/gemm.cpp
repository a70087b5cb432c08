// Packing, tiling and the epilogue around the register tile (cpu/gemm_block.cpp). A task is up to kRowBlock rows and some
// panels: the rows' part of x stays in the second level while the panels pass, a panel's part of y until its last term and
// its epilogue. Where rows of x lie a multiple of 4 KiB apart they would fight for the same few places of the first level, so
// they are copied.
#include "cpu/gemm.h"

#include "cpu/gemm_parts.h"
#include "cpu/gemm_way.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kRowBlock = 256;                // rows of a task
constexpr int32_t kCopyRows = 64;                 // rows of a task whose x is copied
constexpr int32_t kCopyStride = kTileDepth + 16;  // a copied row begins a cache line after the one before ends
constexpr int64_t kAliasing = 1024;               // floats
constexpr int32_t kTasks = 8;                     // for each thread, where there are as many

}  // namespace

int64_t gemm_packed_size(int32_t n, int32_t k) { return int64_t{pieces(n, kTileColumns)} * kTileColumns * even(k); }

void gemm_pack(Pool& pool, const float* w, int64_t stride_n, int64_t stride_k, int32_t n, int32_t k, float* packed,
               Precision precision) {
  by_way(precision, [&](auto way) {
    using Way = decltype(way);
    const int32_t terms = Way::words(k) * Way::kTerms;
    pool.each(pieces(n, kTileColumns), [&](int64_t panel, int) {
      const int32_t n0 = static_cast<int32_t>(panel) * kTileColumns, width = least(kTileColumns, n - n0);
      float* const to = packed + panel * kTileColumns * Way::words(k);
      for (int32_t i = 0; i < terms; ++i) {
        const float* from = w + n0 * stride_n + i * stride_k;
        const int32_t there = i < k ? width : 0;
        for (int32_t j = 0; j < there; ++j) Way::put(to, i, j, from[j * stride_n]);
        for (int32_t j = there; j < kTileColumns; ++j) Way::put(to, i, j, 0);
      }
    });
  });
}

namespace {

// Bias, rounding and activation while the panel's part of y is in the caches.
void finish(const GemmRun& a, const Part& part, int32_t n0, int32_t n) {
  rounding_to(a.result, [&](auto round) {
    for (int32_t r = part.row; r < part.row + part.rows; ++r) {
      float* y = a.y + r * a.ldy + n0;
      if (a.bias) add_to(y, a.bias + n0, n);
      if (a.result != Precision::kFp32) round_row(y, n, round);
      if (a.gelu) gelu_row(y, a.gelu + r * a.ldy + n0, n, round);
    }
  });
}

// The terms [k0, k0 + k) of a panel; x points at the first of them, its rows ldx words apart.
template <class Way>
void panel_terms(const GemmRun& a, const Part& part, int32_t panel, int32_t k0, int32_t k, const float* x, int64_t ldx) {
  const int32_t n0 = panel * kTileColumns, n = least(kTileColumns, a.n - n0);
  const float* w = a.packed + int64_t{n0} * Way::words(a.k) + int64_t{k0 / Way::kTerms} * kTileColumns;
  {
    [[maybe_unused]] const typename Way::Mode mode;
    Way::block({x, ldx, 1, w, kTileColumns, a.y + part.row * a.ldy + n0, a.ldy, part.rows, n, Way::words(k), k0 > 0});
  }
  if (k0 + k == a.k) finish(a, part, n0, n);
}

void run_in_place(const GemmRun& a, const Part& part) {
  for (int32_t panel = part.begin; panel < part.end; ++panel)
    for (int32_t k0 = 0; k0 < a.k; k0 += kTileDepth)
      panel_terms<Plain>(a, part, panel, k0, least(kTileDepth, a.k - k0), a.x + part.row * a.ldx + k0, a.ldx);
}

template <class Way>
void run_copied(const GemmRun& a, const Part& part) {
  alignas(64) float x[kCopyRows * kCopyStride];
  for (int32_t k0 = 0; k0 < a.k; k0 += kTileDepth * Way::kTerms) {
    const int32_t k = least(kTileDepth * Way::kTerms, a.k - k0);
    for (int32_t r = 0; r < part.rows; ++r) Way::copy_row(a.x + (part.row + r) * a.ldx + k0, k, x + r * kCopyStride);
    for (int32_t panel = part.begin; panel < part.end; ++panel) panel_terms<Way>(a, part, panel, k0, k, x, kCopyStride);
  }
}

bool copied(const GemmRun& a) { return a.precision == Precision::kBf16 || a.ldx % kAliasing == 0; }
int32_t height_of(const GemmRun& a) { return copied(a) ? kCopyRows : kRowBlock; }
void run_part(const GemmRun& a, const Part& part) {
  if (!copied(a)) return run_in_place(a, part);
  by_way(a.precision, [&](auto way) { run_copied<decltype(way)>(a, part); });
}

}  // namespace

void gemm_panels(const GemmRun& a, int32_t begin, int32_t end) {
  const int32_t height = height_of(a);
  for (int32_t row = 0; row < a.rows; row += height) run_part(a, {row, least(height, a.rows - row), begin, end});
}

void gemm_run(Pool& pool, const GemmRun& a) {
  each_part(pool, a.rows, a.n, height_of(a), kTasks, [&](const Part& part) { run_part(a, part); });
}

}  // namespace syn::cpu::SYN_CPU_NS
