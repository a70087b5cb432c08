// Output matrix and draw, the oracle: every logit of a row in double, rounded to float, and the draw of ref/sample.cpp.
// Determinism: a row is one thread's, in fixed order. Memory traffic: W once a row.
#include "ops/head_sample.h"

#include "ref/decode.h"

namespace syn::ref {

int64_t head_sample_workspace(int32_t vocab, int threads) { return int64_t{threads} * vocab * int64_t{sizeof(float)}; }

void head_sample(Exec& exec, const HeadSample<double>& a) {
  const int32_t vocab = a.head.out, width = a.head.in;
  exec.pool.each(a.rows, [&](int64_t r, int thread) {
    float* const logits = reinterpret_cast<float*>(a.workspace) + int64_t{thread} * vocab;
    const double* const x = a.x + r * width;
    for (int32_t t = 0; t < vocab; ++t) {
      const double* const w = a.head.data + int64_t{t} * width;
      double sum = 0;
      for (int32_t i = 0; i < width; ++i) sum += x[i] * w[i];
      logits[t] = static_cast<float>(sum);
    }
    sample(a.grammar, a.settings, logits, a.draw[r], nullptr);
  });
}

}  // namespace syn::ref
