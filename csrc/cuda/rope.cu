// Rotary positions (ops/rope.h), out of place or in place: a thread turns a quad of the first half of a head with its partner in
// the second, or copies a quad of what lies behind the heads. Traffic: x and y once; the table is read from the caches.
#include "cuda/quads.h"
#include "cuda/turn.h"

namespace syn::cuda {
namespace {

// The threads of a row: heads head_dim / 8 pairs of quads, then the quads that are copied.
__host__ __device__ __forceinline__ int64_t turned_pairs(const Rope& a) { return int64_t{a.heads} * (a.head_dim / 8); }
__host__ __device__ __forceinline__ int64_t row_work(const Rope& a) {
  return turned_pairs(a) + (a.stride - int64_t{a.heads} * a.head_dim) / 4;
}

__global__ void __launch_bounds__(kQuadThreads, 1) rope_quads(Rope a) {
  const int64_t i = quad_of_thread(), work = row_work(a), row = i / work, turned = turned_pairs(a);
  if (row >= a.rows) return;
  const int64_t base = row * (a.stride / 4);
  const int part = static_cast<int>(i % work), half = a.head_dim / 8;  // quads of half a head
  if (part >= turned) {
    const int64_t at = base + part + turned;
    store_quad(a.y, at, load_quad(a.x, at));
    return;
  }
  const int64_t first = base + part / half * 2 * half + part % half, second = first + half;
  const int64_t turn = int64_t{a.position[row]} * 2 * half + part % half;
  const Quad cos = load_quad(a.table, turn), sin = load_quad(a.table, turn + half);
  Quad x = load_quad(a.x, first), y = load_quad(a.x, second);
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const Turned t = turn_pair(x.v[e], y.v[e], cos.v[e], a.inverse ? -sin.v[e] : sin.v[e]);
    x.v[e] = t.first;
    y.v[e] = t.second;
  }
  store_quad(a.y, first, x);
  store_quad(a.y, second, y);
}

}  // namespace

int rope(Stream stream, const Rope& a) {
  const bool good = a.heads > 0 && a.head_dim > 0 && a.head_dim % 8 == 0 && a.stride >= int64_t{a.heads} * a.head_dim;
  if (!good || !good_quads(a.rows, a.stride)) return kInvalid;
  if (a.rows == 0) return 0;
  const dim3 grid(static_cast<unsigned>(quad_blocks(a.rows * row_work(a))));
  return GPU_LAUNCH(rope_quads, grid, dim3(kQuadThreads), 0, stream, a);
}

}  // namespace syn::cuda
