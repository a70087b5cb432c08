// The cache of keys and values of a generator: [slots][layers][keys, values][kv_heads][positions][head_dim], positions rounded up
// to a block of keys (ops/attention_decode.h). A slot is contiguous, so a short record touches few pages; reserved once.
#ifndef SYN_MODEL_KV_H
#define SYN_MODEL_KV_H

#include "core/pages.h"
#include "model/shape.h"
#include "ops/attention_decode.h"

namespace syn {

template <class Real>
class KvCache {
 public:
  KvCache(const Shape& s, int64_t slots)
      : plane_(plane(s)), stride_(2 * s.layers * plane_), pages_("key/value cache", bytes(s, slots)) {}

  static int64_t bytes(const Shape& s, int64_t slots) {
    return checked_product("key/value cache", {slots, 2, s.layers, plane(s), static_cast<int64_t>(sizeof(Real))});
  }

  // Slot 0 of a layer; the next slot is slot_stride() elements further.
  Real* keys(int32_t layer) const { return pages_.template at<Real>(0) + 2 * layer * plane_; }
  Real* values(int32_t layer) const { return keys(layer) + plane_; }
  int64_t slot_stride() const { return stride_; }

 private:
  // Elements of the keys (or values) of one slot and layer.
  static int64_t plane(const Shape& s) { return cached_positions(s.context) * s.kv_width(); }

  int64_t plane_, stride_;
  Pages pages_;
};

}  // namespace syn

#endif
