// The decoding ops of the CPU backend; their contracts are in csrc/ops.
#ifndef SYN_CPU_DECODE_H
#define SYN_CPU_DECODE_H

#include "cpu/isa.h"
#include "ops/attention_decode.h"
#include "ops/nearest.h"
#include "ops/sample.h"

namespace syn::cpu::SYN_CPU_NS {

void attention_decode(Exec&, const AttentionDecode<float>&);
void sample(const GrammarTables&, const SampleSettings&, const float* logits, SampleDraw&, void* scratch);
int64_t nearest_workspace(const NearestArgs&, int threads);
void nearest(Exec&, const NearestArgs&);

}  // namespace syn::cpu::SYN_CPU_NS

#endif
