// The benchmark entry point: one op on made-up numbers, best time of several runs.
#include <algorithm>
#include <chrono>
#include <vector>

#include "abi/handles.h"
#include "ops/table.h"

namespace {

struct Shape {
  int64_t m, n, k;
  int32_t head_dim;
};

// Numbers in [-1, 1) of no particular meaning.
template <class Real>
std::vector<Real> numbers(int64_t count) {
  std::vector<Real> x(static_cast<size_t>(count));
  uint32_t state = 1;
  for (Real& v : x) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<Real>(static_cast<int32_t>(state >> 8) - (1 << 23)) / static_cast<Real>(1 << 23);
  }
  return x;
}

template <class F>
double best_seconds(int32_t repeats, F&& f) {
  double best = 0;
  for (int32_t i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best = i == 0 ? seconds : std::min(best, seconds);
  }
  return best;
}

template <class Real>
double gemm(syn::Exec& exec, const syn::Ops<Real>& ops, const Shape& s, int32_t repeats) {
  const auto rows = static_cast<int32_t>(s.m), out = static_cast<int32_t>(s.n), in = static_cast<int32_t>(s.k);
  const auto x = numbers<Real>(s.m * s.k), w = numbers<Real>(s.n * s.k);
  std::vector<Real> y(static_cast<size_t>(s.m * s.n)),
      packed(static_cast<size_t>(ops.packed_size(out, in, syn::Precision::kFp32)));
  syn::Matrix<Real> matrix{w.data(), out, in, false, packed.data(), nullptr};
  ops.pack(exec, {matrix, packed.data(), nullptr});
  ops.linear_forward(exec, {x.data(), matrix, nullptr, y.data(), nullptr, rows});
  return best_seconds(repeats, [&] { ops.linear_forward(exec, {x.data(), matrix, nullptr, y.data(), nullptr, rows}); });
}

template <class Real>
double attention(syn::Exec& exec, const syn::Ops<Real>& ops, const Shape& s, bool backward, int32_t repeats) {
  const auto rows = static_cast<int32_t>(s.m), heads = static_cast<int32_t>(s.k);
  const int64_t width = s.k * s.head_dim;
  std::vector<int32_t> offsets, position(static_cast<size_t>(rows));
  for (int64_t at = 0; at <= s.m; at += s.n) offsets.push_back(static_cast<int32_t>(at));
  for (int32_t r = 0; r < rows; ++r) position[static_cast<size_t>(r)] = static_cast<int32_t>(r % s.n);
  const auto qkv = numbers<Real>(s.m * 3 * width), dout = numbers<Real>(s.m * width);
  std::vector<Real> out(dout.size()), lse(static_cast<size_t>(s.m * s.k)), dqkv(qkv.size()), delta(lse.size());
  const syn::Segments segments{offsets.data(), position.data(), static_cast<int32_t>(offsets.size()) - 1, rows};
  const Real scale = static_cast<Real>(1 / __builtin_sqrt(static_cast<double>(s.head_dim)));
  const auto run_forward = [&] {
    ops.attention_forward(exec, {qkv.data(), segments, heads, heads, s.head_dim, scale, out.data(), lse.data(), {}});
  };
  const auto run_backward = [&] {
    ops.attention_backward(exec, {qkv.data(),
                                  out.data(),
                                  lse.data(),
                                  dout.data(),
                                  segments,
                                  heads,
                                  heads,
                                  s.head_dim,
                                  scale,
                                  dqkv.data(),
                                  delta.data(),
                                  {}});
  };
  run_forward();
  if (!backward) return best_seconds(repeats, run_forward);
  run_backward();
  return best_seconds(repeats, run_backward);
}

// Useful floating-point operations: the causal half of the scores, two products forward and five backward.
double operations(int32_t op, const Shape& s) {
  const auto m = static_cast<double>(s.m), n = static_cast<double>(s.n), k = static_cast<double>(s.k);
  if (op == SYN_BENCH_GEMM) return 2 * m * n * k;
  const double product = m * (n + 1) / 2 * k * s.head_dim * 2;
  return product * (op == SYN_BENCH_ATTENTION_FORWARD ? 2 : 5);
}

// The ceilings. *work is what was done: floating-point operations, or bytes.
template <class Real>
double ceiling(syn::Exec& exec, const syn::Ops<Real>& ops, int32_t op, const Shape& s, int32_t repeats, double* work) {
  if (op == SYN_BENCH_FMA) return best_seconds(repeats, [&] { *work = ops.fma_peak(exec, s.m); });
  const auto b = numbers<Real>(s.m), c = numbers<Real>(s.m);
  std::vector<Real> a(b.size());
  *work = 3.0 * static_cast<double>(s.m) * sizeof(Real);
  return best_seconds(repeats, [&] { ops.triad(exec, {a.data(), b.data(), c.data(), s.m}); });
}

template <class Real>
double run(syn::Device& device, int32_t op, const Shape& s, int32_t repeats, double* work) {
  std::lock_guard<std::mutex> lock(device.busy);
  syn::Exec exec{device.pool, nullptr};
  const auto& ops = device.ops<Real>();
  if (op >= SYN_BENCH_FMA) return ceiling(exec, ops, op, s, repeats, work);
  *work = operations(op, s);
  return op == SYN_BENCH_GEMM ? gemm(exec, ops, s, repeats)
                              : attention(exec, ops, s, op == SYN_BENCH_ATTENTION_BACKWARD, repeats);
}

void check(int32_t op, const Shape& s, int32_t repeats) {
  constexpr int64_t kMost = int64_t{1} << 28;
  syn::require(op >= SYN_BENCH_GEMM && op <= SYN_BENCH_TRIAD, "op is not one of the five benchmarks");
  if (op >= SYN_BENCH_FMA) {
    syn::require(s.m > 0 && s.m <= kMost, "m is out of range");
    syn::require(repeats > 0, "repeats is not positive");
    return;
  }
  syn::require(s.m > 0 && s.n > 0 && s.k > 0 && s.m < (1 << 24) && s.n < (1 << 24) && s.k < (1 << 24),
               "m, n or k is out of range");
  syn::require(repeats > 0, "repeats is not positive");
  if (op == SYN_BENCH_GEMM) {
    syn::require(s.m * s.n <= kMost && s.m * s.k <= kMost && s.n * s.k <= kMost, "the matrices are too large");
  } else {
    syn::require(s.m % s.n == 0, "m is not a multiple of the segment length n");
    syn::require(s.head_dim >= 16 && s.head_dim <= syn::kMaxHeadDim && s.head_dim % 8 == 0,
                 "head_dim is not a multiple of 8 from 16 to 128");
    syn::require(s.k <= 1024 && s.m * s.k <= kMost / s.head_dim, "the tensors are too large");
  }
}

}  // namespace

syn_status syn_bench(syn_device* device, int32_t op, int64_t m, int64_t n, int64_t k, int32_t head_dim, int32_t repeats,
                     double* seconds, double* flop, syn_error* error) noexcept {
  return syn::guard("syn_bench", error, [&] {
    syn::Device& on = *syn::object_of(device, "device");
    syn::require(seconds && flop, "seconds or flop is NULL");
    const Shape s{m, n, k, head_dim};
    check(op, s, repeats);
    if (on.gpu) syn::fail(SYN_UNSUPPORTED, "syn_bench times the ref and cpu backends, the device is on a GPU backend");
    *seconds = on.backend == SYN_BACKEND_REF ? run<double>(on, op, s, repeats, flop) : run<float>(on, op, s, repeats, flop);
  });
}
