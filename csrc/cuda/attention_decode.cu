// Attention of one new token for each of several records over their paged caches (ops/attention_decode.h), in one launch.
//
// A block takes a page of one record and up to eight heads of one key/value head: a lane takes a key, which the transposed blocks
// of the cache make neighbours of the next lane's; softmax in base 2 with an integer maximum, as in attention_forward.cu; values
// are summed by four warps over quarters of the page, the quarters in order. q, k and v of the new token are turned and rounded
// on their way in; one block appends them, every block of the page reads its own copy. Under a window the blocks of pages before
// it leave, and of its first page only the positions inside have a weight.
//
// The block of a record and these heads that is the last to come adds the pages up, in the order of their positions: which block
// that is moves no bit, so a row's bits depend on its own cache and the page size alone. A counter for each row and heads says
// who is the last, and is back at zero then. What a block wrote is before its count by a fence, and what others wrote behind the
// count of the last one by another.
// Traffic a row: the cache of its record once for every eight heads of a group, and heads (head_dim + 2) floats a page.
#include "cuda/attention_tiles.h"
#include "cuda/turn.h"
#include "ops/attention_decode.h"

namespace syn::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
static_assert(kThreads >= kMaxHeadDim && 32 * 4 >= kMaxHeadDim, "a column a thread, a quad of columns a lane");

// One key/value head of a record: its page, and the new token, which is not read from there.
struct Cache {
  bf16 *keys, *values;
  float *new_key, *new_value;  // [head_dim] shared, numbers that bf16 holds
  int first, position;         // of the page; of the new token
  int begin, count;            // positions begin .. count - 1 of the page have a weight
  int head_dim;

  __device__ bool is_new(int i) const { return first + i == position; }
};

// A number of a head of q or k, rounded; turn: the row of its position in the table of the rotation, or null.
__device__ __forceinline__ float prepared(const float* head, const float* turn, int d, int width) {
  if (!turn) return rounded(head[d]);
  const int half = width / 2, i = d < half ? d : d - half;
  const Turned t = turn_pair(head[i], head[half + i], turn[i], turn[half + i]);
  return rounded(d < half ? t.first : t.second);
}

// The new token, a column a thread: for the block, and where it appends, for the cache.
__device__ __forceinline__ void take_new(const Cache& c, const float* key, const float* value, const float* turn, bool append) {
  const int i = c.position - c.first, d = static_cast<int>(threadIdx.x);
  c.new_key[d] = prepared(key, turn, d, c.head_dim);
  c.new_value[d] = rounded(value[d]);
  if (!append) return;
  c.keys[(i - i % kKeyBlock) * c.head_dim + d * kKeyBlock + i % kKeyBlock] = narrowed(c.new_key[d]);
  c.values[i * c.head_dim + d] = narrowed(c.new_value[d]);
}

// Scores in base 2 of G heads with one key, whose numbers number(d) gives. q: a head every kMaxHeadDim, so that the heads'
// numbers lie at distances that the compiler knows.
template <int G, class Number>
__device__ __forceinline__ void score_key(const float* q, int head_dim, float* scores, int page, Number number) {
  float s[G] = {};
#pragma unroll 1  // four numbers of a key at a time: more cost registers
  for (int d = 0; d < head_dim; d += 4)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float k = number(d + e);
#pragma unroll
      for (int h = 0; h < G; ++h) s[h] += q[h * kMaxHeadDim + d + e] * k;
    }
#pragma unroll
  for (int h = 0; h < G; ++h) scores[h * page] = s[h];
}

// A key a lane, a warp 32 of them at a time, from the first block of keys that has one.
template <int G>
__device__ __forceinline__ void score_keys(const float* q, const Cache& c, float* scores, int page) {
  for (int i = c.begin - c.begin % kKeyBlock + static_cast<int>(threadIdx.x); i < c.count; i += kThreads) {
    if (c.is_new(i)) {
      score_key<G>(q, c.head_dim, scores + i, page, [&](int d) { return c.new_key[d]; });
    } else {
      const bf16* const key = c.keys + (i - i % kKeyBlock) * c.head_dim + i % kKeyBlock;
      score_key<G>(q, c.head_dim, scores + i, page, [&](int d) { return bf16_number(key[d * kKeyBlock].bits); });
    }
  }
}

// Scores become weights, a head a warp; returns their maximum and sum.
__device__ __forceinline__ void weigh(const Cache& c, float* scores, float* max_and_sum) {
  const int l = gpu::lane();
  float top = -INFINITY, sum = 0;
  for (int i = c.begin + l; i < c.count; i += 32) top = fmaxf(top, scores[i]);
#pragma unroll
  for (int o = 16; o; o >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, o));
  top = ceilf(top);
  for (int i = c.begin + l; i < c.count; i += 32) sum += scores[i] = gpu::ex2(scores[i] - top);
#pragma unroll
  for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
  if (l == 0) {
    max_and_sum[0] = top;
    max_and_sum[1] = sum;
  }
}

// Weighted values of a warp's quarter of the page, a quad of columns a lane.
template <int G>
__device__ __forceinline__ void sum_values(const Cache& c, const float* weights, int page, float* to) {
  const int l = gpu::lane(), warp = static_cast<int>(threadIdx.x) / 32, span = page / kWarps;
  if (l >= c.head_dim / 4) return;
  Quad sum[G] = {};
  for (int i = max(warp * span, c.begin); i < min((warp + 1) * span, c.count); ++i) {
    const Quad v = c.is_new(i) ? load_quad(c.new_value, l) : load_quad(c.values + i * c.head_dim, l);
#pragma unroll
    for (int h = 0; h < G; ++h)
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[h].v[e] += weights[h * page + i] * v.v[e];
  }
#pragma unroll
  for (int h = 0; h < G; ++h) store_quad(to + (warp * G + h) * c.head_dim, l, sum[h]);
}

// Whether this block is the last of so many to come here; it then sees what all of them wrote before, and the count is zero
// again.
__device__ __forceinline__ bool last_to_come(uint32_t* count, int blocks) {
  bool last = false;
  __syncthreads();  // the block has written
  if (threadIdx.x == 0) {
    __threadfence();  // before the count lies what the block wrote
    last = atomicInc(count, static_cast<uint32_t>(blocks) - 1) == static_cast<uint32_t>(blocks) - 1;
    __threadfence();  // behind it what the others wrote
  }
  return __syncthreads_or(last) != 0;
}

// Adds the pages from .. pages - 1 of so many heads of a row in order, a column a thread. first: the first head, of all rows.
__device__ __forceinline__ void merge_pages(const AttentionDecode& a, int64_t first, int heads, int from, int pages) {
  const int d = static_cast<int>(threadIdx.x), width = a.head_dim, next = width + 2;
  if (d >= width) return;
#pragma unroll 1
  for (int64_t head = first; head < first + heads; ++head) {
    const float* const part = a.partial + head * a.pages * next;
    float top = -INFINITY, sum = 0, out = 0;
#pragma unroll 2  // more cost registers
    for (int p = from; p < pages; ++p) top = fmaxf(top, part[p * next + width]);
#pragma unroll 2
    for (int p = from; p < pages; ++p) {
      const float scale = gpu::ex2(part[p * next + width] - top);
      sum += scale * part[p * next + width + 1];
      out += scale * part[p * next + d];
    }
    a.out[head * width + d] = narrowed(out / sum);
  }
}

template <int G>
__global__ void __launch_bounds__(kThreads, 1) attention_decode_pages(AttentionDecode a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  const int width = a.head_dim;
  float* const q = shared.take<float>(G * kMaxHeadDim);
  float* const weights = shared.take<float>(G * a.page);
  float* const sums = shared.take<float>(kWarps * G * width);
  float* const fresh = shared.take<float>(2 * kMaxHeadDim);
  const int row = static_cast<int>(blockIdx.z), position = a.position[row], first = static_cast<int>(blockIdx.x) * a.page;
  const int begin = first_key(reach_of(a.window), position);
  if (first > position || first + a.page <= begin) return;  // the whole block leaves together
  const int group = a.heads / a.kv_heads, chunks = group / G, kv = static_cast<int>(blockIdx.y) / chunks;
  const int chunk = static_cast<int>(blockIdx.y) % chunks, head0 = kv * group + chunk * G, thread = static_cast<int>(threadIdx.x);
  const float* const qkv = a.qkv + int64_t{row} * (a.heads + 2 * a.kv_heads) * width;
  const float* const turn = a.rope ? a.rope + int64_t{position} * width : nullptr;
  bf16* const keys = a.cache + a.slot[row] * a.slot_stride + blockIdx.x * a.page_stride + int64_t{kv} * a.page * width;
  bf16* const values = keys + int64_t{a.kv_heads} * a.page * width;
  const Cache cache{keys,  values,   fresh,                 fresh + kMaxHeadDim,
                    first, position, max(begin - first, 0), min(a.page, position + 1 - first),
                    width};
  if (thread < width) {
    for (int h = 0; h < G; ++h)
      q[h * kMaxHeadDim + thread] = prepared(qkv + (head0 + h) * width, turn, thread, width) * (a.scale * kLog2E);
    const float* const key = qkv + (a.heads + kv) * width;
    if (position < first + a.page) take_new(cache, key, key + a.kv_heads * width, turn, chunk == 0);
  }
  __syncthreads();
  score_keys<G>(q, cache, weights, a.page);
  __syncthreads();
  float* const out = a.partial + ((int64_t{row} * a.heads + head0) * a.pages + blockIdx.x) * (width + 2);
  const int64_t next_head = int64_t{a.pages} * (width + 2);
  for (int h = thread / 32; h < G; h += kWarps) weigh(cache, weights + h * a.page, out + h * next_head + width);
  __syncthreads();
  sum_values<G>(cache, weights, a.page, sums);
  __syncthreads();
  if (thread < width)
    for (int h = 0; h < G; ++h) {
      float sum = sums[h * width + thread];
      for (int w = 1; w < kWarps; ++w) sum += sums[(w * G + h) * width + thread];
      out[h * next_head + thread] = sum;
    }
  const int pages = position / a.page + 1;
  const int from = begin / a.page;
  if (last_to_come(a.arrived + int64_t{row} * gridDim.y + blockIdx.y, pages - from))
    merge_pages(a, int64_t{row} * a.heads + head0, G, from, pages);
}

template <int G>
int run(Stream stream, const AttentionDecode& a) {
  const int shared = (G * kMaxHeadDim + G * a.page + kWarps * G * a.head_dim + 2 * kMaxHeadDim) * 4 + 4 * 128;
  const auto count = [](int x) { return static_cast<unsigned>(x); };
  const dim3 grid(count(a.pages), count(a.heads / G), count(a.rows));
  return GPU_LAUNCH(attention_decode_pages<G>, grid, dim3(kThreads), static_cast<size_t>(shared), stream, a);
}

}  // namespace

int attention_decode(Stream stream, const AttentionDecode& a) {
  const bool cache =
      a.page > 0 && a.page <= kCachePage && a.page % kKeyBlock == 0 && a.pages > 0 && a.rows >= 0 && a.rows <= 65535;
  if (!cache || !good_attention(Segments{}, 0, a.heads, a.kv_heads, a.head_dim, a.window)) return kInvalid;
  if (a.rows == 0) return 0;
  const int group = a.heads / a.kv_heads;
  return group % 8 == 0   ? run<8>(stream, a)
         : group % 4 == 0 ? run<4>(stream, a)
         : group % 2 == 0 ? run<2>(stream, a)
                          : run<1>(stream, a);
}

}  // namespace syn::cuda
