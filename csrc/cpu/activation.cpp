// GELU and SwiGLU (ops/activation.h): elementwise, one pass over their operands, bits independent of the threads.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int64_t kElements = 8192;  // of a task
constexpr int32_t kRows = 16;

template <class F>
void each_range(Pool& pool, int64_t count, F f) {
  pool.each((count + kElements - 1) / kElements, [&](int64_t task, int) {
    const int64_t begin = task * kElements;
    f(begin, count - begin < kElements ? count - begin : kElements);
  });
}

template <class F>
void each_row(Pool& pool, int32_t rows, F f) {
  pool.each((rows + kRows - 1) / kRows, [&](int64_t task, int) {
    for (int32_t r = static_cast<int32_t>(task) * kRows; r < rows && r < static_cast<int32_t>(task + 1) * kRows; ++r) f(r);
  });
}

SYN_SIMD Vec sigmoid(Vec x) { return all(1.0f) / (all(1.0f) + exp(zero() - x)); }

}  // namespace

void gelu_forward(Exec& exec, const GeluForward<float>& a) {
  rounding_to(a.result, [&](auto round) {
    each_range(exec.pool, a.count, [&](int64_t begin, int64_t n) { gelu_row(a.x + begin, a.y + begin, n, round); });
  });
}

void gelu_backward(Exec& exec, const GeluBackward<float>& a) {
  rounding_to(a.result, [&](auto round) {
    each_range(exec.pool, a.count, [&](int64_t begin, int64_t n) {
      const float *x = a.x + begin, *dy = a.dy + begin;
      float* dx = a.dx + begin;
      each_vector(n,
                  [&](int64_t i, auto part) { store(dx + i, part, round(load(dy + i, part) * gelu_slope(load(x + i, part)))); });
    });
  });
}

void swiglu_forward(Exec& exec, const SwigluForward<float>& a) {
  rounding_to(a.result, [&](auto round) {
    each_row(exec.pool, a.rows, [&](int32_t r) {
      const float *gate = a.gate_up + 2 * int64_t{r} * a.ffn, *up = gate + a.ffn;
      float* y = a.y + int64_t{r} * a.ffn;
      each_vector(a.ffn, [&](int64_t i, auto part) {
        const Vec g = load(gate + i, part);
        store(y + i, part, round(g * sigmoid(g) * load(up + i, part)));
      });
    });
  });
}

void swiglu_backward(Exec& exec, const SwigluBackward<float>& a) {
  rounding_to(a.result, [&](auto round) {
    each_row(exec.pool, a.rows, [&](int32_t r) {
      const int64_t at = 2 * int64_t{r} * a.ffn;
      const float *gate = a.gate_up + at, *up = gate + a.ffn, *dy = a.dy + int64_t{r} * a.ffn;
      float *dgate = a.dgate_up + at, *dup = dgate + a.ffn;
      each_vector(a.ffn, [&](int64_t i, auto part) {
        const Vec g = load(gate + i, part), u = load(up + i, part), d = load(dy + i, part), s = sigmoid(g);
        store(dgate + i, part, round(d * u * s * fma(g, all(1.0f) - s, all(1.0f))));
        store(dup + i, part, round(d * g * s));
      });
    });
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
