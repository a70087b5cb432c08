// The work that one call of an op cannot do without, from its arguments: the floating-point operations of its products (two for
// a multiply-add; attention's count the keys that a query sees, five products backward), and the bytes of every operand read once
// and every result written once, weights included. What an op does besides is its own affair: the profile holds its time against
// these.
#ifndef SYN_MODEL_WORK_H
#define SYN_MODEL_WORK_H

#include "ops/table.h"

namespace syn {

struct Work {
  double flop, bytes;
};

// elements: operands and results, counted once for each time that they must cross.
template <class Real>
Work moved(double elements) {
  return {0, elements * sizeof(Real)};
}

inline double area(int64_t rows, int64_t width) { return static_cast<double>(rows) * static_cast<double>(width); }

// Pairs of a query and a key that it sees.
inline double causal_pairs(const Segments& s, int32_t window) {
  double pairs = 0;
  for (int32_t i = 0; i < s.count; ++i) {
    const double n = s.offsets[i + 1] - s.offsets[i], reach = reach_of(window), rising = n < reach ? n : reach;
    pairs += rising * (rising + 1) / 2 + (n - rising) * reach;
  }
  return pairs;
}

template <class Real>
Work product(double rows, double out, double in, double elements) {
  return {2 * rows * out * in, elements * sizeof(Real)};
}

template <class Real>
Work work_of(const EmbeddingForward<Real>& a) {
  return moved<Real>((a.position_table ? 3 : 2) * area(a.rows, a.width));
}
template <class Real>
Work work_of(const EmbeddingBackward<Real>& a) {  // a row of the table is read and written once, however many rows join it
  return moved<Real>(area(a.index.start[a.index.ids], a.width) + 2 * area(a.index.ids, a.width));
}
template <class Real>
Work work_of(const NormForward<Real>& a) {
  return moved<Real>((a.branch ? 4 : 2) * area(a.rows, a.width));
}
template <class Real>
Work work_of(const NormBackward<Real>& a) {
  return moved<Real>((a.dbranch ? 5 : 4) * area(a.rows, a.width));
}
template <class Real>
Work work_of(const RopeArgs<Real>& a) {
  return moved<Real>(2 * area(a.rows, int64_t{a.heads} * a.head_dim));
}
template <class Real>
Work work_of(const AttentionForward<Real>& a) {
  const double width = a.heads * static_cast<double>(a.head_dim), kv = a.kv_heads * static_cast<double>(a.head_dim);
  return {2 * 2 * causal_pairs(a.segments, a.window) * width, a.segments.rows * (2 * width + 2 * kv + a.heads) * sizeof(Real)};
}
template <class Real>
Work work_of(const AttentionBackward<Real>& a) {
  const double width = a.heads * static_cast<double>(a.head_dim), kv = a.kv_heads * static_cast<double>(a.head_dim);
  return {5 * 2 * causal_pairs(a.segments, a.window) * width, a.segments.rows * (4 * width + 4 * kv + a.heads) * sizeof(Real)};
}
template <class Real>
Work work_of(const PackArgs<Real>& a) {
  return moved<Real>((1 + (a.packed != nullptr) + (a.packed_t != nullptr)) * area(a.w.out, a.w.in));
}
template <class Real>
Work work_of(const LinearForward<Real>& a) {
  const int results = a.activation == Activation::kNone ? 1 : 2;
  return product<Real>(a.rows, a.w.out, a.w.in, area(a.w.out, a.w.in) + area(a.rows, a.w.in) + results * area(a.rows, a.w.out));
}
template <class Real>
Work work_of(const LinearBackwardInput<Real>& a) {
  return product<Real>(a.rows, a.w.out, a.w.in, area(a.w.out, a.w.in) + area(a.rows, a.w.in) + area(a.rows, a.w.out));
}
template <class Real>
Work work_of(const LinearBackwardWeight<Real>& a) {
  return product<Real>(a.rows, a.out, a.in, 2 * area(a.out, a.in) + area(a.rows, a.in) + area(a.rows, a.out));
}
template <class Real>
Work work_of(const BiasBackward<Real>& a) {
  return moved<Real>(area(a.rows, a.columns));
}
template <class Real>
Work work_of(const GeluForward<Real>& a) {
  return moved<Real>(2 * static_cast<double>(a.count));
}
template <class Real>
Work work_of(const GeluBackward<Real>& a) {
  return moved<Real>(3 * static_cast<double>(a.count));
}
template <class Real>
Work work_of(const SwigluForward<Real>& a) {
  return moved<Real>(3 * area(a.rows, a.ffn));
}
template <class Real>
Work work_of(const SwigluBackward<Real>& a) {
  return moved<Real>(5 * area(a.rows, a.ffn));
}
template <class Real>
Work work_of(const XentArgs<Real>& a) {  // the logits never need to leave the caches
  const int products = 1 + (a.dx != nullptr) + (a.dw != nullptr);
  return product<Real>(a.rows, products * static_cast<double>(a.w.out), a.w.in,
                       (products + (a.dw != nullptr)) * area(a.w.out, a.w.in) + (a.dx ? 2 : 1) * area(a.rows, a.w.in));
}
template <class Real>
Work work_of(const DropoutArgs<Real>& a) {
  return moved<Real>(2 * area(a.rows, a.width));
}
template <class Real>
Work work_of(const GradNormArgs<Real>& a) {
  return moved<Real>(static_cast<double>(a.count));
}
template <class Real>
Work work_of(const AdamwArgs<Real>& a) {
  return moved<Real>(8 * static_cast<double>(a.count));
}
template <class Real>
Work work_of(const MuonArgs<Real>& a) {  // of a step of Newton and Schulz: x x^T, a a and p x
  const double x = area(a.rows, a.columns), side = muon_side(a.rows, a.columns);
  return {kMuonSteps * 2 * (2 * x * side + side * side * side), (8 * x + kMuonSteps * (4 * x + 6 * side * side)) * sizeof(Real)};
}

}  // namespace syn

#endif
