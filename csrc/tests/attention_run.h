// A call of attention, forward and backward, on any backend: what the tests of attention run.
#ifndef SYN_TESTS_ATTENTION_RUN_H
#define SYN_TESTS_ATTENTION_RUN_H

#include "tests/op_check.h"

namespace syn::tests {

struct Heads {
  int32_t heads, kv_heads, dim;
  double dropout;
  int32_t window = 0;
};

// What is to be written begins as NaN.
template <class Real>
struct Tensors {
  std::vector<Real> qkv, dout, out, lse, dqkv, delta;
  Tensors(const Heads& h, int32_t rows)
      : qkv(numbers<Real>(int64_t{rows} * (h.heads + 2 * h.kv_heads) * h.dim, 1)),
        dout(numbers<Real>(int64_t{rows} * h.heads * h.dim, 2)),
        out(dout.size(), NAN),
        lse(static_cast<size_t>(rows) * h.heads, NAN),
        dqkv(qkv.size(), NAN),
        delta(lse.size(), NAN) {}

  void run(const Ops<Real>& ops, Exec& exec, const Heads& h, const Segments& s, Precision precision = Precision::kFp32) {
    const Real scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(h.dim)));
    const Dropout drop = h.dropout > 0 ? test_dropout(h.dropout) : Dropout{};
    ops.attention_forward(
        exec, {qkv.data(), s, h.heads, h.kv_heads, h.dim, scale, out.data(), lse.data(), drop, precision, h.window});
    ops.attention_backward(exec, {qkv.data(), out.data(), lse.data(), dout.data(), s, h.heads, h.kv_heads, h.dim, scale,
                                  dqkv.data(), delta.data(), drop, precision, precision, h.window});
  }
};

template <class T>
std::vector<T> rows_of(const std::vector<T>& x, int64_t width, int32_t begin, int32_t end) {
  return {x.begin() + begin * width, x.begin() + end * width};
}

// Every backend against the reference (tests/op_check.h).
inline void check_attention(const Heads& h, const TestSegments& segments) {
  SCOPED_TRACE(std::to_string(h.heads) + "/" + std::to_string(h.kv_heads) + " heads of " + std::to_string(h.dim) + ", window " +
               std::to_string(h.window));
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    Tensors<Real> t(h, segments.view().rows);
    t.run(ops, exec, h, segments.view());
    Outputs out;
    out.add("out", t.out);
    out.add("lse", t.lse);
    out.add("dqkv", t.dqkv);
    return out;
  };
  check_op(op, kGradient);
}

// With the given threads on one instruction set, the widest where none is given.
inline Tensors<float> run_cpu(const Heads& h, const TestSegments& s, Tensors<float> t, int threads,
                              const Ops<float>* ops = nullptr, Precision precision = Precision::kFp32) {
  Pool pool(threads);
  Exec exec{pool, nullptr};
  t.run(ops ? *ops : *cpu_tables().back().second, exec, h, s.view(), precision);
  return t;
}

}  // namespace syn::tests

#endif
