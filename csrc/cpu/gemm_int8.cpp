// Integer products (cpu/gemm_int8.h) in tiles of rows by kTileColumns columns, four terms of k at a time:
//   dots    vpdpbusd adds four products of an unsigned and a signed byte: x is stored as q + 128, and sums begin at
//           -128 sum_k qw[n,k], which takes the surplus away again (modulo 2^32, so exactly)
//   pairs   bytes of W widened to 16 bits, then vpmaddwd: sums of two products, exact in 32 bits
// W packed: panels [k / 4][kTileColumns][4] of bytes, then the scales of its rows, then -128 times their sums. A task
// quantises up to kRows rows of x, then passes the panels of its group by them.
#include "cpu/gemm_int8.h"

#include "core/machine.h"
#include "cpu/elementwise.h"
#include "cpu/gemm_parts.h"
#include "cpu/gemm_tile.h"
#include "math/int8.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kRows = 64;             // of a task
constexpr int32_t kTasks = 2;            // for each thread, where there are as many: each quantises its rows anew
constexpr int32_t kXBytes = 256 * 1024;  // a task's quantised rows of x

#if defined(__AVX512F__)
constexpr int kPairRows = 10, kDotRows = 14;
SYN_SIMD IntVec int_load(const void* p) { return _mm512_loadu_si512(p); }
SYN_SIMD IntVec int_all(int32_t x) { return _mm512_set1_epi32(x); }
SYN_SIMD Vec to_float(IntVec a) { return _mm512_cvtepi32_ps(a); }
SYN_SIMD IntVec low_bytes(IntVec a) { return _mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8); }  // 0 and 2 of four, widened
SYN_SIMD IntVec high_bytes(IntVec a) { return _mm512_srai_epi16(a, 8); }                       // 1 and 3
SYN_SIMD IntVec add_pairs(IntVec sum, IntVec a, IntVec b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
// Said to the assembler, as the file is compiled for machines without it; run only where the machine has it.
SYN_SIMD IntVec add_dots(IntVec sum, IntVec x, IntVec w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  return sum;
}
#else
constexpr int kPairRows = 4;
SYN_SIMD IntVec int_load(const void* p) { return _mm256_loadu_si256(static_cast<const IntVec*>(p)); }
SYN_SIMD IntVec int_all(int32_t x) { return _mm256_set1_epi32(x); }
SYN_SIMD Vec to_float(IntVec a) { return _mm256_cvtepi32_ps(a); }
SYN_SIMD IntVec low_bytes(IntVec a) { return _mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8); }
SYN_SIMD IntVec high_bytes(IntVec a) { return _mm256_srai_epi16(a, 8); }
SYN_SIMD IntVec add_pairs(IntVec sum, IntVec a, IntVec b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
#endif

// Where the parts of a packed W lie.
struct Packed {
  int32_t groups, columns;  // of four terms; of all panels
  int64_t scales, starts, size;
};

Packed layout(int32_t n, int32_t k) {
  Packed out;
  out.groups = pieces(k, 4);
  out.columns = pieces(n, kTileColumns) * kTileColumns;
  out.scales = (int64_t{out.columns} * out.groups * 4 + 63) / 64 * 64;
  out.starts = out.scales + int64_t{out.columns} * 4;
  out.size = out.starts + int64_t{out.columns} * 4;
  return out;
}

// The largest magnitude of n numbers `stride` apart, +inf where one is not finite.
float largest(const float* x, int64_t stride, int32_t n) {
  int32_t most = 0;  // magnitudes are in the order of their bits
  for (int32_t i = 0; i < n; ++i) {
    const int32_t b = static_cast<int32_t>(bits_of(x[i * stride]) & 0x7FFFFFFFu);
    most = b > most ? b : most;
  }
  return most >= 0x7F800000 ? __builtin_inff() : __builtin_bit_cast(float, most);
}

SYN_SIMD int32_t round_even(float x) { return static_cast<int32_t>(__builtin_rintf(x)); }

}  // namespace

int64_t int8_packed_size(int32_t n, int32_t k) { return layout(n, k).size; }

void int8_pack(Pool& pool, const float* w, int64_t stride_n, int64_t stride_k, int32_t n, int32_t k, void* packed) {
  const Packed at = layout(n, k);
  char* const base = static_cast<char*>(packed);
  pool.each(at.columns / kTileColumns, [&](int64_t panel, int) {
    for (int32_t j = 0; j < kTileColumns; ++j) {
      const int64_t column = panel * kTileColumns + j;
      const float* from = w + column * stride_n;
      const Int8Scale<float> scale = int8_scale(column < n ? largest(from, stride_k, k) : 0.0f);
      int8_t* to = reinterpret_cast<int8_t*>(base) + panel * kTileColumns * at.groups * 4 + j * 4;
      int32_t sum = 0;
      for (int32_t i = 0; i < at.groups * 4; ++i) {
        const bool there = i < k && scale.inverse != 0;
        const int32_t q = there ? round_even(from[i * stride_k] * scale.inverse) : 0;
        to[int64_t{i / 4} * kTileColumns * 4 + i % 4] = static_cast<int8_t>(q);
        sum += q;
      }
      reinterpret_cast<float*>(base + at.scales)[column] = scale.scale;
      reinterpret_cast<int32_t*>(base + at.starts)[column] = -128 * sum;
    }
  });
}

namespace {

struct Int8Tile {
  const char* x;  // quantised rows, each [groups] of Dot::kBytes
  const float* x_scale;
  const int8_t* w;  // panel
  const float* w_scale;
  const int32_t* start;
  const float* bias;
  float* y;
  int64_t y_row;
  int32_t groups, n;
};

// How x is stored and four terms are added.
struct Pairs {
  static constexpr int kMostRows = kPairRows, kBytes = 8;  // 16 bits each, in the order 0, 2, 1, 3
  struct W {
    IntVec low, high;
  };
  SYN_SIMD W widen(IntVec w) { return {low_bytes(w), high_bytes(w)}; }
  SYN_SIMD IntVec begin(const int32_t*) { return int_all(0); }
  SYN_SIMD void put(const int32_t* q, char* to) {
    const int16_t words[4] = {static_cast<int16_t>(q[0]), static_cast<int16_t>(q[2]), static_cast<int16_t>(q[1]),
                              static_cast<int16_t>(q[3])};
    __builtin_memcpy(to, words, sizeof words);
  }
  template <int kVectors>
  SYN_SIMD void add(const char* x, const W* w, IntVec* sum) {
    int32_t word[2];
    __builtin_memcpy(word, x, sizeof word);
    const IntVec low = int_all(word[0]), high = int_all(word[1]);
    for (int v = 0; v < kVectors; ++v) sum[v] = add_pairs(add_pairs(sum[v], w[v].low, low), w[v].high, high);
  }
};

#if defined(__AVX512F__)
struct Dots {
  static constexpr int kMostRows = kDotRows, kBytes = 4;  // q + 128
  using W = IntVec;
  SYN_SIMD W widen(IntVec w) { return w; }
  SYN_SIMD IntVec begin(const int32_t* start) { return int_load(start); }
  SYN_SIMD void put(const int32_t* q, char* to) {
    for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(q[i] + 128);
  }
  template <int kVectors>
  SYN_SIMD void add(const char* x, const W* w, IntVec* sum) {
    int32_t word;
    __builtin_memcpy(&word, x, sizeof word);
    const IntVec four = int_all(word);
    for (int v = 0; v < kVectors; ++v) sum[v] = add_dots(sum[v], four, w[v]);
  }
};
#endif

template <class Dot, int kTall>
void tile(const Int8Tile& t) {
  IntVec sum[kTall][kTileVectors];
#pragma GCC unroll 14
  for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) sum[r][v] = Dot::begin(t.start + v * kLanes);
  const int64_t row = int64_t{t.groups} * Dot::kBytes;
  const char* x = t.x;
  const int8_t* w = t.w;
  for (int32_t g = 0; g < t.groups; ++g, x += Dot::kBytes, w += kTileColumns * 4) {
    typename Dot::W column[kTileVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) column[v] = Dot::widen(int_load(w + v * kLanes * 4));
#pragma GCC unroll 14
    for (int r = 0; r < kTall; ++r) Dot::template add<kTileVectors>(x + r * row, column, sum[r]);
  }
#pragma GCC unroll 14
  for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) {
      const int32_t j = v * kLanes, lanes = t.n - j;
      if (lanes <= 0) continue;
      const Mask part = first_lanes(lanes);
      const Vec scale = all(t.x_scale[r]) * load(t.w_scale + j);
      Vec y = to_float(sum[r][v]) * scale;
      if (t.bias) y = y + load(t.bias + j, part);
      float* to = t.y + r * t.y_row + j;
      if (lanes >= kLanes) {
        store(to, y);
      } else {
        store(to, part, y);
      }
    }
}

template <class Dot, int kTall>
constexpr void list(void (**out)(const Int8Tile&)) {
  out[kTall] = tile<Dot, kTall>;
  if constexpr (kTall > 1) list<Dot, kTall - 1>(out);
}

template <class Dot>
struct Tiles {
  void (*of_rows[Dot::kMostRows + 1])(const Int8Tile&) = {};
  constexpr Tiles() { list<Dot, Dot::kMostRows>(of_rows); }
};

// One row of x: its integers to `to`, its scale returned.
template <class Dot>
float quantise(const float* x, int32_t k, char* to) {
  const Int8Scale<float> scale = int8_scale(largest(x, 1, k));
  for (int32_t i = 0; i < k; i += 64) {
    const int32_t n = least(64, k - i);
    int32_t q[64] = {};
    for (int32_t j = 0; j < n; ++j) q[j] = scale.inverse != 0 ? round_even(x[i + j] * scale.inverse) : 0;
    for (int32_t j = 0; j < n; j += 4) Dot::put(q + j, to + (i + j) / 4 * Dot::kBytes);
  }
  return scale.scale;
}

template <class Dot>
void run_part(const Int8Run& a, const Part& part) {
  static constexpr Tiles<Dot> kTiles;
  alignas(64) char x[kXBytes];
  float scale[kRows];
  const Packed at = layout(a.n, a.k);
  const char* const base = static_cast<const char*>(a.packed);
  const int64_t x_row = int64_t{at.groups} * Dot::kBytes;
  for (int32_t r = 0; r < part.rows; ++r) scale[r] = quantise<Dot>(a.x + (part.row + r) * a.ldx, a.k, x + r * x_row);
  const int32_t count = pieces(part.rows, Dot::kMostRows);
  for (int32_t panel = part.begin; panel < part.end; ++panel) {
    const int32_t n0 = panel * kTileColumns, n = least(kTileColumns, a.n - n0);
    for (int32_t i = 0, r = 0, tall; i < count; ++i, r += tall) {
      tall = (part.rows - r + count - i - 1) / (count - i);
      float* const y = a.y + (part.row + r) * a.ldy + n0;
      kTiles.of_rows[tall]({x + r * x_row, scale + r, reinterpret_cast<const int8_t*>(base) + int64_t{n0} * at.groups * 4,
                            reinterpret_cast<const float*>(base + at.scales) + n0,
                            reinterpret_cast<const int32_t*>(base + at.starts) + n0, a.bias ? a.bias + n0 : nullptr, y, a.ldy,
                            at.groups, n});
      if (a.gelu)
        for (int32_t j = 0; j < tall; ++j) gelu_row(y + j * a.ldy, a.gelu + (part.row + r + j) * a.ldy + n0, n, AsItIs());
    }
  }
}

// Rows of a task.
template <class Dot>
int32_t height_of(const Int8Run& a) {
  const int32_t groups_of_k = pieces(a.k, 4);
  return least(kRows, kXBytes / Dot::kBytes / (groups_of_k > 0 ? groups_of_k : 1));
}

template <class Dot>
void run_panels(const Int8Run& a, int32_t begin, int32_t end) {
  const int32_t height = height_of<Dot>(a);
  for (int32_t row = 0; row < a.rows; row += height) run_part<Dot>(a, {row, least(height, a.rows - row), begin, end});
}

template <class Dot>
void run(Pool& pool, const Int8Run& a) {
  each_part(pool, a.rows, a.n, height_of<Dot>(a), kTasks, [&](const Part& part) { run_part<Dot>(a, part); });
}

}  // namespace

bool int8_dot_instruction() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

void int8_panels(const Int8Run& a, int32_t begin, int32_t end, bool dot_instruction) {
#if defined(__AVX512F__)
  if (dot_instruction) return run_panels<Dots>(a, begin, end);
#endif
  static_cast<void>(dot_instruction);
  run_panels<Pairs>(a, begin, end);
}

void int8_run(Pool& pool, const Int8Run& a, bool dot_instruction) {
#if defined(__AVX512F__)
  if (dot_instruction) return run<Dots>(pool, a);
#endif
  static_cast<void>(dot_instruction);
  run<Pairs>(pool, a);
}

}  // namespace syn::cpu::SYN_CPU_NS
