// The cache of keys and values of a generator: [slots][pages][layers][keys, values][kv_heads][page], pages as
// ops/attention_decode.h has them. A slot is contiguous and is filled from the front, so a short record touches few pages;
// reserved once. KvCache is that of the host.
#ifndef SYN_MODEL_KV_H
#define SYN_MODEL_KV_H

#include "core/pages.h"
#include "model/shape.h"
#include "ops/attention_decode.h"

namespace syn {

// Elements from a layer, a page and a slot to the next.
struct KvStrides {
  int64_t layer, page, slot;

  explicit KvStrides(const Shape& s)
      : layer(int64_t{2} * cache_page(s.context) * s.kv_width()),
        page(s.layers * layer),
        slot(cache_pages(s.context) * page) {}

  // Bytes of so many slots, an element of the given size.
  static int64_t bytes(const Shape& s, int64_t slots, int64_t size) {
    return checked_product("key/value cache", {slots, cache_pages(s.context), s.layers, KvStrides(s).layer, size});
  }
};

// Its elements are all of one size: the numbers of a backend, or halves.
class KvCache {
 public:
  KvCache(const Shape& s, int64_t slots, int64_t size)
      : strides_(s), size_(size), pages_("key/value cache", KvStrides::bytes(s, slots, size)) {}

  // A layer in the first page of slot 0.
  template <class Element>
  Element* of_layer(int32_t i) const {
    return pages_.template at<Element>(i * strides_.layer * size_);
  }
  int64_t page_stride() const { return strides_.page; }
  int64_t slot_stride() const { return strides_.slot; }

 private:
  KvStrides strides_;
  int64_t size_;  // bytes of an element
  Pages pages_;
};

}  // namespace syn

#endif
