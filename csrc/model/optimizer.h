// Which optimizer makes the step of which tensor, and what it keeps for that. Muon steps the weights of the layers (ops/muon.h);
// with it, as without it, embeddings, the output matrix, norms and biases are AdamW's: a row of an embedding is a token of its
// own, and its matrix no map whose directions should count alike. Matrices that are one product lie side by side in the layout
// and are yet steps of their own, q, k and v as well as gate and up: each is a map with an output of its own. Made orthogonal
// together none of them would be by itself, and the one with the largest gradients would take most of the step.
//
// Muon has one moment, its momentum, in the place of AdamW's first. Of what it steps there are no second moments.
#ifndef SYN_MODEL_OPTIMIZER_H
#define SYN_MODEL_OPTIMIZER_H

#include "core/status.h"
#include "model/layout.h"

namespace syn {

constexpr double kMuonMomentum = 0.95;  // as published

inline bool uses_muon(const syn_trainer_params& p) { return p.optimizer == SYN_OPTIMIZER_MUON; }
inline bool by_muon(const Tensor& t, const syn_trainer_params& p) { return uses_muon(p) && t.hidden > 0; }

// Elements of the arena of second moments.
inline int64_t second_moments(const Layout& layout, const syn_trainer_params& p) {
  return uses_muon(p) ? layout.rest : layout.count;
}

// Where that of a tensor lies in it. Throws SYN_INVALID_ARGUMENT where there is none.
inline int64_t second_moment_of(const Tensor& t, const syn_trainer_params& p) {
  if (by_muon(t, p)) fail(SYN_INVALID_ARGUMENT, "tensor %s has no second moment, as Muon steps it", t.name.c_str());
  return uses_muon(p) ? t.rest : t.offset;
}

// A matrix that Muon steps: [rows, columns] at an offset of the arenas, rows ld elements apart.
struct HiddenMatrix {
  int64_t offset, ld;
  int32_t rows, columns;
};

// f(matrix) for those of a tensor.
template <class F>
void each_hidden(const Tensor& t, F&& f) {
  if (t.hidden == 0) return;
  const int64_t ld = t.shape[1], columns = ld / t.hidden;
  for (int64_t i = 0; i < t.hidden; ++i)
    f(HiddenMatrix{t.offset + i * columns, ld, static_cast<int32_t>(t.shape[0]), static_cast<int32_t>(columns)});
}

// What the largest of a layout take.
struct HiddenSizes {
  int64_t area = 0, square = 0, rows = 0;  // rows columns; the square of the smaller side
};
inline HiddenSizes hidden_sizes(const Layout& layout) {
  HiddenSizes most;
  const auto at_least = [](int64_t& x, int64_t y) { x = y > x ? y : x; };
  for (const Tensor& t : layout.tensors)
    each_hidden(t, [&](const HiddenMatrix& m) {
      const int64_t side = m.rows < m.columns ? m.rows : m.columns;
      at_least(most.area, int64_t{m.rows} * m.columns);
      at_least(most.square, side * side);
      at_least(most.rows, m.rows);
    });
  return most;
}

}  // namespace syn

#endif
