// One decode step as a list of launches. For each layer, with x the residual stream of one token a row:
//   x += attention(norm(x)) over the cache,  x += feed_forward(norm(x));  logits norm(x) W_head^T; of a row that is to draw, a
//   draw; and what the row feeds in the next step.
// The addition to the residual stream happens inside the norm that follows it, the embedding inside the first one, GELU inside
// its product: beside products a layer of GPT-2 is three launches, one of Llama four, and a step two more (docs/cuda.md). The
// list depends on the number of rows alone, not on what they want, so that it is recorded once and replayed. The steps of a burst
// follow each other on the device, and the host waits behind the last.
#include "gpu/decode.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/status.h"
#include "gpu/model.h"
#include "math/radix.h"
#include "model/rope_table.h"

namespace syn::gpu {
namespace {

using cuda::bf16;
constexpr Precision kBf16 = Precision::kBf16, kFp32 = Precision::kFp32;
constexpr int32_t kMostSlots = 65535;  // blocks of a launch along y and z

const float* on_device(const float* weights) {
  if (!weights) fail(SYN_INTERNAL, "the weights of the model do not lie on its device");
  return weights;
}

BurstSizes sizes_of(const Shape& s, int32_t slots, int32_t steps) { return {slots, (int64_t{s.vocab} + 63) / 64, steps}; }

// Whether the sampler takes rows of such a size, without scratch or with it: it says so of no rows as well.
bool sampler_takes(const Session& session, int32_t vocab, int32_t classes, float* scratch) {
  cuda::Sample none = {};
  none.grammar.vocab = vocab;
  none.grammar.classes = classes;
  none.scratch = scratch;
  return session.table().sample(session.stream(), none) == 0;
}

}  // namespace

BurstBlock::BurstBlock(std::byte* base, const BurstSizes& s)
    : draw(reinterpret_cast<SampleDraw*>(base)),
      token(reinterpret_cast<int32_t*>(base + s.ints())),
      slot(token + s.slots),
      position(slot + s.slots),
      step(position + s.slots),
      given(step + s.slots),
      limit(given + s.slots),
      feed(limit + s.slots),
      seen(reinterpret_cast<uint64_t*>(base + s.seen())),
      drawn(reinterpret_cast<SampleDraw*>(base + s.drawn())) {}

DecoderOnGpu::Buffers DecoderOnGpu::lay_out(const Session& session, const Shape& s, const BurstSizes& sizes, int32_t classes,
                                            Region& region) {
  const int64_t slots = sizes.slots, rows = (slots + kProductRows - 1) / kProductRows * kProductRows;
  Buffers b = {};
  b.x = region.take<float>(rows * s.width);
  b.branch = region.take<float>(rows * s.width);
  b.y = region.take<bf16>(rows * s.width);
  b.qkv = region.take<float>(rows * s.qkv_width());
  b.attended = region.take<bf16>(rows * s.q_width());
  b.activated = region.take<bf16>(rows * s.ffn);
  b.partial = region.take<float>(cuda::decode_partial(slots, s.heads, cache_pages(s.context), s.head_dim));
  b.arrived = region.take<uint32_t>(cuda::decode_counters(slots, s.heads));  // zeros, as the table gives memory
  b.logits = region.take<float>(int64_t{kProductRows} * s.vocab);
  b.nothing = region.take<float>(s.vocab);
  b.burst = region.take<std::byte>(sizes.all());
  if (!s.gpt2) {
    b.up = region.take<bf16>(rows * s.up_width());
    b.rope = region.take<float>(int64_t{s.context} * s.head_dim);
  }
  if (!sampler_takes(session, s.vocab, classes, nullptr)) b.scratch = region.take<float>(int64_t{kProductRows} * s.vocab);
  return b;
}

void DecoderOnGpu::check_sizes(const Session& session, const Shape& s, int32_t slots) {
  require(slots <= kMostSlots, "slots is %d, a GPU backend takes 1 to %d", slots, kMostSlots);
  cuda::NormForward norm = {};  // of no rows, as below: its launcher looks at the sizes and does nothing
  norm.width = s.width;
  if (session.table().norm_forward(session.stream(), norm) != 0)
    fail(SYN_UNSUPPORTED, "width is %d, which the kernels of a GPU backend do not take", s.width);
  cuda::AttentionDecode attention = {};
  attention.page = cache_page(s.context);
  attention.pages = cache_pages(s.context);
  attention.heads = s.heads;
  attention.kv_heads = s.kv_heads;
  attention.head_dim = s.head_dim;
  if (session.table().attention_decode(session.stream(), attention) != 0)
    fail(SYN_UNSUPPORTED, "head_dim is %d, which the kernels of a GPU backend do not take", s.head_dim);
}

DecoderOnGpu::DecoderOnGpu(std::shared_ptr<Session> session, const Shape& shape, const float* weights,
                           const GrammarTables& grammar, const SampleSettings& settings, int32_t slots, int32_t steps,
                           const RecordRules& rules)
    : session_(std::move(session)),
      table_(session_->table()),
      shape_(shape),
      weights_(on_device(weights)),
      w_(bind(shape, layout_of(shape), const_cast<float*>(weights_))),
      settings_(settings),
      rules_(rules),
      sizes_(sizes_of(shape, slots, steps)),
      parameters_(layout_of(shape).count),
      strides_(shape),
      grammar_(session_, with_room(grammar)) {
  const int64_t cached = KvStrides::bytes(shape, slots, 1);
  weights_region_.take<bf16>(parameters_);
  cache_region_.take<bf16>(cached);
  pinned_.take<std::byte>(sizes_.all());
  lay_out(*session_, shape, sizes_, grammar.classes, buffers_region_);
  weights_region_.reserve(session_);
  cache_region_.reserve(session_);
  pinned_.reserve(session_);
  buffers_region_.reserve(session_);
  rounded_ = weights_region_.take<bf16>(parameters_);
  cache_ = cache_region_.take<bf16>(cached);
  host_ = BurstBlock(pinned_.take<std::byte>(sizes_.all()), sizes_);
  b_ = lay_out(*session_, shape, sizes_, grammar.classes, buffers_region_);
  device_ = BurstBlock(b_.burst, sizes_);
  if (!sampler_takes(*session_, shape.vocab, grammar.classes, b_.scratch))
    fail(SYN_UNSUPPORTED, "the grammar has %d classes, which the sampler of a GPU backend does not take", grammar.classes);
  const std::vector<float> nothing(static_cast<size_t>(shape.vocab), kLowest);
  send(b_.nothing, nothing.data(), shape.vocab * int64_t{4});
  if (shape.gpt2) return;
  std::vector<float> rope(static_cast<size_t>(shape.context) * static_cast<size_t>(shape.head_dim));
  fill_rope_table(rope.data(), shape.context, shape.head_dim, shape.rope_theta);
  send(b_.rope, rope.data(), static_cast<int64_t>(rope.size()) * 4);
}

// What is still queued works on memory that goes now.
DecoderOnGpu::~DecoderOnGpu() { table_.wait(session_->context()); }

// What a decoder takes of the device, the weights of the model with it.
syn_memory DecoderOnGpu::plan(const Session& session, const Shape& s, const GrammarTables* grammar, const BurstSizes& sizes) {
  check_sizes(session, s, static_cast<int32_t>(sizes.slots));
  const Layout layout = layout_of(s);
  Region weights("weights"), rounded("rounded weights"), buffers("activations of decoding"), cache("key/value cache");
  plan_model(layout, weights);
  rounded.take<bf16>(layout.count);
  cache.take<bf16>(KvStrides::bytes(s, sizes.slots, 1));
  lay_out(session, s, sizes, grammar ? grammar->classes : 1, buffers);
  syn_memory m = {};
  m.size = sizeof m;
  m.parameters = weights.bytes();
  m.activations = buffers.bytes();
  m.workspace = rounded.bytes() + (grammar ? GrammarOnGpu::bytes(*grammar) : 0);
  m.kv_cache = cache.bytes();
  return m;
}

void DecoderOnGpu::estimate(const Session& session, const Shape& s, const GrammarTables* grammar, int32_t slots, int32_t steps,
                            syn_memory& out) {
  syn_memory m = plan(session, s, grammar, sizes_of(s, slots, steps));
  require_room(session, "generation", m, 0);
  out.parameters += m.parameters;
  out.activations += m.activations;
  out.workspace += m.workspace;
  out.kv_cache += m.kv_cache;
}

// The grammar, where there is room for it and for the rest of the decoder; the weights lie there already.
const GrammarTables& DecoderOnGpu::with_room(const GrammarTables& grammar) const {
  syn_memory m = plan(*session_, shape_, &grammar, sizes_);
  require_room(*session_, "generation", m, m.parameters);
  return grammar;
}

// A copy that is done when this returns.
void DecoderOnGpu::send(void* to, const void* from, int64_t bytes) {
  check(table_.upload(session_->context(), to, from, bytes), "a copy to the device");
  check(table_.wait(session_->context()), "a copy to the device");
}

void DecoderOnGpu::refresh(uint64_t version) {
  if (rounded_version_ == version) return;
  check(table_.round(session_->stream(), {weights_, rounded_, parameters_}), "rounding the weights");
  rounded_version_ = version;
}

// c = activation(x W^T + bias), W [out, in] or stored [in, out]. The rows behind the last one are computed with it and mean
// nothing.
void DecoderOnGpu::product(const bf16* x, const float* w, bool in_out, const float* bias, cuda::Tensor c, int32_t rows,
                           int32_t out, int32_t in, cuda::Activation activation) {
  const int64_t size = c.precision == kBf16 ? sizeof(bf16) : sizeof(float);
  for (int64_t first = 0; first < rows; first += kProductRows) {
    Product p = {};
    p.a = x + first * in;
    p.b = rounded(w);
    p.c = {static_cast<std::byte*>(c.data) + first * out * size, c.precision};
    p.bias = bias;
    p.lda = in;
    p.ldb = in_out ? out : in;
    p.ldc = out;
    p.m = kProductRows;
    p.n = out;
    p.k = in;
    p.b_transposed = !in_out;
    p.activation = activation;
    check(table_.product(session_->context(), p), "a product");
  }
}

// y = norm(x + branch), and x + branch becomes the residual stream; without a branch, it begins with the embedding of the tokens.
void DecoderOnGpu::norm(const float* branch, const float* weight, const float* bias, int32_t rows) {
  cuda::NormForward n = {};
  n.sum = b_.x;
  if (branch)
    n.x = b_.x;
  else
    n.embedded = {device_.token, device_.position, w_.token_embedding, w_.position_embedding};
  n.branch = branch;
  n.weight = weight;
  n.bias = bias;
  n.y = {b_.y, kBf16};
  n.rows = rows;
  n.width = shape_.width;
  n.eps = shape_.norm_eps;
  check(table_.norm_forward(session_->stream(), n), "a norm");
}

void DecoderOnGpu::attention(int32_t layer, int32_t rows) {
  const Shape& s = shape_;
  const auto& w = w_.layers[static_cast<size_t>(layer)];
  product(b_.y, w.qkv, s.gpt2, w.qkv_bias, {b_.qkv, kFp32}, rows, s.qkv_width(), s.width);
  cuda::AttentionDecode a = {};
  a.qkv = b_.qkv;
  a.slot = device_.slot;
  a.position = device_.position;
  a.cache = cache_ + layer * strides_.layer;
  a.slot_stride = strides_.slot;
  a.page_stride = strides_.page;
  a.page = cache_page(s.context);
  a.pages = cache_pages(s.context);
  a.rows = rows;
  a.heads = s.heads;
  a.kv_heads = s.kv_heads;
  a.head_dim = s.head_dim;
  a.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(s.head_dim)));
  a.rope = b_.rope;
  a.out = b_.attended;
  a.partial = b_.partial;
  a.arrived = b_.arrived;
  a.window = s.window;
  check(table_.attention_decode(session_->stream(), a), "attention");
  product(b_.attended, w.proj, s.gpt2, w.proj_bias, {b_.branch, kFp32}, rows, s.width, s.q_width());
}

void DecoderOnGpu::feed_forward(int32_t layer, int32_t rows) {
  const Shape& s = shape_;
  const auto& w = w_.layers[static_cast<size_t>(layer)];
  const cuda::Tensor up{b_.up, kBf16}, activated{b_.activated, kBf16};
  if (s.gpt2) {
    product(b_.y, w.up, true, w.up_bias, activated, rows, s.ffn, s.width, cuda::Activation::kGelu);
  } else {
    product(b_.y, w.up, false, nullptr, up, rows, s.up_width(), s.width);
    check(table_.swiglu_forward(session_->stream(), {up, activated, rows, s.ffn}), "an activation");
  }
  product(b_.activated, w.down, s.gpt2, w.down_bias, {b_.branch, kFp32}, rows, s.width, s.ffn);
}

void DecoderOnGpu::layers(int32_t rows) {
  for (int32_t layer = 0; layer < shape_.layers; ++layer) {
    const auto& w = w_.layers[static_cast<size_t>(layer)];
    norm(layer > 0 ? b_.branch : nullptr, w.norm1_weight, w.norm1_bias, rows);
    attention(layer, rows);
    norm(b_.branch, w.norm2_weight, w.norm2_bias, rows);
    feed_forward(layer, rows);
  }
}

// Draws and next tokens of rows that begin with the first.
void DecoderOnGpu::sample(const float* logits, int32_t first, int32_t rows) {
  const BurstBlock& d = device_;
  const cuda::Burst burst{d.token + first, d.position + first, d.step + first, d.given + first,
                          d.limit + first, d.feed + first,     d.drawn + first, static_cast<int32_t>(sizes_.slots),
                          rules_};
  check(table_.sample(session_->stream(), {grammar_.tables(), settings_, logits, d.draw + first, b_.scratch, rows, burst}),
        "a draw");
}

// Logits and draws, a piece of a product at a time.
void DecoderOnGpu::draw(int32_t rows) {
  const Shape& s = shape_;
  for (int32_t first = 0; first < rows; first += kProductRows) {
    const int32_t count = std::min(rows - first, kProductRows);
    product(b_.y + int64_t{first} * s.width, w_.head, false, nullptr, {b_.logits, kFp32}, count, s.vocab, s.width);
    sample(b_.logits, first, count);
  }
}

// A step of rows, to be done again as often as there are steps.
void DecoderOnGpu::queue_step(int32_t rows) {
  layers(rows);
  norm(b_.branch, w_.final_norm_weight, w_.final_norm_bias, rows);
  draw(rows);
}

// The rows into the block, and of each that draws what it is asked for and remembers. Of one step, those that do not want a draw
// have been given more tokens than that.
void DecoderOnGpu::stage(const DecodeRows& rows, const SampleDraw* draws) {
  std::copy_n(rows.token, rows.rows, host_.token);
  std::copy_n(rows.slot, rows.rows, host_.slot);
  std::copy_n(rows.position, rows.rows, host_.position);
  for (int32_t r = 0; r < rows.rows; ++r) {
    host_.step[r] = 0;
    host_.given[r] = rows.given ? rows.given[r] : r < rows.wanted ? 1 : 2;
    host_.limit[r] = rows.limit ? rows.limit[r] : 1;
    for (int32_t i = 1; i < std::min(rows.steps, host_.given[r]); ++i) host_.feed[(i - 1) * sizes_.slots + r] = rows.feed[r][i];
  }
  for (int32_t r = 0; r < rows.wanted; ++r) {
    host_.draw[r] = draws[r];
    host_.draw[r].memory.seen = device_.seen + r * sizes_.words;
    std::copy_n(draws[r].memory.seen, sizes_.words, host_.seen + r * sizes_.words);
  }
}

// What the rows drew and remember now to the caller, whose memories stay where they are.
void DecoderOnGpu::unstage(const DecodeRows& rows, SampleDraw* draws) const {
  for (int32_t r = 0; r < rows.wanted; ++r) {
    uint64_t* const seen = draws[r].memory.seen;
    std::copy_n(host_.seen + r * sizes_.words, sizes_.words, seen);
    for (int32_t i = 0; i < rows.steps; ++i) {
      SampleDraw& draw = draws[int64_t{i} * rows.wanted + r];
      draw = host_.drawn[i * sizes_.slots + r];
      draw.memory.seen = seen;
    }
  }
}

void DecoderOnGpu::upload(int32_t draws) {
  check(table_.upload(session_->context(), device_.draw, host_.draw, sizes_.sent(draws)), "sending a step");
}

void DecoderOnGpu::download(int32_t steps) {
  check(table_.download(session_->context(), host_.seen, device_.seen, sizes_.fetched(steps)), "fetching draws");
  check(table_.wait(session_->context()), "a step of decoding");
}

void DecoderOnGpu::step(const DecodeRows& rows, SampleDraw* draws) {
  stage(rows, draws);
  upload(rows.wanted);
  for (int32_t i = 0; i < rows.steps; ++i) step_.run(rows.rows, [&] { queue_step(rows.rows); });
  download(rows.steps);
  unstage(rows, draws);
}

void DecoderOnGpu::way_out(SampleDraw& draw) {
  const int32_t zero = 0;  // its row: what it feeds and where does not matter
  const DecodeRows row{&zero, &zero, &zero, 1, 1};
  stage(row, &draw);
  upload(1);
  sample(b_.nothing, 0, 1);
  download(1);
  unstage(row, &draw);
}

}  // namespace syn::gpu
