// Our products (cpu/gemm.h) against libxsmm's on the shapes of the published model, alternating call by call in one process,
// as a table in Markdown. Built for each instruction set with -DSYN_GEMM_BENCH=ON where libxsmm is installed (Debian:
// libxsmm-dev):
//   gemm_bench_avx512 [seconds a line] [threads]
// (avx2 with SYNEHRGY_ISA=avx2). A line gives the best of each in GFLOP/s, the ratio of the two and the median of the ratios
// of neighbouring calls, by processor time. libxsmm runs under the same pool on weights packed in panels of 64 columns, in tiles of 32 rows and
// 384 terms; gradients of weights in tiles of 96 x 64 and 256 rows.
#include <libxsmm.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/machine.h"
#include "cpu/gemm.h"
#include "cpu/gemm_int8.h"

namespace {

namespace own = syn::cpu::SYN_CPU_NS;
using syn::Pool;
using Numbers = std::vector<float>;

constexpr int kPanel = 64, kDepth = 384, kRows = 32, kBlock = 256, kP = 96, kTile = 64;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Seconds of a processor that this process has had, over its threads: what a busy neighbour takes is not counted.
double processor(int threads) {
  timespec t = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9) / threads;
}

Numbers numbers(int64_t count) {
  Numbers x(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& v : x) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int32_t>(state >> 8) - (1 << 23)) / (1 << 23);
  }
  return x;
}

libxsmm_smmfunction kernel(int m, int n, int k, int lda, int ldb, int ldc, bool add, bool b_transposed = false) {
  const float one = 1, beta = add ? 1.0f : 0.0f;
  const int flags = b_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
  return libxsmm_smmdispatch(m, n, k, &lda, &ldb, &ldc, &one, &beta, &flags, nullptr);
}

// y = x W^T; rows a multiple of kRows.
void xsmm_run(Pool& pool, const float* x, const float* packed, float* y, int rows, int n, int k) {
  const int panels = (n + kPanel - 1) / kPanel, blocks = (rows + kBlock - 1) / kBlock;
  const int groups = blocks >= 4 * pool.threads() ? 1 : std::min(panels, (4 * pool.threads() + blocks - 1) / blocks);
  pool.each(int64_t{blocks} * groups, [&](int64_t task, int) {
    const int row = static_cast<int>(task) / groups * kBlock, group = static_cast<int>(task) % groups;
    for (int p = panels * group / groups; p < panels * (group + 1) / groups; ++p)
      for (int k0 = 0; k0 < k; k0 += kDepth) {
        const int width = std::min(kPanel, n - p * kPanel);
        const auto f = kernel(width, kRows, std::min(kDepth, k - k0), kPanel, k, n, k0 > 0);
        for (int r = row; r < std::min(rows, row + kBlock); r += kRows)
          f(packed + (int64_t{p} * k + k0) * kPanel, x + int64_t{r} * k + k0, y + int64_t{r} * n + p * kPanel);
      }
  });
}

// g += a^T b; rows a multiple of kBlock.
void xsmm_outer(Pool& pool, const float* a, const float* b, float* g, int rows, int p, int q) {
  const int tiles_q = (q + 3 * kPanel - 1) / (3 * kPanel);
  pool.each(int64_t{(p + kP - 1) / kP} * tiles_q, [&](int64_t tile, int) {
    const int p0 = static_cast<int>(tile) / tiles_q * kP, q0 = static_cast<int>(tile) % tiles_q * 3 * kPanel;
    const int height = std::min(kP, p - p0);
    alignas(64) float sum[kP * kPanel];
    for (int r = 0; r < rows; r += kBlock)
      for (int j = q0; j < std::min(q, q0 + 3 * kPanel); j += kPanel) {
        const int width = std::min(kPanel, q - j);
        kernel(width, height, kBlock, q, p, kPanel, false, true)(b + int64_t{r} * q + j, a + int64_t{r} * p + p0, sum);
        for (int i = 0; i < height; ++i)
          for (int c = 0; c < width; ++c) g[int64_t{p0 + i} * q + j + c] += sum[i * kPanel + c];
      }
  });
}

double seconds = 1;

template <class Ours, class Theirs>
void race(const char* what, int rows, int n, int k, int threads, double flop, Ours ours, Theirs theirs) {
  double best_ours = 1e9, best_theirs = 1e9;
  std::vector<double> ratios;
  ours(), theirs();
  for (const double end = now() + seconds; now() < end || ratios.size() < 5;) {
    const double a = processor(threads);
    ours();
    const double b = processor(threads);
    theirs();
    const double c = processor(threads);
    best_ours = std::min(best_ours, b - a);
    best_theirs = std::min(best_theirs, c - b);
    ratios.push_back((c - b) / (b - a));
  }
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<int64_t>(ratios.size() / 2), ratios.end());
  std::printf("| %s | %d | %d x %d | %d | %.0f | %.0f | %.2f | %.2f |\n", what, rows, n, k, threads, flop / best_ours / 1e9,
              flop / best_theirs / 1e9, best_theirs / best_ours, ratios[ratios.size() / 2]);
  std::fflush(stdout);
}

// Few rows: the weights rotate over four copies, as those of four layers do.
void product(Pool& pool, const char* what, int rows, int n, int k) {
  const int copies = rows < 1000 ? 4 : 1;
  const int64_t size = (own::gemm_packed_size(n, k) + 15) / 16 * 16, panels = (n + kPanel - 1) / kPanel;
  const Numbers x = numbers(int64_t{rows} * k), w = numbers(int64_t{n} * k);
  Numbers packed(static_cast<size_t>(size * copies)), theirs(static_cast<size_t>(panels * kPanel * k * copies));
  Numbers y(static_cast<size_t>(rows) * static_cast<size_t>(n)), z(y.size());
  for (int c = 0; c < copies; ++c) {
    own::gemm_pack(pool, w.data(), k, 1, n, k, packed.data() + c * size);
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < k; ++i)
        theirs[static_cast<size_t>(((c * panels + j / kPanel) * k + i) * kPanel + j % kPanel)] =
            w[static_cast<size_t>(j * k + i)];
  }
  race(
      what, rows, n, k, pool.threads(), 2.0 * rows * n * k * copies,
      [&] {
        for (int c = 0; c < copies; ++c)
          own::gemm_run(pool, {x.data(), packed.data() + c * size, y.data(), nullptr, nullptr, rows, n, k, k, n});
      },
      [&] {
        for (int c = 0; c < copies; ++c)
          xsmm_run(pool, x.data(), theirs.data() + c * panels * kPanel * k, z.data(), rows, n, k);
      });
  if (std::memcmp(y.data(), z.data(), y.size() * sizeof(float)) != 0) std::puts("the two differ");
}

void gradient(Pool& pool, int rows, int p, int q) {
  const Numbers a = numbers(int64_t{rows} * p), b = numbers(int64_t{rows} * q);
  Numbers g(static_cast<size_t>(p) * static_cast<size_t>(q)), h(g.size());
  race(
      "gradient of W", rows, p, q, pool.threads(), 2.0 * rows * p * q,
      [&] { own::gemm_outer(pool, {a.data(), b.data(), g.data(), rows, p, q}); },
      [&] { xsmm_outer(pool, a.data(), b.data(), h.data(), rows, p, q); });
}

// The products of a tile of 64 queries and 64 keys, for heads of `dim` in rows of four heads.
void attention(int dim) {
  constexpr int kRepeats = 64;
  const int ld = 12 * dim;
  const Numbers rows = numbers(int64_t{2} * kTile * ld), numbers_of_columns = numbers(kTile * 128);
  alignas(64) static float columns[kTile * 128];
  std::copy(numbers_of_columns.begin(), numbers_of_columns.end(), columns);
  alignas(64) static float scores[kTile * kTile], sums[kTile * 128];
  const auto score = kernel(kTile, kTile, dim, kTile, ld, kTile, false);
  const auto values = kernel(dim, kTile, kTile, ld, kTile, dim, true, true);
  const auto keys = kernel(dim, kTile, kTile, ld, kTile, dim, true);
  const auto each = [&](auto f) {
    return [&rows, ld, f] {
      for (int i = 0; i < kRepeats; ++i) f(rows.data() + i % 2 * kTile * ld);
    };
  };
  const double flop = 2.0 * kTile * kTile * dim * kRepeats;
  const auto block = [](const float* x, int64_t x_row, int64_t x_k, const float* w, int64_t w_k, float* y, int n, int k,
                        bool add) {
    own::gemm_block({x, x_row, x_k, w, w_k, y, n, kTile, n, k, add});
  };
  race(
      "scores", kTile, kTile, dim, 1, flop,
      each([&](const float* k) { block(k, ld, 1, columns, kTile, scores, kTile, dim, false); }),
      each([&](const float* k) { score(columns, k, scores); }));
  race(
      "over keys", kTile, dim, kTile, 1, flop,
      each([&](const float* v) { block(scores, 1, kTile, v, ld, sums, dim, kTile, true); }),
      each([&](const float* v) { values(v, scores, sums); }));
  race(
      "over queries", kTile, dim, kTile, 1, flop,
      each([&](const float* q) { block(scores, kTile, 1, q, ld, sums, dim, kTile, true); }),
      each([&](const float* q) { keys(q, scores, sums); }));
}

// Forward products in fp32, bf16 and int8, taking turns.
void precisions(Pool& pool, int rows, int n, int k) {
  const Numbers x = numbers(int64_t{rows} * k), w = numbers(int64_t{n} * k);
  Numbers y(static_cast<size_t>(rows) * static_cast<size_t>(n)), packed(static_cast<size_t>(own::gemm_packed_size(n, k)));
  Numbers half(packed);
  alignas(64) static char bytes[4 << 20];
  own::gemm_pack(pool, w.data(), k, 1, n, k, packed.data());
  own::gemm_pack(pool, w.data(), k, 1, n, k, half.data(), syn::Precision::kBf16);
  own::int8_pack(pool, w.data(), k, 1, n, k, bytes);
  double best[3] = {1e9, 1e9, 1e9};
  for (const double end = now() + seconds; now() < end;)
    for (int way = 0; way < 3; ++way) {
      const double begin = processor(pool.threads());
      if (way == 2) {
        own::int8_run(pool, {x.data(), bytes, y.data(), nullptr, nullptr, rows, n, k, k, n});
      } else {
        own::gemm_run(pool, {x.data(), way ? half.data() : packed.data(), y.data(), nullptr, nullptr, rows, n, k, k, n,
                             way ? syn::Precision::kBf16 : syn::Precision::kFp32});
      }
      best[way] = std::min(best[way], processor(pool.threads()) - begin);
    }
  const double flop = 2.0 * rows * n * k / 1e9;
  std::printf("| %d | %d x %d | %d | %.0f | %.0f | %.0f | %.2f | %.2f |\n", rows, n, k, pool.threads(), flop / best[0],
              flop / best[1], flop / best[2], best[0] / best[1], best[0] / best[2]);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  if (count > 1) seconds = std::atof(words[1]);
  libxsmm_init();
  const bool narrow = std::strcmp(SYN_ISA_NAME, "avx2") == 0;
  if (narrow) libxsmm_set_target_archid(LIBXSMM_X86_AVX2);
  std::printf("%s against libxsmm %s\n\n", SYN_ISA_NAME, LIBXSMM_VERSION);
  std::puts("| product | rows | n x k | threads | ours | libxsmm | of the best | median |\n|---|---|---|---|---|---|---|---|");
  const int shapes[][2] = {{1152, 384}, {384, 384}, {1536, 384}, {384, 1536}, {5115, 384}};
  for (const int threads : {1, 2}) {
    if (count > 2 && std::atoi(words[2]) != threads) continue;
    Pool pool(threads);
    for (const int rows : {8192, 256, 64}) {
      for (const auto& s : shapes) product(pool, "forward", rows, s[0], s[1]);
      for (const auto& s : shapes) product(pool, "gradient of x", rows, s[1], s[0]);
    }
    for (const auto& s : shapes) gradient(pool, s[0] > 2000 ? 512 : 8192, s[0], s[1]);
  }
  for (const int dim : {16, 24, 32, 48, 64, 96, 128}) attention(dim);
  std::printf("\n%s, products in other precisions, GFLOP/s\n\n", syn::isa_name(syn::machine_isa()));
  std::puts("| rows | n x k | threads | fp32 | bf16 | int8 | bf16 / fp32 | int8 / fp32 |\n|---|---|---|---|---|---|---|---|");
  Pool pool(1);
  for (const int rows : {64, 256})
    for (const auto& s : shapes) precisions(pool, rows, s[0], s[1]);
}
