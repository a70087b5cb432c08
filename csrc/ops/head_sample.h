// The output matrix and the draw in one op: for each row its logits z = x W^T, and a token of it by ops/sample.h.
//
// Logits are computed for the legal tokens only, and for all of them where the draw is measured: the sampler asks for no others,
// so this is exact. A backend may compute whole panels of the matrix. Rows that need the same ones are best next to each other.
//
// Determinism: a row's logits have the bits of linear_forward for that row, rounded to float where the backend is finer; the draw
// is that of ops/sample.h, so neither depends on the other rows or on threads. Memory traffic: the panels that a tile of rows
// needs once a tile; the logits of a tile are written and read in the second level and never leave it.
#ifndef SYN_OPS_HEAD_SAMPLE_H
#define SYN_OPS_HEAD_SAMPLE_H

#include "ops/linear.h"
#include "ops/sample.h"

namespace syn {

template <class Real>
struct HeadSample {
  const Real* x;      // [rows, head.in]
  Matrix<Real> head;  // [vocab, width]
  GrammarTables grammar;
  SampleSettings settings;
  SampleDraw* draw;  // [rows]
  int32_t rows;
  std::byte* workspace;  // head_sample_workspace(vocab, threads) bytes, aligned to 64
};

}  // namespace syn

#endif
