// Dropout: y = x / (1-p) where kept, 0 where dropped, in place. Kept is a pure function of (key, site, row, column), the same in
// every backend and for any number of threads:
//   word(row, column) = draw_words(key, kDropout, item = site, position = row, draw = column / 4)[column mod 4],  keep: word >= p
//   2^32
// key is derived from (seed, step, micro) for each batch; site numbers the places in the network, so no two share a stream.
// In attention a site is a head, the row a query and the column the position of a key in its segment.
#ifndef SYN_OPS_DROPOUT_H
#define SYN_OPS_DROPOUT_H

#include <cstdint>

#include "math/philox.h"

namespace syn {

struct Dropout {
  uint64_t key = 0;
  uint32_t site = 0;
  uint32_t threshold = 0;  // 0: off
  double scale = 1;        // 1 / (1-p)

  bool on() const { return threshold != 0; }
};

SYN_HD uint64_t dropout_key(uint64_t seed, uint64_t step, uint32_t micro) {
  return bits64(draw_words(seed, Purpose::kDropout, step, micro, 0));
}

// The four words that decide columns 4 quad .. 4 quad + 3 of a row.
SYN_HD Words dropout_words(const Dropout& d, uint32_t row, uint32_t quad) {
  return draw_words(d.key, Purpose::kDropout, d.site, row, quad);
}

template <class Real>
struct DropoutArgs {
  Real* x;  // [rows, width]
  int32_t rows, width;
  Dropout drop;
};

}  // namespace syn

#endif
