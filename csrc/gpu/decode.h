// Decoding on a device behind gpu/backend.h: what model/decode.h does on the host, over the kernels of csrc/cuda, in bf16 as
// ops/precision.h says. Weights, cache, grammar and row buffers lie on the device and are planned before the start. Of a burst
// only tokens and draws cross over, in one block each way; what a record remembers lives on the host and travels with its draws,
// so that the device keeps nothing about a record but its cache. Within a burst the sampler makes the rows of a step from the
// draws of the one before (cuda::Burst).
//
// Determinism: the rows of a product are computed kProductRows at a time whatever their number, as a library of products may
// choose another order of sums for another shape; every other kernel's rows depend on that row alone. So the draws of a record do
// not depend on the others, on the number of slots or on how long bursts are. Memory traffic of a step: the rounded weights once
// for each kProductRows rows, each record's cache once; over the bus, for each slot of a burst, vocab / 8 + 100 + 4 steps bytes
// out and vocab / 8 + 80 steps back.
#ifndef SYN_GPU_DECODE_H
#define SYN_GPU_DECODE_H

#include <memory>

#include "gpu/grammar.h"
#include "gpu/memory.h"
#include "gpu/replay.h"
#include "math/next_draw.h"
#include "model/kv.h"
#include "model/layout.h"
#include "model/step_decoder.h"

namespace syn::gpu {

constexpr int32_t kProductRows = 128;

// The sizes of what a burst sends to the device and takes back, and where its parts begin, in bytes.
struct BurstSizes {
  int64_t slots, words, steps;  // words of a record's memory

  int64_t ints() const { return draws(slots); }
  int64_t seen() const { return ints() + ((5 + steps) * slots * 4 + 7) / 8 * 8; }
  int64_t drawn() const { return seen() + slots * words * 8; }
  int64_t all() const { return drawn() + draws(steps * slots); }
  int64_t sent(int64_t rows) const { return seen() + rows * words * 8; }                    // of so many rows that draw
  int64_t fetched(int64_t taken) const { return drawn() - seen() + draws(taken * slots); }  // behind so many steps

 private:
  static int64_t draws(int64_t count) { return count * static_cast<int64_t>(sizeof(SampleDraw)); }
};

// One block of memory, cut in the same way on either side. Out go what rows draw first and their integers, back comes what they
// drew; what they remember, between the two, goes both ways.
struct BurstBlock {
  SampleDraw* draw = nullptr;                                      // [slots]
  int32_t *token = nullptr, *slot = nullptr, *position = nullptr;  // [slots]
  int32_t *step = nullptr, *given = nullptr, *limit = nullptr;     // [slots] as cuda::Burst has them, and the next
  int32_t* feed = nullptr;                                         // [steps - 1, slots]
  uint64_t* seen = nullptr;                                        // [slots, words] of the draws, in their order
  SampleDraw* drawn = nullptr;                                     // [steps, slots]

  BurstBlock() = default;
  BurstBlock(std::byte* base, const BurstSizes& sizes);
};

class DecoderOnGpu {
 public:
  // weights: an arena of layout_of(shape) on the session's device, which outlives this. Throws SYN_UNSUPPORTED or
  // SYN_INVALID_ARGUMENT for sizes that the kernels do not take, SYN_OUT_OF_MEMORY with the bytes. steps: of a burst, at least 1;
  // rules: of the draws within it.
  DecoderOnGpu(std::shared_ptr<Session> session, const Shape& shape, const float* weights, const GrammarTables& grammar,
               const SampleSettings& settings, int32_t slots, int32_t steps = 1, const RecordRules& rules = {});
  ~DecoderOnGpu();
  DecoderOnGpu(const DecoderOnGpu&) = delete;
  DecoderOnGpu& operator=(const DecoderOnGpu&) = delete;

  // Adds the bytes of the weights and of a decoder. Without a grammar (null), its tables are left out, and scratch where its
  // classes do not leave room for a row in the sampler. Throws as the constructor does; SYN_OUT_OF_MEMORY with each region where
  // the device has fewer bytes free. With the device held.
  static void estimate(const Session& session, const Shape& shape, const GrammarTables* grammar, int32_t slots, int32_t steps,
                       syn_memory& out);

  // Rounds the weights when their version is another than that of the last call.
  void refresh(uint64_t version);

  // As StepDecoder has them. They wait once, for the draws.
  void step(const DecodeRows& rows, SampleDraw* draws);
  void way_out(SampleDraw& draw);

  // What the last step drew from, on the device: [rows, vocab], of more than kProductRows rows those of the last product.
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
    std::byte* burst;                      // a BurstBlock
  };
  static Buffers lay_out(const Session&, const Shape&, const BurstSizes&, int32_t classes, Region& region);
  static void check_sizes(const Session&, const Shape&, int32_t slots);
  static syn_memory plan(const Session&, const Shape&, const GrammarTables*, const BurstSizes&);
  const GrammarTables& with_room(const GrammarTables& grammar) const;

  const cuda::bf16* rounded(const float* weight) const { return rounded_ + (weight - weights_); }
  void check(int code, const char* what) const { session_->check(code, what); }
  void send(void* to, const void* from, int64_t bytes);
  void queue_step(int32_t rows);
  void layers(int32_t rows);
  void norm(const float* branch, const float* weight, const float* bias, int32_t rows);
  void attention(int32_t layer, int32_t rows);
  void feed_forward(int32_t layer, int32_t rows);
  void product(const cuda::bf16* x, const float* w, bool in_out, const float* bias, cuda::Tensor c, int32_t rows, int32_t out,
               int32_t in, cuda::Activation activation = cuda::Activation::kNone);
  void draw(int32_t rows);
  void sample(const float* logits, int32_t first, int32_t rows);
  void stage(const DecodeRows& rows, const SampleDraw* draws);
  void unstage(const DecodeRows& rows, SampleDraw* draws) const;
  void upload(int32_t draws);
  void download(int32_t steps);

  const std::shared_ptr<Session> session_;
  const Backend& table_;
  const Shape shape_;
  const float* const weights_;
  const Weights<float> w_;  // addresses of the device
  const SampleSettings settings_;
  const RecordRules rules_;
  const BurstSizes sizes_;
  const int64_t parameters_;
  const KvStrides strides_;
  GrammarOnGpu grammar_;
  Region weights_region_{"rounded weights"}, buffers_region_{"activations of decoding"}, cache_region_{"key/value cache"};
  Pinned pinned_{"tokens and draws of a burst"};
  cuda::bf16 *rounded_ = nullptr, *cache_ = nullptr;
  Buffers b_ = {};
  BurstBlock host_, device_;
  uint64_t rounded_version_ = 0;
  Replay step_{*session_};
};

}  // namespace syn::gpu

#endif
