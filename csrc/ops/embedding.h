// Embedding: x[t] = token_table[token[t]] + position_table[position[t]], then dropout.
// Backward: dtable[id] += sum of dout[t] over the rows t of id, in ascending t, in pieces of kEmbeddingPiece rows whose sums are
// added in order: the same bits for any number of threads, and no long chain of roundings for a frequent token.
#ifndef SYN_OPS_EMBEDDING_H
#define SYN_OPS_EMBEDDING_H

#include "ops/dropout.h"

namespace syn {

constexpr int32_t kEmbeddingPiece = 256;

template <class Real>
struct EmbeddingForward {
  const int32_t* token;        // [rows]
  const int32_t* position;     // [rows]
  const Real* token_table;     // [V, width]
  const Real* position_table;  // [C, width], or null: positions enter by rotation
  Real* out;                   // [rows, width]
  int32_t rows, width;
  Dropout drop;
};

// Rows grouped by id: those of id are order[start[id]] .. order[start[id+1]-1], ascending.
struct RowIndex {
  const int32_t* start;  // [ids+1]
  const int32_t* order;  // [rows]
  int32_t ids;
};

template <class Real>
struct EmbeddingBackward {
  const Real* dout;  // [rows, width]
  RowIndex index;
  Real* dtable;  // [ids, width], added to
  int32_t width;
};

}  // namespace syn

#endif
