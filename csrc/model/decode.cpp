// One decode step as a list of op calls. For each layer, with x the residual stream of one token a row:
//   x += attention(norm(x)) over the cache,  x += feed_forward(norm(x));  a draw from norm(x) W_head^T for the rows that want
//   one.
// The addition to the residual stream happens inside the norm that follows it.
//
// Determinism: every op's rows depend on that row alone, so the draws of a record do not depend on the others, on its slot or on
// the number of threads. Memory traffic of a step: all weights once for each 256 rows, each record's cache once.
#include "model/decode.h"

#include <algorithm>
#include <cmath>

#include "model/rope_table.h"

namespace syn {

template <class Real>
typename Decoder<Real>::Buffers Decoder<Real>::lay_out(const Device& device, const Shape& s, int32_t slots, Arena& arena) {
  const int64_t n = slots;
  const int threads = device.pool.threads();
  Buffers b;
  b.x = arena.take<Real>(n * s.width);
  b.y = arena.take<Real>(n * s.width);
  b.qkv = arena.take<Real>(n * s.qkv_width());
  b.attended = arena.take<Real>(n * s.q_width());
  b.branch = arena.take<Real>(n * s.width);
  b.up = arena.take<Real>(s.gpt2 ? 0 : n * s.up_width());
  b.activated = arena.take<Real>(n * s.ffn);
  b.scores = arena.take<Real>(threads * (s.heads / s.kv_heads) * cached_positions(s.context));
  b.rope = arena.take<Real>(s.gpt2 ? 0 : int64_t{s.context} * s.head_dim);
  b.head = arena.take<std::byte>(decode_ops<Real>(device).head_sample_workspace(s.vocab, threads));
  return b;
}

template <class Real>
Decoder<Real>::Decoder(std::shared_ptr<ModelOf<Real>> model, int32_t slots, Precision precision, CacheNumbers cached)
    : model_(std::move(model)),
      ops_(model_->device()->template ops<Real>()),
      decode_(decode_ops<Real>(*model_->device())),
      cached_(cached),
      cache_(model_->shape(), slots, cached_size(cached)) {
  const Shape& s = model_->shape();
  const Device& device = *model_->device();
  lay_out(device, s, slots, activations_);
  activations_.reserve();
  b_ = lay_out(device, s, slots, activations_);
  matrices_of(s, model_->weights(), ops_, false, panels_, precision);
  panels_.reserve();
  matrices_ = matrices_of(s, model_->weights(), ops_, false, panels_, precision);
  if (!s.gpt2) fill_rope_table(b_.rope, s.context, s.head_dim, s.rope_theta);
}

template <class Real>
void Decoder<Real>::estimate(const Device& device, const Shape& s, int32_t slots, Precision precision, CacheNumbers cached,
                             syn_memory& out) {
  Arena activations("activations of decoding"), panels("packed weights");
  lay_out(device, s, slots, activations);
  Weights<Real> none = {};
  none.layers.resize(static_cast<size_t>(s.layers));
  matrices_of(s, none, device.template ops<Real>(), false, panels, precision);
  out.activations += activations.bytes();
  out.workspace += panels.bytes();
  out.kv_cache += KvStrides::bytes(s, slots, cached_size(cached));
}

template <class Real>
void Decoder<Real>::refresh(Exec& exec) {
  if (packed_version_ == model_->version()) return;
  packed_version_ = 0;  // a cancelled packing is done again
  pack_all(exec, ops_, matrices_);
  packed_version_ = model_->version();
}

// y = norm(x + branch), and x + branch becomes the residual stream.
template <class Real>
void Decoder<Real>::norm(Exec& exec, const Real* branch, const Real* weight, const Real* bias, int32_t rows) {
  const Shape& s = model_->shape();
  exec.poll();
  ops_.norm_forward(exec,
                    {b_.x, branch, b_.x, weight, bias, b_.y, nullptr, nullptr, rows, s.width, static_cast<Real>(s.norm_eps), {}});
}

template <class Real>
template <class Element>
AttentionDecode<Real, Element> Decoder<Real>::attention_over_cache(const DecodeRows& rows, int32_t layer) const {
  const Shape& s = model_->shape();
  AttentionDecode<Real, Element> a;
  a.qkv = b_.qkv;
  a.slot = rows.slot;
  a.position = rows.position;
  a.cache = cache_.template of_layer<Element>(layer);
  a.slot_stride = cache_.slot_stride();
  a.page_stride = cache_.page_stride();
  a.positions = cached_positions(s.context);
  a.page = cache_page(s.context);
  a.rows = rows.rows;
  a.heads = s.heads;
  a.kv_heads = s.kv_heads;
  a.head_dim = s.head_dim;
  a.scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(s.head_dim)));
  a.out = b_.attended;
  a.scores = b_.scores;
  a.window = s.window;
  return a;
}

template <class Real>
void Decoder<Real>::attention(Exec& exec, const DecodeRows& rows, int32_t layer) {
  const Shape& s = model_->shape();
  const auto& w = model_->weights().layers[static_cast<size_t>(layer)];
  const auto& m = matrices_.layers[static_cast<size_t>(layer)];
  ops_.linear_forward(exec, {b_.y, m.qkv, w.qkv_bias, b_.qkv, nullptr, rows.rows});
  if (!s.gpt2)
    ops_.rope(exec, {b_.qkv, s.qkv_width(), rows.position, b_.rope, rows.rows, s.heads + s.kv_heads, s.head_dim, false});
  if (cached_ == CacheNumbers::kHalf) {
    decode_.attention_decode_half(exec, attention_over_cache<half>(rows, layer));
  } else {
    decode_.attention_decode(exec, attention_over_cache<Real>(rows, layer));
  }
  ops_.linear_forward(exec, {b_.attended, m.proj, w.proj_bias, b_.branch, nullptr, rows.rows});
}

template <class Real>
void Decoder<Real>::feed_forward(Exec& exec, int32_t rows, int32_t layer) {
  const Shape& s = model_->shape();
  const auto& w = model_->weights().layers[static_cast<size_t>(layer)];
  const auto& m = matrices_.layers[static_cast<size_t>(layer)];
  if (s.gpt2) {
    ops_.linear_forward(exec, {b_.y, m.up, w.up_bias, b_.activated, b_.activated, rows, Activation::kGelu});
  } else {
    ops_.linear_forward(exec, {b_.y, m.up, nullptr, b_.up, nullptr, rows});
    ops_.swiglu_forward(exec, {b_.up, b_.activated, rows, s.ffn});
  }
  ops_.linear_forward(exec, {b_.activated, m.down, w.down_bias, b_.branch, nullptr, rows});
}

template <class Real>
const Real* Decoder<Real>::step(Exec& exec, const DecodeRows& rows) {
  const Shape& s = model_->shape();
  const Weights<Real>& w = model_->weights();
  const int32_t n = rows.rows;
  ops_.embedding_forward(exec, {rows.token, rows.position, w.token_embedding, w.position_embedding, b_.x, n, s.width, {}});
  for (int32_t layer = 0; layer < s.layers; ++layer) {
    const auto& l = w.layers[static_cast<size_t>(layer)];
    norm(exec, layer > 0 ? b_.branch : nullptr, l.norm1_weight, l.norm1_bias, n);
    attention(exec, rows, layer);
    norm(exec, b_.branch, l.norm2_weight, l.norm2_bias, n);
    feed_forward(exec, n, layer);
  }
  if (rows.wanted > 0) norm(exec, b_.branch, w.final_norm_weight, w.final_norm_bias, rows.wanted);
  return b_.y;
}

template <class Real>
void Decoder<Real>::draw(Exec& exec, const GrammarTables& grammar, const SampleSettings& settings, SampleDraw* draws,
                         int32_t rows) {
  exec.poll();
  decode_.head_sample(exec, {b_.y, matrices_.head, grammar, settings, draws, rows, b_.head});
}

template class Decoder<float>;
template class Decoder<double>;

}  // namespace syn
