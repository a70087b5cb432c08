// Attention of one new token for each of several records, over the record's own cache. For row r with slot s at position p:
//   the key and the value of r are appended at p;  s_t = scale q . k_t for t = 0..p;  w = softmax(s);  o = sum_t w_t v_t
// Head h reads the key/value head h / (heads / kv_heads). Appending, scores, softmax and sum are one op.
//
// The cache of a slot is cut into blocks of kKeyBlock positions, and a block holds all layers, so that a record fills its slot
// from the front. In a block, for one layer:
//   keys    [kv_heads][head_dim][kKeyBlock]   transposed, so that the scores of neighbours are lanes of one register
//   values  [kv_heads][kKeyBlock][head_dim]
// Determinism: a row is computed by one thread in a fixed order; its bits depend on its own cache alone, not on slots, threads or
// the other rows. Memory traffic per row: the cache of its record once, 2 (p + 1) kv_heads head_dim elements.
#ifndef SYN_OPS_ATTENTION_DECODE_H
#define SYN_OPS_ATTENTION_DECODE_H

#include <cstdint>

#include "ops/exec.h"

namespace syn {

constexpr int32_t kKeyBlock = 32;

inline int64_t key_blocks(int64_t context) { return (context + kKeyBlock - 1) / kKeyBlock; }

template <class Real>
struct AttentionDecode {
  const Real* qkv;          // [rows, (heads + 2 kv_heads) head_dim]: q of every head, then k, then v, already rotated
  const int32_t* slot;      // [rows] all different
  const int32_t* position;  // [rows] of the new token, which is the number of tokens in the cache
  Real* cache;              // of this layer in block 0 of slot 0
  int64_t slot_stride;      // elements from one slot to the next
  int64_t block_stride;     // elements from one block to the next
  int64_t positions;        // key_blocks(context) kKeyBlock
  int32_t rows, heads, kv_heads, head_dim;
  Real scale;
  Real* out;     // [rows, heads head_dim]
  Real* scores;  // [threads, heads / kv_heads, positions] workspace

  // Keys and values of a key/value head in the first block of a slot.
  Real* keys_of(int64_t in_slot, int64_t head) const { return cache + in_slot * slot_stride + head * kKeyBlock * head_dim; }
  Real* values_of(int64_t in_slot, int64_t head) const { return keys_of(in_slot, kv_heads + head); }
};

}  // namespace syn

#endif
