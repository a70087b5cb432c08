// The register tile under every product (cpu/gemm.h): y[r,j] (+)= sum_k x(r,k) w(k,j) for at most kTileRows x kTileColumns
// elements, one chain of fused multiply-adds each. A step of k loads two vectors of w, broadcasts an element of x for each
// row and does two multiply-adds with it: 16 loads for 28 multiply-adds (AVX-512), 8 for 12 (AVX2). Memory traffic: w is read
// once per row tile, from the caches; x once per panel of columns; y once, twice where it is added to.
#include "cpu/gemm.h"
#include "cpu/gemm_tile.h"
#include "cpu/gemm_way.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int64_t kAhead = 16;  // rows of a packed panel that are fetched ahead: it may come from the third level

// Rows of a tile of `vectors` columns of vectors: one vector leaves room for twice the rows.
constexpr int32_t tile_rows(int32_t vectors) { return vectors == 1 ? 2 * kTileRows : kTileRows; }

SYN_SIMD void fetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }

SYN_SIMD Whole lanes_of(Whole, int32_t) { return {}; }
SYN_SIMD Mask lanes_of(Mask, int32_t n) { return first_lanes(n); }

template <class Part>
SYN_SIMD Vec load_column(const float* p, bool last, Part part) {
  return last ? load(p, part) : load(p);
}

// What a word of x and a word of w add to a sum: a product, or in bf16 two, first that of the odd term, then that of the even
// one.
struct Product {
  SYN_SIMD Vec add(Vec sum, Vec x, Vec w) { return fma(x, w, sum); }
};
#if defined(__AVX512F__)
struct ProductsOfPair {
  // Said to the assembler, as the file is compiled for machines without it; run only where the machine has it.
  SYN_SIMD Vec add(Vec sum, Vec x, Vec w) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
};
#endif

// kRows rows by kVectors vectors, of which the last is Whole or a Mask. The rows of x are reached from one pointer for five,
// so that pointers and strides fit the general registers; the empty asm keeps the compiler from making one pointer for each.
template <class Term, int kRows, int kVectors, class Part>
void tile(const GemmBlock& t) {
  constexpr int kBases = (kRows + 4) / 5;
  const Part part = lanes_of(Part(), t.n - (kVectors - 1) * kLanes);
  Vec sum[kRows][kVectors];
#pragma GCC unroll 28
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] = t.add ? load_column(t.y + r * t.y_row + v * kLanes, v + 1 == kVectors, part) : zero();

  const int64_t row = t.x_row, row3 = 3 * row, x_k = t.x_k, w_k = t.w_k;
  const int64_t ahead = w_k == kTileColumns ? kAhead * w_k : 0;
  const float *base[kBases], *w = t.w;
#pragma GCC unroll 6
  for (int i = 0; i < kBases; ++i) base[i] = t.x + 5 * i * row;
  for (int32_t k = 0; k < t.k; ++k) {
    Vec column[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      column[v] = load_column(w + v * kLanes, v + 1 == kVectors, part);
      if (kVectors > 1 && v * kLanes % 16 == 0) fetch(w + ahead + v * kLanes);
    }
    w += w_k;
#pragma GCC unroll 6
    for (int i = 0; i < kBases; ++i) __asm__("" : "+r"(base[i]));
#pragma GCC unroll 28
    for (int r = 0; r < kRows; ++r) {
      const int64_t from_base = r % 5 == 3 ? row3 : r % 5 * row;
      const Vec x = all(base[r / 5][from_base]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Term::add(sum[r][v], x, column[v]);
    }
#pragma GCC unroll 6
    for (int i = 0; i < kBases; ++i) base[i] += x_k;
  }

#pragma GCC unroll 28
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      float* to = t.y + r * t.y_row + v * kLanes;  // read again: y has no register in the loop
      if (v + 1 == kVectors) {
        store(to, part, sum[r][v]);
      } else {
        store(to, sum[r][v]);
      }
    }
}

using Tile = void (*)(const GemmBlock&);

// The tiles of 1, 2, … rows.
struct Tiles {
  Tile of_rows[2 * kTileRows + 1];
};

template <class Term, int kRows, int kVectors, class Part>
constexpr void list(Tiles& out) {
  out.of_rows[kRows] = tile<Term, kRows, kVectors, Part>;
  if constexpr (kRows > 1) list<Term, kRows - 1, kVectors, Part>(out);
}

template <class Term, int kVectors, class Part>
constexpr Tiles tiles() {
  Tiles out = {};
  list<Term, tile_rows(kVectors), kVectors, Part>(out);
  return out;
}

template <class Term>
constexpr Tiles kTiles[kTileVectors][2] = {{tiles<Term, 1, Mask>(), tiles<Term, 1, Whole>()},
                                           {tiles<Term, 2, Mask>(), tiles<Term, 2, Whole>()}};

// The tiles of `vectors` vectors of columns, or fewer at the end. Rows outside: what they need of x is read once, and a block
// as wide as a head leaves w in the first level. They are of nearly equal height, as low ones are slow.
template <class Term>
void tiles_of(const GemmBlock& a, int32_t vectors) {
  const int32_t width = vectors * kLanes, count = pieces(a.rows, tile_rows(vectors));
  GemmBlock t = a;
  for (int32_t i = 0, r = 0; i < count; ++i, r += t.rows) {
    t.rows = (a.rows - r + count - i - 1) / (count - i);
    t.x = a.x + r * a.x_row;
    for (int32_t j = 0; j < a.n; j += width) {
      t.n = least(width, a.n - j);
      t.w = a.w + j;
      t.y = a.y + r * a.y_row + j;
      kTiles<Term>[vectors - 1][t.n % kLanes == 0].of_rows[t.rows](t);
    }
  }
}

template <class Term>
void block(const GemmBlock& a) {
  const int32_t over = a.n % kTileColumns, narrow = over <= kLanes ? over : 0;
  GemmBlock part = a;
  part.n = a.n - narrow;
  tiles_of<Term>(part, kTileVectors);
  if (narrow == 0) return;
  part.n = narrow;
  part.w = a.w + a.n - narrow;
  part.y = a.y + a.n - narrow;
  tiles_of<Term>(part, 1);
}

}  // namespace

void gemm_block(const GemmBlock& a) { block<Product>(a); }
#if defined(__AVX512F__)
void gemm_block_of_pairs(const GemmBlock& a) { block<ProductsOfPair>(a); }
#endif

}  // namespace syn::cpu::SYN_CPU_NS
