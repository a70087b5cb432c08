// The cache of keys and values of a generator: [slots][pages][layers][keys, values][kv_heads][page], pages as
// ops/attention_decode.h has them. A slot is contiguous and is filled from the front, so a short record touches few pages;
// reserved once.
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
      : layer_(layer(s)),
        page_(s.layers * layer_),
        slot_(cache_pages(s.context) * page_),
        pages_("key/value cache", bytes(s, slots)) {}

  static int64_t bytes(const Shape& s, int64_t slots) {
    const auto size = static_cast<int64_t>(sizeof(Real));
    return checked_product("key/value cache", {slots, cache_pages(s.context), s.layers, layer(s), size});
  }

  // A layer in the first page of slot 0, and the elements from there to the next page and to the next slot.
  Real* of_layer(int32_t i) const { return pages_.template at<Real>(0) + i * layer_; }
  int64_t page_stride() const { return page_; }
  int64_t slot_stride() const { return slot_; }

 private:
  static int64_t layer(const Shape& s) { return int64_t{2} * cache_page(s.context) * s.kv_width(); }

  int64_t layer_, page_, slot_;
  Pages pages_;
};

}  // namespace syn

#endif
