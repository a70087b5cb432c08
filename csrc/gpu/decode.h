// Decoding on a device behind gpu/backend.h: what model/decode.h does on the host, over the kernels of csrc/cuda, in bf16 as
// ops/precision.h says. Weights, cache, grammar and row buffers lie on the device and are planned before the start. Of a step
// only tokens and draws cross over, in one block each way; what a record remembers lives on the host and travels with its draw,
// so that the device keeps nothing about a record but its cache.
//
// Determinism: the rows of a product are computed kProductRows at a time whatever their number, as a library of products may
// choose another order of sums for another shape; every other kernel's rows depend on that row alone. So the draws of a record do
// not depend on the others or on the number of slots. Memory traffic of a step: the rounded weights once for each kProductRows
// rows, each record's cache once; over the bus, each way, vocab / 8 + 100 bytes a draw.
#ifndef SYN_GPU_DECODE_H
#define SYN_GPU_DECODE_H

#include <memory>

#include "gpu/grammar.h"
#include "gpu/memory.h"
#include "gpu/replay.h"
#include "model/kv.h"
#include "model/layout.h"
#include "model/step_decoder.h"

namespace syn::gpu {

constexpr int32_t kProductRows = 128;

// What a step sends to the device and takes back: one block of memory, cut in the same way on either side.
struct StepBlock {
  SampleDraw* draw = nullptr;                                      // [slots]
  int32_t *token = nullptr, *slot = nullptr, *position = nullptr;  // [slots]
  uint64_t* seen = nullptr;                                        // [slots, words] of the draws, in their order

  StepBlock() = default;
  StepBlock(std::byte* base, int64_t slots);
  // Bytes from the start to what the first so many draws have seen; of as many draws as slots, all of them.
  static int64_t bytes(int64_t slots, int64_t words, int64_t draws) { return seen_at(slots) + draws * words * 8; }

 private:
  static int64_t ints_at(int64_t slots) { return slots * static_cast<int64_t>(sizeof(SampleDraw)); }
  static int64_t seen_at(int64_t slots) { return ints_at(slots) + (3 * slots * 4 + 7) / 8 * 8; }
};

class DecoderOnGpu {
 public:
  // weights: an arena of layout_of(shape) on the session's device, which outlives this. Throws SYN_UNSUPPORTED or
  // SYN_INVALID_ARGUMENT for sizes that the kernels do not take, SYN_OUT_OF_MEMORY with the bytes.
  DecoderOnGpu(std::shared_ptr<Session> session, const Shape& shape, const float* weights, const GrammarTables& grammar,
               const SampleSettings& settings, int32_t slots);
  ~DecoderOnGpu();
  DecoderOnGpu(const DecoderOnGpu&) = delete;
  DecoderOnGpu& operator=(const DecoderOnGpu&) = delete;

  // Adds the bytes of the weights and of a decoder. Without a grammar (null), its tables are left out, and scratch where its
  // classes do not leave room for a row in the sampler. Throws as the constructor does; SYN_OUT_OF_MEMORY with each region where
  // the device has fewer bytes free. With the device held.
  static void estimate(const Session& session, const Shape& shape, const GrammarTables* grammar, int32_t slots, syn_memory& out);

  // Rounds the weights when their version is another than that of the last call.
  void refresh(uint64_t version);

  // As StepDecoder has them. They return when the draws are there.
  void step(const DecodeRows& rows, SampleDraw* draws);
  void way_out(SampleDraw& draw);

  // What the last step drew from, on the device: [wanted, vocab], of more than kProductRows rows those of the last product.
  const float* logits() const { return b_.logits; }

 private:
  // Row buffers, laid out twice as core/arena.h explains. What a product reads or writes has whole pieces of kProductRows rows.
  struct Buffers {
    float *x, *branch;                     // [rows, width] the residual stream, and what will be added to it
    float* qkv;                            // [rows, qkv_width], which attention turns and rounds
    cuda::bf16 *y, *attended, *activated;  // [rows, .]
    cuda::bf16* up;                        // [rows, up_width] before the activation, Llama
    float* partial;                        // workspace of attention, as the next
    uint32_t* arrived;                     // zeros between steps
    float* rope;                           // [context, head_dim], Llama; else null
    float *logits, *scratch;               // [kProductRows, vocab]; scratch of the draws, null: not needed
    float* nothing;                        // [vocab] -inf
    std::byte* step;                       // a StepBlock
  };
  static Buffers lay_out(const Session&, const Shape&, int32_t slots, int32_t classes, Region& region);
  static void check_sizes(const Session&, const Shape&, int32_t slots);
  static syn_memory plan(const Session&, const Shape&, const GrammarTables*, int32_t slots);
  const GrammarTables& with_room(const GrammarTables& grammar, int32_t slots) const;

  const cuda::bf16* rounded(const float* weight) const { return rounded_ + (weight - weights_); }
  void check(int code, const char* what) const { session_->check(code, what); }
  void send(void* to, const void* from, int64_t bytes);
  void forward(const DecodeRows& rows);
  void layers(int32_t rows);
  void norm(const float* branch, const float* weight, const float* bias, int32_t rows);
  void attention(int32_t layer, int32_t rows);
  void feed_forward(int32_t layer, int32_t rows);
  void product(const cuda::bf16* x, const float* w, bool in_out, const float* bias, cuda::Tensor c, int32_t rows, int32_t out,
               int32_t in, cuda::Activation activation = cuda::Activation::kNone);
  void draw(int32_t rows);
  void sample(const float* logits, int32_t first, int32_t rows);
  void stage(int32_t row, const SampleDraw& draw);
  void unstage(int32_t row, SampleDraw& draw) const;
  void upload(int32_t draws);
  void download(int32_t draws);

  const std::shared_ptr<Session> session_;
  const Backend& table_;
  const Shape shape_;
  const float* const weights_;
  const Weights<float> w_;  // addresses of the device
  const SampleSettings settings_;
  const int32_t slots_;
  const int64_t parameters_;
  const int64_t words_;  // of a record's memory
  const KvStrides strides_;
  GrammarOnGpu grammar_;
  Region weights_region_{"rounded weights"}, buffers_region_{"activations of decoding"}, cache_region_{"key/value cache"};
  Pinned pinned_{"tokens and draws of a step"};
  cuda::bf16 *rounded_ = nullptr, *cache_ = nullptr;
  Buffers b_ = {};
  StepBlock host_, device_;
  uint64_t rounded_version_ = 0;
  Replay layers_{*session_};
};

}  // namespace syn::gpu

#endif
