// Generation of records: slots that are refilled as soon as a record ends, one decode step for all of them, one draw for each
// under the grammar. Patient p's record is a function of the weights, the grammar, the settings, the seed and p: what a slot
// computes does not depend on the others, and chance is keyed on (seed, patient, position in the record).
#ifndef SYN_MODEL_GENERATOR_H
#define SYN_MODEL_GENERATOR_H

#include <atomic>
#include <memory>

#include "math/next_draw.h"
#include "model/grammar.h"
#include "model/model.h"
#include "ops/attention_decode.h"
#include "ops/precision.h"
#include "ops/sample.h"

namespace syn {

// Steps that a GPU takes between two waits of the host. A slot whose chunk or record ends in between idles for the rest of them,
// on the average for half of one less: 3.5 steps of the hundreds that a chunk has. What waits cost has gone down to an eighth by
// then, and twice as many steps would win half of the rest for twice the idling.
constexpr int32_t kBurstSteps = 8;

struct GeneratorSettings {
  int32_t slots;
  int64_t max_tokens;
  bool report_mass;     // every draw is measured, not one in kMeasureEvery
  Precision precision;  // of the linear layers: kFp32 or kInt8
  CacheNumbers cached;
  SampleSettings sample;
  int32_t burst;  // steps that a GPU takes without the host; they change no record

  RecordRules rules() const { return {max_tokens, report_mass}; }
};

// Throws SYN_INVALID_ARGUMENT with the field, what was found and what was expected.
GeneratorSettings generator_settings(const syn_generator_params& params);

class Generator {
 public:
  virtual ~Generator() = default;

  static std::shared_ptr<Generator> create(std::shared_ptr<Model>, std::shared_ptr<Grammar>, const GeneratorSettings&);
  // grammar null: without what it takes on a GPU. Throws SYN_OUT_OF_MEMORY where a GPU has less free than its part of that.
  static void estimate(const Device&, const Shape&, const Grammar* grammar, const GeneratorSettings&, syn_memory& out);

  // The contracts of bindings/synehrgy.h.
  virtual void submit(int64_t first, int64_t count) = 0;
  virtual void run(int64_t max_steps, syn_generator_stats& stats) = 0;
  virtual void take(int32_t* tokens, int64_t* numbers, int64_t capacity, syn_record& out) = 0;
  void cancel() { cancelled_.store(true); }

 protected:
  std::atomic<bool> cancelled_{false};
};

}  // namespace syn

#endif
