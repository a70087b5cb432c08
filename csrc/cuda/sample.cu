// The sampler (ops/sample.h), a block a record: bit for bit the tokens, numbers and reports of every other backend, given the
// same logits.
//
//   row      tokens in strides: the legal ones, their largest logit, masses at temperature 1; all tokens where the draw is
//   measured select   the threshold of a filter in four passes of 256 bins over the order-preserving keys, integer counts or
//   masses; equal keys
//            are kept from the lowest id up
//   draw     each warp owns a range of ids; the warp whose range holds the point walks it in ascending id
//   burst    what was drawn becomes the row of the next step, by the thread that found it (Burst, cuda/ops.h)
//
// Only integers are summed, so that no order matters. z of a token that is not (or no longer) in the running is -inf.
// Traffic a row: classes and the logits of legal tokens once from memory, all logits twice where the draw is measured; the rest
// in shared memory, or in scratch for the largest vocabularies.
#include "cuda/block.h"
#include "cuda/gpu.h"
#include "cuda/ops.h"
#include "math/choose.h"
#include "math/next_draw.h"

namespace syn::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32, kBins = 256;
constexpr int kMostShared = 96 << 10;  // what every device of compute capability 8.0 and later can give a block

using Wide = unsigned long long;  // the type of 64-bit atomics

constexpr int padded(int bytes) { return (bytes + 127) / 128 * 128; }
constexpr int kFixedShared = padded(kBins * 8) + 2 * padded(kWarps * 8) + padded(kWarps * 4) + padded(16);

int shared_bytes(int32_t vocab, int32_t classes, bool row_in_shared) {
  return kFixedShared + padded(classes * 4) + (row_in_shared ? padded(vocab * 4) : 0);
}

// What the threads of a block share about their row.
struct Row {
  const GrammarTables& grammar;
  const SampleSettings& settings;
  const float* logits;
  float* z;           // [vocab]
  int32_t* open;      // [classes] the class may follow
  Wide* bins;         // [kBins]
  uint64_t* scratch;  // [kWarps]
  float* largest;     // [kWarps]
  uint64_t* of_warp;  // [kWarps]
  uint64_t* pick;     // [2] the bin of a threshold, and what is still needed from it
};

// The ids that a warp walks: whole warps of them, ascending.
struct Range {
  int begin, end;
  __device__ explicit Range(int vocab) {
    const int span = (vocab + kWarps * 32 - 1) / (kWarps * 32) * 32, warp = static_cast<int>(threadIdx.x) / 32;
    begin = warp * span;
    end = min(begin + span, vocab);
  }
};

// z of every token, -inf where it is not legal; returns the number of legal tokens.
__device__ __forceinline__ int collect(const Row& r, const GrammarMemory& memory, int32_t room) {
  const GrammarTables& g = r.grammar;
  const int thread = static_cast<int>(threadIdx.x);
  for (int c = thread; c < g.classes; c += kThreads) r.open[c] = class_open(g, memory.state, static_cast<uint16_t>(c), room);
  __syncthreads();
  int legal_tokens = 0;
  for (int t = thread; t < g.vocab; t += kThreads) {
    const uint16_t c = g.token_class[t];
    const bool in = !r.settings.mask || (c != kNoClass && r.open[c] && !vetoed(g, memory, t, c));
    r.z[t] = in ? clean(r.logits[t]) : kLowest;
    legal_tokens += in;
  }
  return static_cast<int>(block_reduce<uint64_t>(static_cast<uint64_t>(legal_tokens), r.scratch, Add()));
}

// The legal token nearest to the end, lowest id first.
__device__ __forceinline__ int32_t way_out(const Row& r, const GrammarMemory& memory, int32_t room) {
  uint64_t best = ~uint64_t{0};
  for (int t = static_cast<int>(threadIdx.x); t < r.grammar.vocab; t += kThreads) {
    if (r.settings.mask && !legal(r.grammar, memory, t, room)) continue;
    const uint64_t rank = uint64_t{way_out_rank(r.grammar, r.settings, memory, t)} << 32 | static_cast<uint32_t>(t);
    best = rank < best ? rank : best;
  }
  return static_cast<int32_t>(block_reduce(best, r.scratch, Smallest()) & 0xffffffffu);
}

// A filter's cut: everything above key, and the first `ties` tokens that have it.
struct Cut {
  uint32_t key;
  uint64_t ties;
};

// The number whose key it is.
__device__ __forceinline__ float number_of(uint32_t key) { return float_of(key ^ (key >> 31 ? 0x80000000u : 0xffffffffu)); }

// The key at which the weights, summed from the largest key down, reach need. by_mass: a token weighs its mass, else 1.
__device__ __forceinline__ Cut select(const Row& r, uint64_t need, bool by_mass, float top) {
  const int thread = static_cast<int>(threadIdx.x);
  uint32_t prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    r.bins[thread] = 0;
    __syncthreads();
    const uint32_t above = shift == 24 ? 0 : ~0u << (shift + 8);
    for (int t = thread; t < r.grammar.vocab; t += kThreads) {
      const float z = r.z[t];
      const uint32_t key = radix_key(z);
      if (z > kLowest && (key & above) == prefix)
        atomicAdd(&r.bins[key >> shift & 255], static_cast<Wide>(by_mass ? mass(z, top) : 1));
    }
    __syncthreads();
    const uint64_t mine = r.bins[kBins - 1 - thread], reached = block_scan(mine, r.scratch);  // from the largest bin down
    if (reached >= need && reached - mine < need) {
      r.pick[0] = static_cast<uint64_t>(kBins - 1 - thread);
      r.pick[1] = need - (reached - mine);
    }
    __syncthreads();
    prefix |= static_cast<uint32_t>(r.pick[0]) << shift;
    need = r.pick[1];
  }
  const uint64_t one = by_mass ? mass(number_of(prefix), top) : 1;
  return {prefix, (need + one - 1) / one};
}

// Takes what a cut leaves out of the running.
__device__ __forceinline__ void apply(const Row& r, const Cut& cut) {
  const Range range(r.grammar.vocab);
  const int l = gpu::lane(), warp = static_cast<int>(threadIdx.x) / 32;
  uint64_t equal = 0;
  for (int first = range.begin; first < range.end; first += 32) {
    const int t = first + l;
    equal += static_cast<uint64_t>(__popc(__ballot_sync(0xffffffffu, t < range.end && radix_key(r.z[t]) == cut.key)));
  }
  if (l == 0) r.of_warp[warp] = equal;
  __syncthreads();
  uint64_t before = 0;
  for (int w = 0; w < warp; ++w) before += r.of_warp[w];
  for (int first = range.begin; first < range.end; first += 32) {
    const int t = first + l;
    const uint32_t key = t < range.end ? radix_key(r.z[t]) : 0;
    const uint32_t same = __ballot_sync(0xffffffffu, t < range.end && key == cut.key);
    const uint64_t rank = before + static_cast<uint64_t>(__popc(same & ((1u << l) - 1)));
    if (t < range.end && (key < cut.key || (key == cut.key && rank >= cut.ties))) r.z[t] = kLowest;
    before += static_cast<uint64_t>(__popc(same));
  }
  __syncthreads();
}

__device__ __forceinline__ uint64_t sum_masses(const Row& r, float top) {
  uint64_t sum = 0;
  for (int t = static_cast<int>(threadIdx.x); t < r.grammar.vocab; t += kThreads) sum += mass(r.z[t], top);
  return block_reduce(sum, r.scratch, Add());
}

// Takes out of the running what the filters do not keep; n tokens are in it.
__device__ __forceinline__ void filter(const Row& r, uint64_t n, float top) {
  const SampleSettings& s = r.settings;
  if (s.top_k > 0 && n > static_cast<uint64_t>(s.top_k)) apply(r, select(r, static_cast<uint64_t>(s.top_k), false, top));
  if (s.top_p < 1) apply(r, select(r, share(fraction64(s.top_p), sum_masses(r, top)), true, top));
  if (s.min_p > 0) {
    const uint64_t whole = uint64_t{1} << kMassBits, need = s.min_p < 1 ? share(fraction64(s.min_p), whole) : whole;
    for (int t = static_cast<int>(threadIdx.x); t < r.grammar.vocab; t += kThreads)
      if (mass(r.z[t], top) < need) r.z[t] = kLowest;
    __syncthreads();
  }
}

// The token that the bits of the record name, found by one lane of the block; the others get -1.
__device__ __forceinline__ int32_t choose(const Row& r, const SampleDraw& d, float top) {
  const Range range(r.grammar.vocab);
  const int l = gpu::lane(), warp = static_cast<int>(threadIdx.x) / 32;
  uint64_t sum = 0;
  for (int t = range.begin + l; t < range.end; t += 32) sum += mass(r.z[t], top);
#pragma unroll
  for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
  if (l == 0) r.of_warp[warp] = sum;
  __syncthreads();
  uint64_t total = 0, prefix = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w == warp) prefix = total;
    total += r.of_warp[w];
  }
  const uint64_t point = sample_point(r.settings, d, total);
  if (point < prefix || point >= prefix + sum) return -1;
  for (int first = range.begin;; first += 32) {
    const int t = first + l;
    const uint64_t upto = prefix + warp_scan(t < range.end ? mass(r.z[t], top) : uint64_t{0});
    const uint32_t past = __ballot_sync(0xffffffffu, upto > point);
    if (past) return l == __ffs(past) - 1 ? t : -1;
    prefix = __shfl_sync(0xffffffffu, upto, 31);
  }
}

// Whether a row of a burst draws in this step. One that is given its next token takes it.
__device__ __forceinline__ bool draws_now(const Burst& b, int row) {
  const int step = b.step[row], limit = b.limit[row];
  const bool feeds = step + 1 < b.given[row];
  __syncthreads();  // everyone has read the row
  if (step < limit && feeds && threadIdx.x == 0) {
    b.step[row] = step + 1;
    if (step + 1 < limit) {
      b.token[row] = b.feed[int64_t{step} * b.stride + row];
      ++b.position[row];
    }
  }
  return step < limit && !feeds;
}

// Hands on what the row of this block drew: in a burst to its log, and to the next step what that begins with. By one thread.
__device__ __forceinline__ void hand_on(const Sample& a, SampleDraw d) {
  const int row = static_cast<int>(blockIdx.x);
  const Burst& b = a.burst;
  if (!b.step) {
    a.draws[row] = d;
    return;
  }
  const int step = b.step[row], limit = b.limit[row];
  b.drawn[int64_t{step} * b.stride + row] = d;
  const bool on = step + 1 < limit && d.status != kNothingLegal && !ends(a.grammar, a.settings, d);
  b.step[row] = on ? step + 1 : limit;
  if (!on) return;
  b.token[row] = d.token;
  ++b.position[row];
  ++d.position;
  ask(b.rules, d);
  a.draws[row] = d;
}

__device__ __forceinline__ void sample_row(const Row& r, const Sample& a) {
  const SampleDraw* const draw = a.draws + blockIdx.x;
  const int thread = static_cast<int>(threadIdx.x), vocab = r.grammar.vocab;
  SampleDraw d = *draw;
  float max_all = kLowest, max_legal = kLowest;
  for (int t = thread; d.measured && t < vocab; t += kThreads) max_all = fmaxf(max_all, clean(r.logits[t]));
  max_all = block_reduce(max_all, r.largest, Largest());
  int32_t room = d.room;
  int n = collect(r, d.memory, room);
  if (n == 0 && room != kUnlimited) {
    room = kUnlimited;
    n = collect(r, d.memory, room);
  }
  if (n == 0) {
    d.status = kNothingLegal;
    if (thread == 0) hand_on(a, d);
    return;
  }
  d.status = kSampled;
  for (int t = thread; t < vocab; t += kThreads) max_legal = fmaxf(max_legal, r.z[t]);
  max_legal = block_reduce(max_legal, r.largest, Largest());
  const float top = tempered(max_legal, r.settings.temperature);
  if (!(top > kLowest)) {
    const int32_t token = way_out(r, d.memory, room);
    if (thread != 0) return;
    settle_way_out(r.grammar, r.settings, token, d);
    hand_on(a, d);
    return;
  }
  uint64_t all = 0, in_running = 0;
  for (int t = thread; d.measured && t < vocab; t += kThreads) all += mass(clean(r.logits[t]), max_all);
  const SampleMasses masses{max_all, max_legal, block_reduce(all, r.scratch, Add()), sum_masses(r, max_legal)};
  for (int t = thread; t < vocab; t += kThreads) {
    const float z = r.settings.temperature == 1.0f ? r.z[t] : tempered(r.z[t], r.settings.temperature);
    r.z[t] = z;
    in_running += z > kLowest;
  }
  filter(r, block_reduce(in_running, r.scratch, Add()), top);
  const int32_t token = choose(r, d, top);
  if (token < 0) return;
  report_draw(masses, clean(r.logits[token]), d);
  settle_draw(r.grammar, r.settings, token, d);
  hand_on(a, d);
}

__global__ void __launch_bounds__(kThreads, 1) sample_rows(Sample a) {
  GPU_DYN_SHARED(raw);
  if (a.burst.step && !draws_now(a.burst, static_cast<int>(blockIdx.x))) return;
  gpu::Smem shared(raw);
  Wide* const bins = shared.take<Wide>(kBins);
  uint64_t* const scratch = shared.take<uint64_t>(kWarps);
  float* const largest = shared.take<float>(kWarps);
  uint64_t* const of_warp = shared.take<uint64_t>(kWarps);
  uint64_t* const pick = shared.take<uint64_t>(2);
  int32_t* const open = shared.take<int32_t>(a.grammar.classes);
  const int64_t base = int64_t{blockIdx.x} * a.grammar.vocab;
  float* const z = a.scratch ? a.scratch + base : shared.take<float>(a.grammar.vocab);
  sample_row(Row{a.grammar, a.settings, a.logits + base, z, open, bins, scratch, largest, of_warp, pick}, a);
}

}  // namespace

bool sample_fits(int32_t vocab, int32_t classes) {
  return int64_t{vocab} + classes < kMostShared / 4 && shared_bytes(vocab, classes, true) <= kMostShared;
}

int sample(Stream stream, const Sample& a) {
  const int32_t vocab = a.grammar.vocab, classes = a.grammar.classes;
  const bool good = a.rows >= 0 && vocab > 0 && classes > 0 && classes <= 8192 && (a.scratch || sample_fits(vocab, classes));
  if (!good || (a.burst.step && a.burst.stride < a.rows)) return kInvalid;
  if (a.rows == 0) return 0;
  const int shared = shared_bytes(vocab, classes, !a.scratch);
  const int e = cudaFuncSetAttribute(sample_rows, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  return e ? e
           : GPU_LAUNCH(sample_rows, dim3(static_cast<unsigned>(a.rows)), dim3(kThreads), static_cast<size_t>(shared), stream, a);
}

}  // namespace syn::cuda
