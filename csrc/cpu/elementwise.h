// Row primitives that more than one op of the CPU backend needs. A row's result depends on its length, never on its alignment.
#ifndef SYN_CPU_ELEMENTWISE_H
#define SYN_CPU_ELEMENTWISE_H

#include "cpu/simd.h"
#include "ops/precision.h"

namespace syn::cpu::SYN_CPU_NS {

// f(i, part) for the vectors of a row of n elements; part is Whole{} or the Mask of the last, partial one.
template <class F>
SYN_SIMD void each_vector(int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, Whole{});
  if (i < n) f(i, first_lanes(static_cast<int>(n - i)));
}

// f(round) with what rounds a vector to a precision: the choice is made once, outside the loops of f.
struct AsItIs {
  inline __attribute__((always_inline)) Vec operator()(Vec x) const { return x; }
};
struct ToBf16 {
  inline __attribute__((always_inline)) Vec operator()(Vec x) const { return round_bf16(x); }
};
template <class F>
SYN_SIMD void rounding_to(Precision precision, F f) {
  if (precision == Precision::kBf16) {
    f(ToBf16{});
  } else {
    f(AsItIs{});
  }
}

SYN_SIMD void add_to(float* y, const float* x, int64_t n) {
  each_vector(n, [&](int64_t i, auto part) { store(y + i, part, load(y + i, part) + load(x + i, part)); });
}

// Squares summed in float over 256 elements, in the lanes, and those sums in double.
SYN_SIMD double sum_of_squares(const float* x, int64_t n) {
  constexpr int64_t kRun = 256;
  double total = 0;
  for (int64_t run = 0; run < n; run += kRun) {
    Vec sum = zero();
    each_vector(n - run < kRun ? n - run : kRun, [&](int64_t i, auto part) {
      const Vec v = load(x + run + i, part);
      sum = fma(v, v, sum);
    });
    total += static_cast<double>(sum_lanes(sum));
  }
  return total;
}

constexpr float kGeluA = 1.5957691216f;  // 2 sqrt(2 / pi)
constexpr float kGeluB = 1.5957691216f * 0.044715f;

// x sigmoid(u), u = 2 sqrt(2/pi) (x + 0.044715 x^3): the tanh form of GELU without a tanh.
SYN_SIMD Vec gelu(Vec x) {
  const Vec u = x * fma(x * x, all(kGeluB), all(kGeluA));
  return x / (all(1.0f) + exp(zero() - u));
}

SYN_SIMD Vec gelu_slope(Vec x) {
  const Vec x2 = x * x;
  const Vec s = all(1.0f) / (all(1.0f) + exp(zero() - x * fma(x2, all(kGeluB), all(kGeluA))));
  const Vec du = fma(x2, all(3.0f * kGeluB), all(kGeluA));
  return fma(x * s * (all(1.0f) - s), du, s);
}

template <class Round>
SYN_SIMD void gelu_row(const float* x, float* y, int64_t n, Round round) {
  each_vector(n, [&](int64_t i, auto part) { store(y + i, part, round(gelu(load(x + i, part)))); });
}

template <class Round>
SYN_SIMD void round_row(float* x, int64_t n, Round round) {
  each_vector(n, [&](int64_t i, auto part) { store(x + i, part, round(load(x + i, part))); });
}

}  // namespace syn::cpu::SYN_CPU_NS

#endif
