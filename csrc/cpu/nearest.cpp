// Nearest neighbours on a CPU (ops/nearest.h): products by blocks say which pairs could matter, and only for those is the
// distance computed as the contract defines it.
//
//   bound   |x|^2 + |y|^2 - 2 x.y - slack <= D(x, y), with x.y from the matrix product and slack = 2 g |x| |y| (g = 1.01 d 2^-24,
//           the worst rounding error of a product of d terms in any order) and a crumb for the norms; d 2^-149 is what products
//           below 2^-126 may lose besides
//   keep    a pair whose bound is not above the row's k-th best distance so far; a bound that is not a number keeps the pair
//
// Determinism: the bound never drops a pair that belongs to the result, and what is kept is exact, so blocks, threads and the
// rounding of the product leave no trace. Memory traffic: b once and packed once, a once for every block of b.
#include "cpu/decode.h"
#include "cpu/gemm.h"
#include "math/distance.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int64_t kRowsA = 512;   // rows of a block of a
constexpr int64_t kRowsB = 2048;  // of b; the block of products is 4 MiB
constexpr int64_t kGlance = 16;   // pairs looked at together

inline int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }

struct Work {
  double* norm_a;   // [n] |x|
  double* norm_b;   // [m]
  Neighbour* best;  // [n, k]
  int32_t* found;   // [n]
  float* packed;    // a block of b
  float* product;   // [kRowsA, kRowsB]
};

// Lays the workspace out from base, and returns its size in bytes.
int64_t carve(const NearestArgs& a, void* base, Work* w) {
  int64_t used = 0;
  const auto piece = [&](int64_t bytes) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(base) + static_cast<uintptr_t>(used);
    used += (bytes + 63) / 64 * 64;
    return at;
  };
  const int64_t doubles = sizeof(double), floats = sizeof(float);
  const int64_t neighbours = sizeof(Neighbour), counts = sizeof(int32_t);
  w->norm_a = reinterpret_cast<double*>(piece(a.n * doubles));
  w->norm_b = reinterpret_cast<double*>(piece((a.m + kGlance) * doubles));
  w->best = reinterpret_cast<Neighbour*>(piece(a.n * a.k * neighbours));
  w->found = reinterpret_cast<int32_t*>(piece(a.n * counts));
  w->packed = reinterpret_cast<float*>(piece(gemm_packed_size(kRowsB, a.d) * floats));
  w->product = reinterpret_cast<float*>(piece(kRowsA * kRowsB * floats));
  return used;
}

void norms(Exec& exec, const float* x, int64_t rows, int64_t d, double* to) {
  exec.pool.each((rows + 255) / 256, [&](int64_t block, int) {
    for (int64_t i = block * 256; i < least(rows, block * 256 + 256); ++i) {
      double sum = 0;
      for (int64_t c = 0; c < d; ++c) sum = fused(x[i * d + c], x[i * d + c], sum);
      to[i] = __builtin_sqrt(sum);
    }
  });
}

struct Row {
  const float* product;  // with the rows of b from `first`
  int64_t i, first, count;
};

void consider(const NearestArgs& a, const Work& w, const Row& row, int64_t j) {
  if (a.exclude_self && row.i == j) return;
  Neighbour* const best = w.best + row.i * a.k;
  const double distance = squared_distance(a.a + row.i * a.d, a.b + j * a.d, a.d);
  w.found[row.i] = insert_neighbour(best, w.found[row.i], a.k, {distance, j});
}

void scan(const NearestArgs& a, const Work& w, const Row& row) {
  const double x = w.norm_a[row.i], slack = 2 * 1.01 * 0x1p-24 * a.d, crumb = 1 - 1e-12, vanished = a.d * 0x1p-149;
  for (int64_t from = 0; from < row.count; from += kGlance) {
    const Neighbour* const last = w.best + row.i * a.k + a.k - 1;
    const double limit = w.found[row.i] == a.k ? last->distance + vanished : __builtin_huge_val();
    const double* const y = w.norm_b + row.first + from;
    const float* const p = row.product + from;
    uint8_t keep[kGlance];
    int any = 0;
    for (int64_t j = 0; j < kGlance; ++j) {
      const double bound = (x * x + y[j] * y[j]) * crumb - 2 * static_cast<double>(p[j]) - slack * x * y[j];
      keep[j] = !(bound > limit);
      any |= keep[j];
    }
    if (!any) continue;
    for (int64_t j = 0; j < kGlance && from + j < row.count; ++j) {
      if (keep[j]) consider(a, w, row, row.first + from + j);
    }
  }
}

void give(const NearestArgs& a, const Work& w, int64_t i) {
  for (int32_t r = 0; r < a.k; ++r) {
    const bool there = r < w.found[i];
    a.distance[i * a.k + r] = there ? static_cast<float>(w.best[i * a.k + r].distance) : __builtin_huge_valf();
    a.index[i * a.k + r] = there ? static_cast<int32_t>(w.best[i * a.k + r].index) : -1;
  }
}

}  // namespace

int64_t nearest_workspace(const NearestArgs& a, int) {
  Work w;
  return carve(a, nullptr, &w);
}

void nearest(Exec& exec, const NearestArgs& a) {
  Work w;
  carve(a, a.workspace, &w);
  norms(exec, a.a, a.n, a.d, w.norm_a);
  norms(exec, a.b, a.m, a.d, w.norm_b);
  for (int64_t i = 0; i < a.n; ++i) w.found[i] = 0;
  for (int64_t j = 0; j < a.m; j += kRowsB) {
    const int32_t columns = static_cast<int32_t>(least(kRowsB, a.m - j));
    gemm_pack(exec.pool, a.b + j * a.d, a.d, 1, columns, a.d, w.packed);
    for (int64_t i = 0; i < a.n; i += kRowsA) {
      exec.poll();
      const int32_t rows = static_cast<int32_t>(least(kRowsA, a.n - i));
      gemm_run(exec.pool, {a.a + i * a.d, w.packed, w.product, nullptr, nullptr, rows, columns, a.d, a.d, kRowsB});
      exec.pool.each(rows, [&](int64_t r, int) { scan(a, w, {w.product + r * kRowsB, i + r, j, columns}); });
    }
  }
  for (int64_t i = 0; i < a.n; ++i) give(a, w, i);
}

}  // namespace syn::cpu::SYN_CPU_NS
