// Output matrix and draw, the oracle: every logit of a row in double, rounded to float, and the draw of ref/sample.cpp.
// Determinism: a row is one thread's, in fixed order. Memory traffic: W once a row.
#include "ops/head_sample.h"

#include "ref/decode.h"
#include "ref/ops.h"

namespace syn::ref {

int64_t head_sample_workspace(int32_t vocab, int threads) {
  return int64_t{threads} * vocab * int64_t{sizeof(double) + sizeof(float)};
}

void head_sample(Exec& exec, const HeadSample<double>& a) {
  const int64_t vocab = a.head.out, width = a.head.in, threads = exec.pool.threads();
  double* const of_threads = reinterpret_cast<double*>(a.workspace);
  exec.pool.each(a.rows, [&](int64_t r, int thread) {
    double* const z = of_threads + thread * vocab;
    float* const logits = reinterpret_cast<float*>(of_threads + threads * vocab) + thread * vocab;
    linear_forward<double>(exec, {a.x + r * width, a.head, nullptr, z, nullptr, 1});
    for (int64_t t = 0; t < vocab; ++t) logits[t] = static_cast<float>(z[t]);
    sample(a.grammar, a.settings, logits, a.draw[r], nullptr);
  });
}

}  // namespace syn::ref
