// One step of Muon (ops/muon.h) on the products of cpu/gemm.h. Nothing is turned: where rows > columns, x^T x is a sum over rows
// as the gradient of a weight is, and p acts from the right, which is the same as p is symmetric to the bit. Memory traffic
// beside the products: gradient, momentum and weight in and out once; x, its square and its sums a few times, from the caches
// where they fit.
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int64_t kElements = 8192;  // of a task

// f(begin, n) for pieces of count elements.
template <class F>
void each_piece(Pool& pool, int64_t count, F&& f) {
  pool.each((count + kElements - 1) / kElements, [&](int64_t task, int) {
    const int64_t begin = task * kElements;
    f(begin, count - begin < kElements ? count - begin : kElements);
  });
}

// m, and u into the sums; |u|.
double momentum(Pool& pool, const MuonArgs<float>& a) {
  const Vec mu = all(static_cast<float>(a.mu)), scale = all(static_cast<float>(a.scale));
  pool.each(a.rows, [&](int64_t row, int) {
    float* const gradient = a.gradient + row * a.ld;
    float* const m = a.momentum + row * a.ld;
    float* const u = a.scratch.sum + row * a.columns;
    each_vector(a.columns, [&](int64_t i, auto part) {
      const Vec g = load(gradient + i, part) * scale, next = fma(mu, load(m + i, part), g);
      store(m + i, part, next);
      store(u + i, part, fma(mu, next, g));
      store(gradient + i, part, zero());
    });
    a.scratch.partial[row] = sum_of_squares(u, a.columns);
  });
  double squares = 0;
  for (int32_t row = 0; row < a.rows; ++row) squares += a.scratch.partial[row];
  return __builtin_sqrt(squares);
}

// y = p x + q s, rounded.
void combine(Pool& pool, Precision precision, double p, const float* x, double q, const float* s, float* y, int64_t count) {
  const Vec of_x = all(static_cast<float>(p)), of_s = all(static_cast<float>(q));
  each_piece(pool, count, [&](int64_t begin, int64_t n) {
    rounding_to(precision, [&](auto round) {
      each_vector(n, [&](int64_t k, auto part) {
        const int64_t i = begin + k;
        store(y + i, part, round(fma(of_x, load(x + i, part), of_s * load(s + i, part))));
      });
    });
  });
}

void round_all(Pool& pool, Precision precision, float* x, int64_t count) {
  if (precision != Precision::kBf16) return;
  each_piece(pool, count, [&](int64_t begin, int64_t n) { round_row(x + begin, n, ToBf16()); });
}

// W [n, k] of a product; element (n, k) is w[n * stride_n + k * stride_k].
struct Right {
  const float* w;
  int64_t stride_n, stride_k;
  int32_t n, k;
};

// y [rows, n] = x [rows, k] W^T.
void product(Pool& pool, const MuonArgs<float>& a, const float* x, int32_t rows, const Right& r, float* y) {
  gemm_pack(pool, r.w, r.stride_n, r.stride_k, r.n, r.k, a.scratch.packed, a.precision);
  gemm_run(pool, {x, a.scratch.packed, y, nullptr, nullptr, rows, r.n, r.k, r.k, r.n, a.precision});
}

void newton_schulz(Pool& pool, const MuonArgs<float>& a) {
  const MuonScratch<float>& s = a.scratch;
  const bool tall = a.rows > a.columns;
  const int32_t side = muon_side(a.rows, a.columns);
  const int64_t square = int64_t{side} * side;
  if (tall) {
    each_piece(pool, square, [&](int64_t begin, int64_t n) {
      each_vector(n, [&](int64_t i, auto part) { store(s.gram + begin + i, part, zero()); });
    });
    gemm_outer(pool, {s.x, s.x, s.gram, a.rows, side, side, a.precision});
  } else {
    product(pool, a, s.x, side, {s.x, a.columns, 1, side, a.columns}, s.gram);
  }
  round_all(pool, a.precision, s.gram, square);
  product(pool, a, s.gram, side, {s.gram, 1, side, side, side}, s.sum);
  combine(pool, a.precision, kMuonB, s.gram, kMuonC, s.sum, s.poly, square);
  if (tall) {
    product(pool, a, s.x, a.rows, {s.poly, 1, side, side, side}, s.sum);
  } else {
    product(pool, a, s.poly, side, {s.x, 1, a.columns, a.columns, side}, s.sum);
  }
  combine(pool, a.precision, kMuonA, s.x, 1, s.sum, s.x, int64_t{a.rows} * a.columns);
}

}  // namespace

void muon(Exec& exec, const MuonArgs<float>& a) {
  const double norm = momentum(exec.pool, a) + kMuonEpsilon;
  combine(exec.pool, a.precision, 0, a.scratch.sum, 1 / norm, a.scratch.sum, a.scratch.x, int64_t{a.rows} * a.columns);
  for (int i = 0; i < kMuonSteps; ++i) newton_schulz(exec.pool, a);
  const Vec step = all(static_cast<float>(a.lr * muon_size(a.rows, a.columns))),
            shrink = all(static_cast<float>(1 - a.lr * a.decay));
  exec.pool.each(a.rows, [&](int64_t row, int) {
    float* const w = a.weight + row * a.ld;
    const float* const x = a.scratch.x + row * a.columns;
    each_vector(a.columns, [&](int64_t i, auto part) {
      store(w + i, part, fma(load(w + i, part), shrink, zero() - step * load(x + i, part)));
    });
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
