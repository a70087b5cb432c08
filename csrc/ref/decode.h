// The decoding ops of the reference backend; their contracts are in csrc/ops.
#ifndef SYN_REF_DECODE_H
#define SYN_REF_DECODE_H

#include "ops/attention_decode.h"
#include "ops/exec.h"
#include "ops/head_sample.h"
#include "ops/nearest.h"

namespace syn::ref {

void attention_decode(Exec&, const AttentionDecode<double>&);
void attention_decode_half(Exec&, const AttentionDecode<double, half>&);
void sample(const GrammarTables&, const SampleSettings&, const float* logits, SampleDraw&, void* scratch);
int64_t head_sample_workspace(int32_t vocab, int threads);
void head_sample(Exec&, const HeadSample<double>&);
int64_t nearest_workspace(const NearestArgs&, int threads);
void nearest(Exec&, const NearestArgs&);

}  // namespace syn::ref

#endif
