// Attention of one new token for each of several records, over the record's own cache. For row r with slot s at position p:
//   the key and the value of r are appended at p;  s_t = scale q . k_t for t = 0..p;  w = softmax(s);  o = sum_t w_t v_t
// Head h reads the key/value head h / (heads / kv_heads). Appending, scores, softmax and sum are one op.
//
// Cache of one slot and layer, for each key/value head:
//   keys    [blocks][head_dim][kKeyBlock]   transposed in blocks, so that the scores of neighbours are lanes of one register
//   values  [blocks * kKeyBlock][head_dim]
// Determinism: a row is computed by one thread in a fixed order; its bits depend on its own cache alone, not on slots, threads or
// the other rows. Memory traffic per row: the cache of its record once, 2 (p + 1) kv_heads head_dim elements.
#ifndef SYN_OPS_ATTENTION_DECODE_H
#define SYN_OPS_ATTENTION_DECODE_H

#include <cstdint>

#include "ops/exec.h"

namespace syn {

constexpr int32_t kKeyBlock = 32;

inline int64_t cached_positions(int64_t context) { return (context + kKeyBlock - 1) / kKeyBlock * kKeyBlock; }

template <class Real>
struct AttentionDecode {
  const Real* qkv;          // [rows, (heads + 2 kv_heads) head_dim]: q of every head, then k, then v, already rotated
  const int32_t* slot;      // [rows] all different
  const int32_t* position;  // [rows] of the new token, which is the number of tokens in the cache
  Real* keys;               // of this layer in slot 0: [kv_heads, positions, head_dim] in blocks as above
  Real* values;             // [kv_heads, positions, head_dim]
  int64_t slot_stride;      // elements from one slot to the next
  int64_t positions;        // cached_positions(context)
  int32_t rows, heads, kv_heads, head_dim;
  Real scale;
  Real* out;     // [rows, heads head_dim]
  Real* scores;  // [threads, heads / kv_heads, positions] workspace
};

}  // namespace syn

#endif
