// What a generator needs of a network, whatever computes it: tokens of many records go in, and draws come out.
#ifndef SYN_MODEL_STEP_DECODER_H
#define SYN_MODEL_STEP_DECODER_H

#include <memory>

#include "ops/exec.h"
#include "ops/sample.h"
#include "synehrgy.h"

namespace syn {

class Model;
struct Device;
struct GeneratorSettings;
struct Shape;

// The tokens of one step, or of a burst of steps. Row r is a slot, all different, at a position of its chunk. In each step of a
// burst it feeds a token at the next position: first those that it was given, then what it drew in the step before. It idles from
// its limit on, or when its record has ended (math/next_draw.h).
struct DecodeRows {
  const int32_t* token;     // [rows] of the first step
  const int32_t* slot;      // [rows]
  const int32_t* position;  // [rows] of the first step
  int32_t rows;
  int32_t wanted;  // the first so many rows draw, from the last token on that they were given; the others only fill their caches
  int32_t steps = 1;
  // Of several steps; null for one.
  const int32_t* const* feed = nullptr;  // [rows] where the tokens that a row is given lie, the first of them again
  const int32_t* given = nullptr;        // [rows] how many they are, at least 1; rows that draw: at most steps
  const int32_t* limit = nullptr;        // [rows] steps, 1 to steps
};

// How many steps a burst may have.
int32_t most_steps(const Device& device, const GeneratorSettings& settings);

class StepDecoder {
 public:
  virtual ~StepDecoder() = default;

  // Takes over the weights when they have changed since the last call.
  virtual void refresh(Exec& exec) = 0;

  // The rows through the network, rows.steps times (1 to most_steps), and a draw for each that wants one. draws [steps, wanted]:
  // the first of them hold what each row's first draw is asked for, with a memory that lies on the host. Then [i, r] is what row
  // r drew in step i, where it did; seen of all draws of a row is as its last one left it. Rows do not influence each other. A
  // call that was cancelled may be made again: it only wrote positions that it will write again. Allocates nothing.
  virtual void step(Exec& exec, const DecodeRows& rows, SampleDraw* draws) = 0;

  // A draw without the network, as if no logit were finite: the grammar's shortest way out. Allocates nothing.
  virtual void way_out(SampleDraw& draw) = 0;
};

// The decoder of the model's device, drawing under a grammar whose tables outlive it. Throws SYN_INVALID_ARGUMENT for settings
// that the device does not have, SYN_OUT_OF_MEMORY with the bytes.
std::unique_ptr<StepDecoder> make_step_decoder(const std::shared_ptr<Model>& model, const GrammarTables& grammar,
                                               const GeneratorSettings& settings);

// Adds the bytes of the weights and of their decoder; on a GPU with the tables of the grammar, unless it is null. Throws
// SYN_OUT_OF_MEMORY where a GPU has fewer bytes free.
void estimate_step_decoder(const Device& device, const Shape& shape, const GrammarTables* grammar,
                           const GeneratorSettings& settings, syn_memory& out);

}  // namespace syn

#endif
