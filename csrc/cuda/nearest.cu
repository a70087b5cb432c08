// Nearest neighbours (ops/nearest.h). Products in float say which pairs could matter, and only for those is the distance computed
// as math/distance.h defines it, so that the bits are those of every backend while most of the work is in float.
//
//   bound   |x|^2 + |y|^2 - 2 x.y - slack (|x|^2 + |y|^2) - crumb <= D(x, y): slack (1.07 d + 16) 2^-24 is the worst rounding
//           error of a product of d terms in any order and of the bound itself, crumb (d + 4) 2^-149 that of numbers below 2^-126
//   keep    a pair whose bound is not above the row's k-th best distance so far; a bound that is no finite number keeps the pair
//
// A block takes 32 rows of a past the rows of b of one strand, 128 at a time: a tile of products, 4 x 8 a thread, from 16 columns
// a stage and two stages of cp.async. A warp owns eight rows of a and their lists of neighbours: it looks at 32 bounds of a row
// at a time, and computes four distances at a time, one of the eight sums of math/distance.h a lane. The lists lie in memory; a
// last launch merges those of the strands. Distance and index order them, whatever comes first, so neither tiles nor strands nor
// schedules nor the rounding of products leave a trace.
// Traffic: a once for every 128 rows of b, b once for every 32 rows of a, from the caches; both rows of every pair that is kept.
#include "cuda/quad.h"
#include "math/distance.h"

namespace syn::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr int kRowsA = kNearestRowsA, kRowsB = kNearestRowsB;
constexpr int kWarpRows = kRowsA / kWarps;          // rows of a that a warp owns
constexpr int kMineA = 4, kMineB = 8;               // products of a thread
constexpr int kChunk = 16, kPitch = kChunk + 4;     // columns of a stage: eight rows lie in different banks
constexpr int kStage = (kRowsA + kRowsB) * kPitch;  // floats
constexpr int kBoundPitch = kRowsB + 4;             // the two rows that a warp stores at a time lie in different banks
constexpr int kSums = 8;                            // of math/distance.h: lanes of a pair
constexpr int kAtOnce = 32 / kSums;                 // distances that a warp computes together
constexpr int kShared = (2 * kStage + kRowsA * kBoundPitch) * 4 + 128;
static_assert(kMineA * 2 == kWarpRows && kMineB * 16 == kRowsB, "half a warp takes four rows of a, a lane every 16th of b");
static_assert(kShared <= 48 << 10, "no kernel asks for more shared memory than every device gives");

// Columns c .. c + kChunk - 1 of rows [first, first + tile) of x [rows, d], zeros behind either end.
__device__ __forceinline__ void load_rows(float* to, const float* x, int first, int rows, int tile, int c, int d) {
  for (int i = static_cast<int>(threadIdx.x); i < tile * (kChunk / 4); i += kThreads) {
    const int r = i / (kChunk / 4), column = c + i % (kChunk / 4) * 4;
    const bool in = first + r < rows && column < d;
    gpu::cp_async16(to + r * kPitch + column - c, in ? x + int64_t{first + r} * d + column : x, in);
  }
}

__device__ __forceinline__ void load_stage(float* stage, const Nearest& a, int a0, int b0, int c) {
  load_rows(stage, a.a, a0, a.n, kRowsA, c, a.d);
  load_rows(stage + kRowsA * kPitch, a.b, b0, a.m, kRowsB, c, a.d);
  gpu::cp_async_commit();
}

// Adds the products of a stage. row_a: the thread's first row of a; row_b: its first of b, the others are 16 apart.
__device__ __forceinline__ void multiply(float (&p)[kMineA][kMineB], const float* stage, int row_a, int row_b) {
#pragma unroll
  for (int c = 0; c < kChunk / 4; ++c) {
    Quad x[kMineA];
#pragma unroll
    for (int i = 0; i < kMineA; ++i) x[i] = load_quad(stage + (row_a + i) * kPitch, c);
#pragma unroll
    for (int j = 0; j < kMineB; ++j) {
      const Quad y = load_quad(stage + (kRowsA + row_b + 16 * j) * kPitch, c);
#pragma unroll
      for (int i = 0; i < kMineA; ++i)
#pragma unroll
        for (int e = 0; e < 4; ++e) p[i][j] += x[i].v[e] * y.v[e];
    }
  }
}

// The products of the tile at rows a0 of a and b0 of b. The barriers order the stages: a stage is filled again after everyone has
// read it.
__device__ __forceinline__ void multiply_tile(float (&p)[kMineA][kMineB], float* stages, const Nearest& a, int a0, int b0,
                                              int row_a, int row_b) {
#pragma unroll
  for (int i = 0; i < kMineA; ++i)
#pragma unroll
    for (int j = 0; j < kMineB; ++j) p[i][j] = 0;
  __syncthreads();  // the last tile's stages have been read, and the lists are begun
  load_stage(stages, a, a0, b0, 0);
  for (int c = 0, turn = 0; c < a.d; c += kChunk, turn ^= 1) {
    gpu::cp_async_wait<0>();
    __syncthreads();  // the stage is there, and the other one has been read
    if (c + kChunk < a.d) load_stage(stages + (turn ^ 1) * kStage, a, a0, b0, c + kChunk);
    multiply(p, stages + turn * kStage, row_a, row_b);
  }
}

// What the products of the tile say: bounds without the crumb, to the warp's rows of bounds.
__device__ __forceinline__ void store_bounds(const float (&p)[kMineA][kMineB], float* bounds, const Nearest& a, int a0, int b0,
                                             int row_a, int row_b) {
  const float share = 1 - (1.07f * static_cast<float>(a.d) + 16) * 0x1p-24f;
#pragma unroll
  for (int i = 0; i < kMineA; ++i) {
    const float x = a0 + row_a + i < a.n ? a.square_a[a0 + row_a + i] : 0;
#pragma unroll
    for (int j = 0; j < kMineB; ++j) {
      const int r = row_b + 16 * j;
      const float y = b0 + r < a.m ? a.square_b[b0 + r] : 0;
      bounds[(row_a + i) * kBoundPitch + r] = (x + y) * share - 2 * p[i][j];
    }
  }
}

// D(x, y) to every lane of the eight that share a pair, each of which adds one of its sums.
__device__ __forceinline__ double distance_of(const float* x, const float* y, int d) {
  const int l = gpu::lane(), first = l / kSums * kSums;
  const double mine = distance_lane(x, y, d, l % kSums);
  double sum = __shfl_sync(0xffffffffu, mine, first);
#pragma unroll
  for (int j = 1; j < kSums; ++j) sum += __shfl_sync(0xffffffffu, mine, first + j);
  return sum;
}

// One row of a and its list, [k] in order.
struct List {
  double* distance;
  int32_t* index;
  int k;
};

// Puts x into the list, from which the last falls; the whole warp shifts what is behind it, 32 entries at a time from the end.
// False: x is behind the last.
__device__ __forceinline__ bool insert(const List& list, const Neighbour& x) {
  const int l = gpu::lane(), last = list.k - 1;
  if (!nearer(x, {list.distance[last], list.index[last]})) return false;
  int place = 0;
  for (int base = last / 32 * 32; base >= 0; base -= 32) {
    const int i = base + l;
    const bool there = i < last;
    const Neighbour e{there ? list.distance[i] : 0, there ? list.index[i] : 0};
    const bool behind = there && nearer(x, e);
    const unsigned ahead = __ballot_sync(0xffffffffu, there && !behind);
    __syncwarp();  // the entries have been read
    if (behind) {
      list.distance[i + 1] = e.distance;
      list.index[i + 1] = static_cast<int32_t>(e.index);
    }
    if (ahead) {
      place = base + __popc(ahead);
      break;
    }
  }
  if (l == 0) {
    list.distance[place] = x.distance;
    list.index[place] = static_cast<int32_t>(x.index);
  }
  __syncwarp();  // the list is whole
  return true;
}

// The largest bound that does not rule a pair out, a float above the last of a list and the crumb.
__device__ __forceinline__ float limit_of(const List& list, int d) {
  const double exact = list.distance[list.k - 1] + (d + 4) * 0x1p-149;
  const float limit = static_cast<float>(exact);
  return static_cast<double>(limit) < exact ? float_of(bits_of(limit) + 1) : limit;
}

__device__ __forceinline__ bool may_be_near(float bound, float limit) { return !(bound > limit && bound < INFINITY); }

// The list of row i of a in a strand.
__device__ __forceinline__ List list_of(const Nearest& a, int strand, int i) {
  const int64_t at = (int64_t{strand} * a.n + i) * a.k;
  return {a.best + at, a.row + at, a.k};
}

// Looks at a row of the tile, which is row i of a: bounds [kRowsB], those of rows b0 .. of b.
__device__ __forceinline__ void search_row(const Nearest& a, const List& list, int i, int b0, const float* bounds) {
  const int l = gpu::lane();
  const float* const x = a.a + int64_t{i} * a.d;
  float limit = limit_of(list, a.d);
  for (int base = b0; base < min(b0 + kRowsB, a.m); base += 32) {
    const int j = base + l;
    const float bound = bounds[j - b0];
    const bool counts = j < a.m && !(a.exclude_self && a.first_a + i == a.first_b + j);
    unsigned kept = __ballot_sync(0xffffffffu, counts && may_be_near(bound, limit));
    while (kept) {
      unsigned mine = kept;
#pragma unroll
      for (int skip = 1; skip < kAtOnce; ++skip)
        if (l / kSums >= skip) mine &= mine - 1;
      const int ours = base + max(__ffs(static_cast<int>(mine)) - 1, 0);  // where none is left any row will do
      const double distance = distance_of(x, a.b + int64_t{ours} * a.d, a.d);
      for (int pair = 0; pair < kAtOnce && kept; ++pair, kept &= kept - 1) {
        const int row = base + __ffs(static_cast<int>(kept)) - 1;
        insert(list, {__shfl_sync(0xffffffffu, distance, pair * kSums), int64_t{a.first_b} + row});
      }
      limit = limit_of(list, a.d);
      kept &= __ballot_sync(0xffffffffu, may_be_near(bound, limit));
    }
  }
}

// Squares of the lengths of all rows of a, then of b: a row a warp, in double, rounded once.
__global__ void __launch_bounds__(kThreads, 1) nearest_squares(Nearest a) {
  const int l = gpu::lane();
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= int64_t{a.n} + a.m) return;  // the whole warp leaves together
  const float* const x = row < a.n ? a.a + row * a.d : a.b + (row - a.n) * a.d;
  double sum = 0;
  for (int q = l; q < a.d / 4; q += 32) {
    const Quad v = load_quad(x, q);
#pragma unroll
    for (int e = 0; e < 4; ++e) sum = fused(static_cast<double>(v.v[e]), static_cast<double>(v.v[e]), sum);
  }
#pragma unroll
  for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
  if (l == 0) (row < a.n ? a.square_a + row : a.square_b + (row - a.n))[0] = static_cast<float>(sum);
}

__global__ void __launch_bounds__(kThreads, 1) nearest_tiles(Nearest a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  float* const stages = shared.take<float>(2 * kStage);
  float* const bounds = shared.take<float>(kRowsA * kBoundPitch);
  const int l = gpu::lane(), a0 = static_cast<int>(blockIdx.x) * kRowsA, first = static_cast<int>(threadIdx.x) / 32 * kWarpRows;
  const int row_a = first + l / 16 * kMineA, row_b = l % 16, own = min(kWarpRows, a.n - a0 - first);  // below 1: none
  const int strand = static_cast<int>(blockIdx.y);
  const bool begins = strand > 0 || a.first_b == 0;
  for (int r = 0; begins && r < own; ++r) {
    const List list = list_of(a, strand, a0 + first + r);
    for (int e = l; e < a.k; e += 32) {
      list.distance[e] = INFINITY;
      list.index[e] = -1;
    }
  }
  for (int b0 = strand * kRowsB; b0 < a.m; b0 += a.strands * kRowsB) {
    float p[kMineA][kMineB];
    multiply_tile(p, stages, a, a0, b0, row_a, row_b);
    store_bounds(p, bounds, a, a0, b0, row_a, row_b);
    __syncwarp();  // a warp reads its own rows alone
    for (int r = 0; r < own; ++r) {
      const int i = a0 + first + r;
      search_row(a, list_of(a, strand, i), i, b0, bounds + (first + r) * kBoundPitch);
    }
  }
}

// Puts what the other strands found into the lists of the first, a row of a a warp, and writes these.
__global__ void __launch_bounds__(kThreads, 1) nearest_merge(Nearest a) {
  const int i = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / 32;
  if (i >= a.n) return;  // the whole warp leaves together
  const List list = list_of(a, 0, i);
  for (int strand = 1; strand < a.strands; ++strand) {
    const List other = list_of(a, strand, i);
    for (int e = 0; e < a.k; ++e)
      if (!insert(list, {other.distance[e], other.index[e]})) break;  // nor is the rest nearer
  }
  for (int e = gpu::lane(); e < a.k; e += 32) {
    a.distance[int64_t{i} * a.k + e] = static_cast<float>(list.distance[e]);
    a.index[int64_t{i} * a.k + e] = list.index[e];
  }
}

}  // namespace

int nearest(Stream stream, const Nearest& a) {
  const bool rows = a.n >= 0 && a.m >= 0 && a.n <= kNearestRows && a.m <= kNearestRows;
  const bool place = a.first_a >= 0 && a.first_b >= 0 && a.n <= INT32_MAX - a.first_a && a.m <= INT32_MAX - a.first_b;
  const bool columns = a.d > 0 && a.d % 4 == 0 && a.d <= 1 << 20;
  const bool lists = a.k > 0 && a.k <= 1 << 16 && a.strands > 0 && a.strands <= kNearestStrands;
  if (!rows || !place || !columns || !lists) return kInvalid;
  if (a.n == 0) return 0;
  const auto blocks = [](int64_t count, int each) { return static_cast<unsigned>((count + each - 1) / each); };
  const dim3 tiles(blocks(a.n, kRowsA), static_cast<unsigned>(a.strands)), threads(kThreads);
  int e = GPU_LAUNCH(nearest_squares, dim3(blocks(int64_t{a.n} + a.m, kWarps)), threads, 0, stream, a);
  if (e == 0) e = GPU_LAUNCH(nearest_tiles, tiles, threads, kShared, stream, a);
  return e ? e : GPU_LAUNCH(nearest_merge, dim3(blocks(a.n, kWarps)), threads, 0, stream, a);
}

}  // namespace syn::cuda
