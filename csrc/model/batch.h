// One packed batch as the network takes it: borrowed tokens and targets, and what is derived from them once per call.
#ifndef SYN_MODEL_BATCH_H
#define SYN_MODEL_BATCH_H

#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/segments.h"

namespace syn {

struct Batch {
  const int32_t* tokens;    // [rows]
  const int32_t* targets;   // [rows], or null: no loss is wanted
  const int32_t* soft_row;  // [rows] or null
  Segments segments;
  RowIndex by_token;     // for the gradient of the embedding; unset without gradients
  RowIndex by_position;  // of learned positions
  Dropout drop;          // key, threshold and scale; sites are numbered by the forward pass
};

// Sites of dropout: the embedding is 0, then for each layer its attention heads and its two residual branches.
inline Dropout at_site(Dropout d, uint32_t site) {
  d.site = site;
  return d;
}
inline uint32_t attention_site(int32_t layer, int32_t heads) {
  return 1 + static_cast<uint32_t>(layer) * (static_cast<uint32_t>(heads) + 2);
}
inline uint32_t branch_site(int32_t layer, int32_t heads, int32_t branch) {
  return attention_site(layer, heads) + static_cast<uint32_t>(heads) + static_cast<uint32_t>(branch);
}

}  // namespace syn

#endif
