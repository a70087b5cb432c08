// Decoding: one token of each active record through the network, against the record's own cache. The same ops as training,
// with attention over the cache in the place of attention over the batch.
#ifndef SYN_MODEL_DECODE_H
#define SYN_MODEL_DECODE_H

#include <memory>

#include "core/arena.h"
#include "model/kv.h"
#include "model/matrices.h"
#include "model/model.h"
#include "model/step_decoder.h"
#include "ops/decode_table.h"

namespace syn {

template <class Real>
class Decoder {
 public:
  Decoder(std::shared_ptr<ModelOf<Real>> model, int32_t slots, Precision precision = Precision::kFp32,
          CacheNumbers cached = CacheNumbers::kOwn);

  // Adds the bytes of its regions.
  static void estimate(const Device&, const Shape&, int32_t slots, Precision precision, CacheNumbers cached, syn_memory& out);

  // Packs the weights again when they have changed since the last call.
  void refresh(Exec& exec);

  // The rows [wanted, width] behind the final norm, valid until the next step. Rows do not influence each other. A step that was
  // cancelled may be taken again: it only wrote positions that it will write again. Allocates nothing.
  const Real* step(Exec& exec, const DecodeRows& rows);

  // Draws a token for each row of the last step; draws [rows].
  void draw(Exec& exec, const GrammarTables& grammar, const SampleSettings& settings, SampleDraw* draws, int32_t rows);

 private:
  // Row buffers for all slots, laid out twice as core/arena.h explains.
  struct Buffers {
    Real *x, *y, *qkv, *attended, *branch, *up, *activated, *scores, *rope;
    std::byte* head;  // workspace of the draws
  };
  static Buffers lay_out(const Device&, const Shape&, int32_t slots, Arena& arena);
  static int64_t cached_size(CacheNumbers cached) { return cached == CacheNumbers::kHalf ? sizeof(half) : sizeof(Real); }  // bytes

  template <class Element>
  AttentionDecode<Real, Element> attention_over_cache(const DecodeRows& rows, int32_t layer) const;
  void attention(Exec& exec, const DecodeRows& rows, int32_t layer);
  void feed_forward(Exec& exec, int32_t rows, int32_t layer);
  void norm(Exec& exec, const Real* branch, const Real* weight, const Real* bias, int32_t rows);

  std::shared_ptr<ModelOf<Real>> model_;
  const Ops<Real>& ops_;
  const DecodeOps<Real>& decode_;
  Arena panels_{"packed weights"};
  Arena activations_{"activations of decoding"};
  const CacheNumbers cached_;
  KvCache cache_;
  Matrices<Real> matrices_;
  Buffers b_;
  uint64_t packed_version_ = 0;
};

}  // namespace syn

#endif
