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

// The tokens of one step. Row r is the token of a slot at a position of its chunk; the slots are all different.
struct DecodeRows {
  const int32_t* token;     // [rows]
  const int32_t* slot;      // [rows]
  const int32_t* position;  // [rows]
  int32_t rows;
  int32_t wanted;  // the first so many rows want a draw, the others only fill their caches
};

class StepDecoder {
 public:
  virtual ~StepDecoder() = default;

  // Takes over the weights when they have changed since the last call.
  virtual void refresh(Exec& exec) = 0;

  // The rows through the network, and a draw for each that wants one; draws [rows.wanted], their memories in the memory of the
  // host. Rows do not influence each other. A step that was cancelled may be taken again: it only wrote positions that it will
  // write again. Allocates nothing.
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
