// The ceilings of ops/peak.h: as many independent chains of vector multiply-adds as hide the latency of one, and a stream of
// blocks through memory (12 bytes an element; a store to a line that is not in cache also reads it, which does not count).
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {
constexpr int kChains = 10;          // two units with a latency of four or five
constexpr int64_t kElements = 8192;  // of a task of triad
}  // namespace

double fma_peak(Exec& exec, int64_t rounds) {
  exec.pool.each(kFmaTasks, [&](int64_t task, int) {
    const Vec by = all(0.999f), plus = all(0.001f);
    Vec x[kChains];
    for (int i = 0; i < kChains; ++i) x[i] = all(static_cast<float>(task + i));
    for (int64_t round = 0; round < rounds; ++round)
      for (int i = 0; i < kChains; ++i) x[i] = fma(x[i], by, plus);
    Vec sum = zero();
    for (int i = 0; i < kChains; ++i) sum = sum + x[i];
    volatile float sink = sum_lanes(sum);
    static_cast<void>(sink);
  });
  return 2.0 * kChains * kLanes * static_cast<double>(rounds * kFmaTasks);
}

void triad(Exec& exec, const TriadArgs<float>& t) {
  exec.pool.each((t.count + kElements - 1) / kElements, [&](int64_t task, int) {
    const int64_t begin = task * kElements, n = t.count - begin < kElements ? t.count - begin : kElements;
    each_vector(n, [&](int64_t i, auto part) {
      store(t.a + begin + i, part, fma(load(t.c + begin + i, part), all(3), load(t.b + begin + i, part)));
    });
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
