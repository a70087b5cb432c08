// Attention of one new token for each of several records, over the record's own cache. For row r with slot s at position p:
//   the key and the value of r are appended at p;  s_t = scale q . k_t for t = a..p;  w = softmax(s);  o = sum_t w_t v_t
// with a = 0, or max(0, p - window + 1) where there is a window (ops/window.h).
// Head h reads the key/value head h / (heads / kv_heads). Appending, scores, softmax and sum are one op.
//
// The cache of a slot is cut into pages of some 256 positions, and a page holds all layers: a record fills its slot from the
// front, and a head still reads long stretches: pages of 16 read a tenth slower at 256 positions. In a page, for one layer:
//   keys    [kv_heads][page / kKeyBlock][head_dim][kKeyBlock]   transposed in blocks: neighbours are lanes of one register
//   values  [kv_heads][page][head_dim]
// The cache holds the backend's own numbers, or halves: keys and values are rounded when they are appended (math/half.h), the
// new ones too before they are read, and everything else is as ever.
// Determinism: a row is computed by one thread in a fixed order; its bits depend on its own cache alone, not on slots, threads or
// the other rows. Memory traffic per row: the cache of its record from a on once, 2 (p + 1 - a) kv_heads head_dim elements,
// which is what bounds this op: halves take half the time of 32 bits. What lies before a window stays in the cache, unread.
#ifndef SYN_OPS_ATTENTION_DECODE_H
#define SYN_OPS_ATTENTION_DECODE_H

#include <cstdint>

#include "math/half.h"
#include "ops/window.h"

namespace syn {

// What a cache holds: the backend's own numbers, or halves.
enum class CacheNumbers : int32_t { kOwn = 0, kHalf = 1 };

constexpr int32_t kKeyBlock = 16;

constexpr int32_t kCachePage = 256;  // most positions of a page

inline int32_t cache_pages(int32_t context) { return (context + kCachePage - 1) / kCachePage; }
// Positions of a page: even shares of the context in whole blocks.
inline int32_t cache_page(int32_t context) {
  const int32_t share = (context + cache_pages(context) - 1) / cache_pages(context);
  return (share + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
}
inline int64_t cached_positions(int32_t context) { return int64_t{cache_pages(context)} * cache_page(context); }

template <class Real, class Element = Real>  // Real or half
struct AttentionDecode {
  const Real* qkv;          // [rows, (heads + 2 kv_heads) head_dim]: q of every head, then k, then v, already rotated
  const int32_t* slot;      // [rows] all different
  const int32_t* position;  // [rows] of the new token, which is the number of tokens in the cache
  Element* cache;           // of this layer in the first page of slot 0
  int64_t slot_stride;      // elements from one slot to the next
  int64_t page_stride;      // elements from one page to the next
  int64_t positions;        // cached_positions(context)
  int32_t page;             // cache_page(context)
  int32_t rows, heads, kv_heads, head_dim;
  Real scale;
  Real* out;           // [rows, heads head_dim]
  Real* scores;        // [threads, heads / kv_heads, positions] workspace
  int32_t window = 0;  // positions that a token sees, 0: all up to its own

  // Keys and values of a key/value head in the first page of a slot.
  Element* keys_of(int64_t in_slot, int64_t head) const { return cache + in_slot * slot_stride + head * page * head_dim; }
  Element* values_of(int64_t in_slot, int64_t head) const { return keys_of(in_slot, kv_heads + head); }
  // Where the position t, in keys the block that it begins, lies from there.
  int64_t at(int64_t t) const { return t / page * page_stride + t % page * head_dim; }
};

}  // namespace syn

#endif
