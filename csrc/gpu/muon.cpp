// Muon as work of a queue. Nothing is turned: where rows > columns the square is x^T x, and the polynomial, which is symmetric,
// acts from the right.
#include "gpu/muon.h"

#include "ops/muon.h"

namespace syn::gpu {
namespace {

// left [m, k] times right [k, n], rows end to end, into the sums.
void multiply(const Queue& queue, const MuonScratch& scratch, const bf16* left, const bf16* right, int32_t m, int32_t n,
              int32_t k) {
  Product p = {};
  p.a = left;
  p.lda = k;
  p.b = right;
  p.ldb = n;
  p.c = {scratch.sum, Precision::kFp32};
  p.ldc = n;
  p.m = m;
  p.n = n;
  p.k = k;
  queue.product(p);
}

// x x^T, or x^T x where that is smaller.
void square(const Queue& queue, const MuonStep& s) {
  const bool tall = s.rows > s.columns;
  Product p = {};
  p.a = p.b = s.scratch.x;
  p.lda = p.ldb = s.columns;
  p.a_transposed = tall;
  p.b_transposed = !tall;
  p.m = p.n = muon_side(s.rows, s.columns);
  p.k = tall ? s.rows : s.columns;
  p.c = {s.scratch.gram, Precision::kBf16};
  p.ldc = p.n;
  queue.product(p);
}

void newton_schulz(const Queue& queue, const MuonStep& s) {
  const MuonScratch& t = s.scratch;
  const int32_t side = muon_side(s.rows, s.columns);
  const auto f = [](double x) { return static_cast<float>(x); };
  square(queue, s);
  multiply(queue, t, t.gram, t.gram, side, side, side);
  queue.muon_combine({t.gram, t.sum, t.poly, int64_t{side} * side, f(kMuonB), f(kMuonC)});
  if (s.rows > s.columns) {
    multiply(queue, t, t.x, t.poly, s.rows, side, side);
  } else {
    multiply(queue, t, t.poly, t.x, side, s.columns, side);
  }
  queue.muon_combine({t.x, t.sum, t.x, int64_t{s.rows} * s.columns, f(kMuonA), 1});
}

}  // namespace

MuonScratch muon_scratch_of(const Layout& layout, Region& region) {
  const HiddenSizes most = hidden_sizes(layout);
  MuonScratch s;
  s.sum = region.take<float>(most.area);
  s.x = region.take<bf16>(most.area);
  s.gram = region.take<bf16>(most.square);
  s.poly = region.take<bf16>(most.square);
  s.square_sum = region.take<double>(1);
  return s;
}

void muon(const Queue& queue, const MuonStep& s) {
  const MuonScratch& t = s.scratch;
  const int64_t count = int64_t{s.rows} * s.columns;
  queue.muon_momentum({s.gradient, s.momentum, s.ld, t.sum, s.rows, s.columns, s.mu, s.square_sum, s.targets, s.clip, s.skipped});
  queue.grad_norm({t.sum, count, s.partial, t.square_sum});
  queue.muon_normalise({t.sum, t.square_sum, t.x, count});
  for (int i = 0; i < kMuonSteps; ++i) newton_schulz(queue, s);
  queue.muon_update({s.weight, s.ld, t.x, s.rows, s.columns, s.lr, s.decay, s.square_sum, s.targets});
}

}  // namespace syn::gpu
