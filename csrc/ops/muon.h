// One step of Muon over a matrix [rows, columns] of the arenas: momentum whose direction is made orthogonal before it is a step
// (K. Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"). With g = scale gradient:
//   m = mu m + g,  u = g + mu m                        Nesterov's momentum
//   x = u / (|u| + 1e-7)                               |u| the Frobenius norm
//   five times: a = x x^T, p = B a + C a a, x = A x + p x     Newton and Schulz; where rows > columns x^T stands for x
//   w = w - lr (decay w + 0.2 sqrt(max(rows, columns)) x),  gradient = 0
// (A, B, C) = (3.4445, -4.7750, 2.0315) are the published numbers: they do not converge to 1 but take singular values soon from
// small ones to about 0.7 to 1.2, all alike. The factor of the step is that of J. Liu et al. 2025, "Muon is scalable for LLM
// training" (arXiv 2502.16982): a matrix of orthogonal rows then changes by as much, in root mean square, as by AdamW, so that
// AdamW's rate and decay serve both; as there, the decay is not scaled.
//
// Precision (ops/precision.h): in bf16 x, a and p are rounded where they are made, each once: products are summed in the
// backend's number and join A x and B a there. m, u, |u|, whose squares are added in double, and w are never rounded.
// Sums run in an order that depends on the shape alone.
#ifndef SYN_OPS_MUON_H
#define SYN_OPS_MUON_H

#include <cmath>

#include "ops/precision.h"

namespace syn {

constexpr int kMuonSteps = 5;
constexpr double kMuonA = 3.4445, kMuonB = -4.7750, kMuonC = 2.0315, kMuonEpsilon = 1e-7;

// What a step of rate 1 makes of x.
inline double muon_size(int32_t rows, int32_t columns) {
  return 0.2 * std::sqrt(static_cast<double>(rows > columns ? rows : columns));
}

// The smaller side of a matrix: that of a and p.
inline int32_t muon_side(int32_t rows, int32_t columns) { return rows < columns ? rows : columns; }

template <class Real>
struct MuonScratch {
  Real* x;          // [rows, columns]
  Real* sum;        // [rows, columns]
  Real* gram;       // [side, side]
  Real* poly;       // [side, side]
  Real* packed;     // [muon_packed(...)]
  double* partial;  // [rows]
};

// Elements of the panels of the largest product; packed_size as in ops/table.h.
template <class PackedSize>
int64_t muon_packed(int32_t rows, int32_t columns, Precision precision, PackedSize&& packed_size) {
  const int32_t side = muon_side(rows, columns);
  int64_t most = packed_size(side, side, precision);
  if (rows > columns) return most;
  const int64_t sizes[] = {packed_size(rows, columns, precision), packed_size(columns, rows, precision)};
  for (const int64_t size : sizes) most = size > most ? size : most;
  return most;
}

// Rows of weight, gradient and momentum lie ld elements apart.
template <class Real>
struct MuonArgs {
  Real* weight;    // [rows, columns]
  Real* gradient;  // [rows, columns], cleared
  Real* momentum;  // [rows, columns]
  int64_t ld;
  int32_t rows, columns;
  double lr, mu, decay, scale;
  Precision precision;  // of x, a and p
  MuonScratch<Real> scratch;
};

}  // namespace syn

#endif
