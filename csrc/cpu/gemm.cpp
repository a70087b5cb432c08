// Packing, tiling and the epilogue around the generated kernels. libxsmm thinks in columns: a row-major y[r,n] is its
// column-major n x r matrix, so W's panel is its first operand (n contiguous) and x its second.
//
// Determinism: each output tile is computed by one thread, k ascending in steps of kGemmDepth, rows always kGemmRows at a time.
// Memory traffic: a task is up to kRowBlock rows and a few panels, so that x's block and one panel stay in the second level.
#include "cpu/gemm.h"

#include <libxsmm.h>

#include "core/machine.h"
#include "core/status.h"
#include "cpu/elementwise.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kRowBlock = 256;  // rows of a task of gemm_run
constexpr int32_t kOuterP = 96;     // g's tile in gemm_outer: kOuterP x kOuterQ stays in the second level
constexpr int32_t kOuterQ = 192;
constexpr int32_t kOuterRows = 256;  // rows summed by one kernel call
constexpr int32_t kOuterTail = 32;

inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t cut(int64_t n, int64_t piece) { return static_cast<int32_t>((n + piece - 1) / piece); }

}  // namespace

GemmKernel gemm_kernel(const GemmTile& t) {
  const float one = 1, beta = t.add ? 1.0f : 0.0f;
  const int flags = t.b_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
  if (machine_isa() == Isa::kAvx2 && libxsmm_get_target_archid() != LIBXSMM_X86_AVX2) libxsmm_set_target_archid(LIBXSMM_X86_AVX2);
  const libxsmm_smmfunction kernel = libxsmm_smmdispatch(t.m, t.n, t.k, &t.lda, &t.ldb, &t.ldc, &one, &beta, &flags, &prefetch);
  if (!kernel) fail(SYN_INTERNAL, "libxsmm generates no kernel for m %d, n %d, k %d", t.m, t.n, t.k);
  return reinterpret_cast<GemmKernel>(kernel);
}

int64_t gemm_packed_size(int32_t n, int32_t k) { return int64_t{cut(n, kGemmPanel)} * kGemmPanel * k; }

void gemm_pack(Pool& pool, const float* w, int64_t stride_n, int64_t stride_k, int32_t n, int32_t k, float* packed) {
  pool.each(cut(n, kGemmPanel), [&](int64_t panel, int) {
    const int32_t n0 = static_cast<int32_t>(panel) * kGemmPanel, width = least(kGemmPanel, n - n0);
    float* to = packed + panel * kGemmPanel * k;
    for (int32_t i = 0; i < k; ++i, to += kGemmPanel) {
      const float* from = w + n0 * stride_n + i * stride_k;
      for (int32_t j = 0; j < width; ++j) to[j] = from[j * stride_n];
      for (int32_t j = width; j < kGemmPanel; ++j) to[j] = 0;
    }
  });
}

namespace {

// The kernels of one product: [partial last panel][partial last depth][k > 0], for tiles in place and in the scratch tile.
struct RunKernels {
  GemmKernel in_place[2][2][2];
  GemmKernel scratch[2][2][2];
};

RunKernels run_kernels(const GemmRun& a) {
  const int32_t ldx = static_cast<int32_t>(a.ldx), ldy = static_cast<int32_t>(a.ldy);
  const int32_t last_n = a.n % kGemmPanel, last_k = a.k % kGemmDepth;
  RunKernels out = {};
  for (int pn = 0; pn < 2; ++pn)
    for (int pk = 0; pk < 2; ++pk)
      for (int add = 0; add < 2; ++add) {
        const int32_t n = pn ? last_n : kGemmPanel, k = pk ? last_k : kGemmDepth;
        if (n == 0 || k == 0 || n > a.n || k > a.k) continue;
        out.in_place[pn][pk][add] = gemm_kernel({n, kGemmRows, k, kGemmPanel, ldx, ldy, add > 0, false});
        out.scratch[pn][pk][add] = gemm_kernel({n, kGemmRows, k, kGemmPanel, kGemmDepth, kGemmPanel, add > 0, false});
      }
  return out;
}

// Bias and activation while the tile is in the first level.
void finish(const GemmRun& a, int32_t row, int32_t rows, int32_t n0, int32_t n) {
  for (int32_t r = row; r < row + rows; ++r) {
    float* y = a.y + r * a.ldy + n0;
    if (a.bias) add_to(y, a.bias + n0, n);
    if (a.gelu) gelu_row(y, a.gelu + r * a.ldy + n0, n);
  }
}

// A tile of fewer than kGemmRows rows, through zero-padded copies: the same kernels, so the same bits.
void ragged_tile(const GemmRun& a, const RunKernels& kernels, const float* panel, int32_t row, int32_t n0, int32_t n) {
  alignas(64) float x[kGemmRows * kGemmDepth] = {};
  alignas(64) float y[kGemmRows * kGemmPanel];
  const int32_t rows = a.rows - row;
  for (int32_t k0 = 0; k0 < a.k; k0 += kGemmDepth) {
    const int32_t k = least(kGemmDepth, a.k - k0);
    for (int32_t r = 0; r < rows; ++r)
      for (int32_t i = 0; i < k; ++i) x[r * kGemmDepth + i] = a.x[(row + r) * a.ldx + k0 + i];
    kernels.scratch[n < kGemmPanel][k < kGemmDepth][k0 > 0](panel + int64_t{k0} * kGemmPanel, x, y);
  }
  for (int32_t r = 0; r < rows; ++r)
    for (int32_t j = 0; j < n; ++j) a.y[(row + r) * a.ldy + n0 + j] = y[r * kGemmPanel + j];
}

void run_block(const GemmRun& a, const RunKernels& kernels, int32_t row0, int32_t panel0, int32_t panel1) {
  const int32_t row1 = least(a.rows, row0 + kRowBlock);
  for (int32_t p = panel0; p < panel1; ++p) {
    const int32_t n0 = p * kGemmPanel, n = least(kGemmPanel, a.n - n0);
    const float* panel = a.packed + int64_t{n0} * a.k;
    for (int32_t k0 = 0; k0 < a.k; k0 += kGemmDepth) {
      const GemmKernel kernel = kernels.in_place[n < kGemmPanel][a.k - k0 < kGemmDepth][k0 > 0];
      for (int32_t r = row0; r + kGemmRows <= row1; r += kGemmRows)
        kernel(panel + int64_t{k0} * kGemmPanel, a.x + r * a.ldx + k0, a.y + r * a.ldy + n0);
    }
    const int32_t whole = row0 + (row1 - row0) / kGemmRows * kGemmRows;
    if (whole < row1) ragged_tile(a, kernels, panel, whole, n0, n);
    finish(a, row0, row1 - row0, n0, n);
  }
}

}  // namespace

void gemm_run(Pool& pool, const GemmRun& a) {
  if (a.rows <= 0) return;
  const RunKernels kernels = run_kernels(a);
  const int32_t panels = cut(a.n, kGemmPanel), blocks = cut(a.rows, kRowBlock);
  // Few rows: more tasks by panels. The grouping only decides who computes a tile, not what it is.
  const int32_t groups = blocks >= 4 * pool.threads() ? 1 : least(panels, cut(4 * pool.threads(), blocks));
  pool.each(int64_t{blocks} * groups, [&](int64_t task, int) {
    const int32_t block = static_cast<int32_t>(task / groups), group = static_cast<int32_t>(task % groups);
    run_block(a, kernels, block * kRowBlock, static_cast<int32_t>(int64_t{panels} * group / groups),
              static_cast<int32_t>(int64_t{panels} * (group + 1) / groups));
  });
}

namespace {

// The kernels of one outer product: [partial last p][partial last q]; by depth for rows in place, and for the padded tail.
struct OuterKernels {
  GemmKernel deep[2][2];     // kOuterRows rows
  GemmKernel shallow[2][2];  // kOuterTail rows
  GemmKernel tail[2][2];     // kOuterTail rows of the scratch tiles
};

OuterKernels outer_kernels(const GemmOuter& a) {
  OuterKernels out = {};
  for (int pp = 0; pp < 2; ++pp)
    for (int pq = 0; pq < 2; ++pq) {
      const int32_t p = pp ? a.p % kOuterP : kOuterP, q = pq ? a.q % kGemmPanel : kGemmPanel;
      if (p == 0 || q == 0 || p > a.p || q > a.q) continue;
      out.deep[pp][pq] = gemm_kernel({q, p, kOuterRows, a.q, a.p, kGemmPanel, false, true});
      out.shallow[pp][pq] = gemm_kernel({q, p, kOuterTail, a.q, a.p, kGemmPanel, false, true});
      out.tail[pp][pq] = gemm_kernel({q, p, kOuterTail, kGemmPanel, kOuterP, kGemmPanel, false, true});
    }
  return out;
}

void add_tile(const float* sum, int32_t p, int32_t q, float* g, int64_t ld) {
  for (int32_t i = 0; i < p; ++i) add_to(g + i * ld, sum + i * kGemmPanel, q);
}

// Sums the last rows % kOuterTail rows through zero-padded copies, so that one kernel serves every batch size.
void outer_tail(const GemmOuter& a, GemmKernel kernel, int32_t row, int32_t p0, int32_t p, int32_t q0, int32_t q) {
  alignas(64) float left[kOuterTail * kOuterP] = {};
  alignas(64) float right[kOuterTail * kGemmPanel] = {};
  for (int32_t r = row; r < a.rows; ++r) {
    for (int32_t i = 0; i < p; ++i) left[(r - row) * kOuterP + i] = a.a[int64_t{r} * a.p + p0 + i];
    for (int32_t j = 0; j < q; ++j) right[(r - row) * kGemmPanel + j] = a.b[int64_t{r} * a.q + q0 + j];
  }
  alignas(64) float sum[kOuterP * kGemmPanel];
  kernel(right, left, sum);
  add_tile(sum, p, q, a.g + int64_t{p0} * a.q + q0, a.q);
}

void outer_tile(const GemmOuter& a, const OuterKernels& kernels, int32_t p0, int32_t p, int32_t q0, int32_t q1) {
  const int32_t whole = a.rows / kOuterTail * kOuterTail;
  for (int32_t r = 0; r < whole;) {
    const bool deep = whole - r >= kOuterRows;
    for (int32_t j = q0; j < q1; j += kGemmPanel) {
      const GemmKernel kernel = (deep ? kernels.deep : kernels.shallow)[p < kOuterP][q1 - j < kGemmPanel];
      alignas(64) float sum[kOuterP * kGemmPanel];
      kernel(a.b + int64_t{r} * a.q + j, a.a + int64_t{r} * a.p + p0, sum);
      add_tile(sum, p, least(kGemmPanel, q1 - j), a.g + int64_t{p0} * a.q + j, a.q);
    }
    r += deep ? kOuterRows : kOuterTail;
  }
  for (int32_t j = q0; whole < a.rows && j < q1; j += kGemmPanel) {
    const int32_t q = least(kGemmPanel, q1 - j);
    outer_tail(a, kernels.tail[p < kOuterP][q < kGemmPanel], whole, p0, p, j, q);
  }
}

}  // namespace

void gemm_outer(Pool& pool, const GemmOuter& a) {
  if (a.rows <= 0) return;
  const OuterKernels kernels = outer_kernels(a);
  const int32_t tiles_p = cut(a.p, kOuterP), tiles_q = cut(a.q, kOuterQ);
  pool.each(int64_t{tiles_p} * tiles_q, [&](int64_t tile, int) {
    const int32_t p0 = static_cast<int32_t>(tile / tiles_q) * kOuterP, q0 = static_cast<int32_t>(tile % tiles_q) * kOuterQ;
    outer_tile(a, kernels, p0, least(kOuterP, a.p - p0), q0, least(a.q, q0 + kOuterQ));
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
