// Gradients of weights (cpu/gemm.h): g[p,q] += sum_r a[r,p] b[r,q]. A task is a piece of g. It takes the rows in steps of
// kTileDepth words, copies its columns of b into panels as wide as a register tile, then for one tile's columns of a after
// the other copies those and adds to g, so that the innermost loop walks through memory in order. Each element's chain over
// the rows goes on from step to step, in the order of the rows.
// Memory traffic: b once per piece of columns of a, a once per kOuterQ columns of b, g read and written once per step; the copy of b stays in the second level, that of a in the first.
#include "cpu/gemm_way.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kOuterQ = kLanes == 16 ? 384 : 192;         // 576 KiB or 288 KiB of b
constexpr int32_t kPanel = kTileColumns * kTileDepth + 16;  // panels a power of two apart would share their cache sets
constexpr int32_t kFairTiles = 20;                           // tiles of a in a piece that make up for its copy of b

// `columns` columns of x [rows, ld] into panels [words of the rows][width], kPanel apart; what pads the last one is zero.
template <class Way>
void copy_panels(const float* x, int64_t ld, int32_t rows, int32_t columns, int32_t width, float* to) {
  const int32_t whole = columns / width * width;
  for (int32_t r = 0; r < rows; r += 2, x += 2 * ld, to += 2 / Way::kTerms * width) {
    const bool odd_there = r + 1 < rows;
    const auto put = [&](const float* from, float* out, auto part) {
      Way::put_pair(load(from, part), odd_there ? load(from + ld, part) : zero(), out, width);
    };
    float* out = to;
    for (int32_t c = 0; c < whole; c += width, out += kPanel)
      for (int32_t i = 0; i < width; i += kLanes) put(x + c + i, out + i, Whole());
    each_vector(columns - whole, [&](int64_t i, auto part) { put(x + whole + i, out + i, part); });
  }
}

// The piece [p0, p0 + p) x [q0, q0 + q) of g.
template <class Way>
void outer_piece(const GemmOuter& a, int32_t p0, int32_t p, int32_t q0, int32_t q) {
  alignas(64) float left[kLanes * kTileDepth];
  alignas(64) float right[kOuterQ / kTileColumns * kPanel];
  [[maybe_unused]] const typename Way::Mode mode;
  for (int32_t r = 0; r < a.rows; r += kTileDepth * Way::kTerms) {
    const int32_t rows = least(kTileDepth * Way::kTerms, a.rows - r);
    copy_panels<Way>(a.b + int64_t{r} * a.q + q0, a.q, rows, q, kTileColumns, right);
    for (int32_t i = 0; i < p; i += kTileRows) {
      const int32_t height = least(kTileRows, p - i);
      copy_panels<Way>(a.a + int64_t{r} * a.p + p0 + i, a.p, rows, height, kLanes, left);
      float* g = a.g + int64_t{p0 + i} * a.q + q0;
      for (int32_t j = 0; j < q; j += kTileColumns)
        Way::block({left, 1, kLanes, right + j / kTileColumns * kPanel, kTileColumns, g + j, a.q, height,
                    least(kTileColumns, q - j), Way::words(rows), true});
    }
  }
}

// Into how many pieces the tiles of a are cut: a multiple of the threads, and small pieces only where some thread had none.
int32_t pieces_of_a(int32_t tiles, int32_t pieces_of_b, int threads) {
  const int32_t share = pieces(threads, pieces_of_b), fair = tiles / kFairTiles / share * share;
  return least(tiles, fair > share ? least(fair, 4 * share) : share);
}

}  // namespace

void gemm_outer(Pool& pool, const GemmOuter& a) {
  if (a.rows <= 0) return;
  const int32_t tiles = pieces(a.p, kTileRows), of_b = pieces(a.q, kOuterQ), of_a = pieces_of_a(tiles, of_b, pool.threads());
  pool.each(int64_t{of_a} * of_b, [&](int64_t piece, int) {
    const int64_t i = piece / of_b;
    const int32_t q0 = static_cast<int32_t>(piece % of_b) * kOuterQ;
    const int32_t p0 = static_cast<int32_t>(tiles * i / of_a) * kTileRows;
    const int32_t p1 = least(a.p, static_cast<int32_t>(tiles * (i + 1) / of_a) * kTileRows);
    by_way(a.precision, [&](auto way) { outer_piece<decltype(way)>(a, p0, p1 - p0, q0, least(kOuterQ, a.q - q0)); });
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
