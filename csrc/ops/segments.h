// The packed batch: records end to end, nothing padded. Segment s holds rows [offsets[s], offsets[s+1]).
#ifndef SYN_OPS_SEGMENTS_H
#define SYN_OPS_SEGMENTS_H

#include <cstdint>

namespace syn {

struct Segments {
  const int32_t* offsets;   // [count+1], ascending from 0
  const int32_t* position;  // [rows], restarts at 0 in each segment
  int32_t count;
  int32_t rows;
};

}  // namespace syn

#endif
