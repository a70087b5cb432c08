// The sliding window of attention: the query at position i of its segment sees the keys i - window + 1 to i of it, so at most
// `window` keys, its own among them; a window of 0 is none, and one of at least the segment's length is the same as none, to the
// bit. (Beltagy et al., arXiv 2004.05150, with the causal half alone; the sliding_window of Mistral, arXiv 2310.06825.)
// Positions are below 2^31.
#ifndef SYN_OPS_WINDOW_H
#define SYN_OPS_WINDOW_H

#include <cstdint>

#include "math/inline.h"

namespace syn {

// How many keys a query sees where there are as many: those less than the reach before it.
SYN_HD int32_t reach_of(int32_t window) { return window > 0 ? window : INT32_MAX; }

// The first key that a query sees.
SYN_HD int32_t first_key(int32_t reach, int32_t query) { return query < reach ? 0 : query - reach + 1; }

}  // namespace syn

#endif
