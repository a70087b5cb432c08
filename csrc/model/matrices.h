// The matrices of a network as the linear ops take them: the weights, and beside them their packed panels, which a trainer keeps
// for both directions and a generator for the forward one. They are packed again whenever the weights have changed.
#ifndef SYN_MODEL_MATRICES_H
#define SYN_MODEL_MATRICES_H

#include <vector>

#include "core/arena.h"
#include "model/model.h"
#include "ops/table.h"

namespace syn {

template <class Real>
struct Matrices {
  struct Layer {
    Matrix<Real> qkv, proj, up, down;
  };
  std::vector<Layer> layers;
  Matrix<Real> head;  // [vocab, width]
};

// Views of the weights with room for their panels taken from the arena (a planning run takes NULLs). w may hold null pointers
// while planning. Their products are of the given precision.
template <class Real>
Matrices<Real> matrices_of(const Shape& shape, const Weights<Real>& w, const Ops<Real>& ops, bool backward, Arena& arena,
                           Precision precision = Precision::kFp32);

// Fills every panel.
template <class Real>
void pack_all(Exec& exec, const Ops<Real>& ops, const Matrices<Real>& matrices);

}  // namespace syn

#endif
