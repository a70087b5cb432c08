// Attention of one new token for each of several records over their paged caches (ops/attention_decode.h).
//
// A block takes a page of one record and up to eight heads of one key/value head: a lane takes a key, which the transposed blocks
// of the cache make neighbours of the next lane's; softmax in base 2 with an integer maximum, as in attention_forward.cu; values
// are summed by four warps over quarters of the page, the quarters in order. Pages are merged by a second kernel in the order of
// their positions, so a row's bits depend on its own cache and the page size alone. The new key and value are appended by one
// block and read from qkv by all.
// Traffic a row: the cache of its record once for every eight heads of a group, and heads (head_dim + 2) floats a page.
#include "cuda/attention_tiles.h"
#include "ops/attention_decode.h"

namespace syn::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
static_assert(kThreads >= kMaxHeadDim && 32 * 4 >= kMaxHeadDim, "a column a thread, a quad of columns a lane");

// One key/value head of a record: its page, and the new token, which is not read from there.
struct Cache {
  const bf16 *keys, *values, *new_key, *new_value;
  int first, position, count;  // of the page; of the new token; positions of the page that count
  int head_dim;

  __device__ bool is_new(int i) const { return first + i == position; }
};

__device__ __forceinline__ void append(bf16* keys, bf16* values, const Cache& c) {
  const int i = c.position - c.first, d = static_cast<int>(threadIdx.x);
  if (d >= c.head_dim) return;
  keys[(i - i % kKeyBlock) * c.head_dim + d * kKeyBlock + i % kKeyBlock] = c.new_key[d];
  values[i * c.head_dim + d] = c.new_value[d];
}

// Scores in base 2 of G heads: a key a lane, a warp 32 of them at a time. q: a head every kMaxHeadDim, so that the heads' numbers
// lie at distances that the compiler knows.
template <int G>
__device__ __forceinline__ void score_keys(const float* q, const Cache& c, float* scores, int page) {
  for (int i = static_cast<int>(threadIdx.x); i < c.count; i += kThreads) {
    const bf16* const key = c.is_new(i) ? c.new_key : c.keys + (i - i % kKeyBlock) * c.head_dim + i % kKeyBlock;
    const int step = c.is_new(i) ? 1 : kKeyBlock;
    float s[G] = {};
#pragma unroll 1  // four numbers of a key at a time: more cost registers
    for (int d = 0; d < c.head_dim; d += 4)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float k = bf16_number(key[(d + e) * step].bits);
#pragma unroll
        for (int h = 0; h < G; ++h) s[h] += q[h * kMaxHeadDim + d + e] * k;
      }
#pragma unroll
    for (int h = 0; h < G; ++h) scores[h * page + i] = s[h];
  }
}

// Scores become weights, a head a warp; returns their maximum and sum.
__device__ __forceinline__ void weigh(float* scores, int count, float* max_and_sum) {
  const int l = gpu::lane();
  float top = -INFINITY, sum = 0;
  for (int i = l; i < count; i += 32) top = fmaxf(top, scores[i]);
#pragma unroll
  for (int o = 16; o; o >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, o));
  top = ceilf(top);
  for (int i = l; i < count; i += 32) sum += scores[i] = gpu::ex2(scores[i] - top);
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
  for (int i = warp * span; i < min((warp + 1) * span, c.count); ++i) {
    const Quad v = load_quad(c.is_new(i) ? c.new_value : c.values + i * c.head_dim, l);
#pragma unroll
    for (int h = 0; h < G; ++h)
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[h].v[e] += weights[h * page + i] * v.v[e];
  }
#pragma unroll
  for (int h = 0; h < G; ++h) store_quad(to + (warp * G + h) * c.head_dim, l, sum[h]);
}

template <int G>
__global__ void __launch_bounds__(kThreads, 1) attention_decode_pages(AttentionDecode a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  const int width = a.head_dim;
  float* const q = shared.take<float>(G * kMaxHeadDim);
  float* const weights = shared.take<float>(G * a.page);
  float* const sums = shared.take<float>(kWarps * G * width);
  const int row = static_cast<int>(blockIdx.z), position = a.position[row], first = static_cast<int>(blockIdx.x) * a.page;
  if (first > position) return;  // the whole block leaves together
  const int group = a.heads / a.kv_heads, chunks = group / G, kv = static_cast<int>(blockIdx.y) / chunks;
  const int chunk = static_cast<int>(blockIdx.y) % chunks, head0 = kv * group + chunk * G, thread = static_cast<int>(threadIdx.x);
  const bf16* const qkv = a.qkv + int64_t{row} * (a.heads + 2 * a.kv_heads) * width;
  bf16* const keys = a.cache + a.slot[row] * a.slot_stride + blockIdx.x * a.page_stride + int64_t{kv} * a.page * width;
  bf16* const values = keys + int64_t{a.kv_heads} * a.page * width;
  const Cache cache{keys,  values,   qkv + (a.heads + kv) * width,      qkv + (a.heads + a.kv_heads + kv) * width,
                    first, position, min(a.page, position + 1 - first), width};
  if (chunk == 0 && position < first + a.page) append(keys, values, cache);
  if (thread < width)
    for (int h = 0; h < G; ++h)
      q[h * kMaxHeadDim + thread] = bf16_number(qkv[(head0 + h) * width + thread].bits) * (a.scale * kLog2E);
  __syncthreads();
  score_keys<G>(q, cache, weights, a.page);
  __syncthreads();
  float* const out = a.partial + ((int64_t{row} * a.heads + head0) * a.pages + blockIdx.x) * (width + 2);
  const int64_t next_head = int64_t{a.pages} * (width + 2);
  for (int h = thread / 32; h < G; h += kWarps) weigh(weights + h * a.page, cache.count, out + h * next_head + width);
  __syncthreads();
  sum_values<G>(cache, weights, a.page, sums);
  __syncthreads();
  if (thread >= width) return;
  for (int h = 0; h < G; ++h) {
    float sum = sums[h * width + thread];
    for (int w = 1; w < kWarps; ++w) sum += sums[(w * G + h) * width + thread];
    out[h * next_head + thread] = sum;
  }
}

// Adds the pages of a row and head in order, a column a thread.
__global__ void __launch_bounds__(kThreads, 1) attention_decode_merge(AttentionDecode a) {
  const int row = static_cast<int>(blockIdx.y), head = static_cast<int>(blockIdx.x), d = static_cast<int>(threadIdx.x);
  const int width = a.head_dim, next = width + 2;
  if (d >= width) return;
  const int pages = a.position[row] / a.page + 1;
  const float* const part = a.partial + (int64_t{row} * a.heads + head) * a.pages * next;
  float top = -INFINITY, sum = 0, out = 0;
  for (int p = 0; p < pages; ++p) top = fmaxf(top, part[p * next + width]);
  for (int p = 0; p < pages; ++p) {
    const float scale = gpu::ex2(part[p * next + width] - top);
    sum += scale * part[p * next + width + 1];
    out += scale * part[p * next + d];
  }
  a.out[(int64_t{row} * a.heads + head) * width + d] = {static_cast<uint16_t>(gpu::pack_bf16(out / sum, 0))};
}

template <int G>
int run(Stream stream, const AttentionDecode& a) {
  const int shared = (G * kMaxHeadDim + G * a.page + kWarps * G * a.head_dim) * 4 + 3 * 128;
  const auto pages = attention_decode_pages<G>;
  const auto count = [](int x) { return static_cast<unsigned>(x); };
  const dim3 grid(count(a.pages), count(a.heads / G), count(a.rows));
  const int e = GPU_LAUNCH(pages, grid, dim3(kThreads), static_cast<size_t>(shared), stream, a);
  const dim3 columns(count((a.head_dim + 31) / 32 * 32));
  return e ? e : GPU_LAUNCH(attention_decode_merge, dim3(count(a.heads), count(a.rows)), columns, 0, stream, a);
}

}  // namespace

int attention_decode(Stream stream, const AttentionDecode& a) {
  const bool cache =
      a.page > 0 && a.page <= kCachePage && a.page % kKeyBlock == 0 && a.pages > 0 && a.rows >= 0 && a.rows <= 65535;
  if (!cache || !good_attention(Segments{}, 0, a.heads, a.kv_heads, a.head_dim)) return kInvalid;
  if (a.rows == 0) return 0;
  const int group = a.heads / a.kv_heads;
  return group % 8 == 0   ? run<8>(stream, a)
         : group % 4 == 0 ? run<4>(stream, a)
         : group % 2 == 0 ? run<2>(stream, a)
                          : run<1>(stream, a);
}

}  // namespace syn::cuda
