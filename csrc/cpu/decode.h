// The decoding ops of the CPU backend; their contracts are in csrc/ops.
#ifndef SYN_CPU_DECODE_H
#define SYN_CPU_DECODE_H

#include "cpu/isa.h"
#include "ops/attention_decode.h"
#include "ops/exec.h"
#include "ops/head_sample.h"
#include "ops/nearest.h"

namespace syn::cpu::SYN_CPU_NS {

void attention_decode(Exec&, const AttentionDecode<float>&);
void attention_decode_half(Exec&, const AttentionDecode<float, half>&);
void sample(const GrammarTables&, const SampleSettings&, const float* logits, SampleDraw&, void* scratch);
int64_t head_sample_workspace(int32_t vocab, int threads);
void head_sample(Exec&, const HeadSample<float>&);
int64_t nearest_workspace(const NearestArgs&, int threads);
void nearest(Exec&, const NearestArgs&);

}  // namespace syn::cpu::SYN_CPU_NS

#endif
