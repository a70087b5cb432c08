// The ops of the CPU backend: float, threaded over tiles that do not depend on the number of threads, vectorised.
#ifndef SYN_CPU_OPS_H
#define SYN_CPU_OPS_H

#include "cpu/isa.h"
#include "ops/table.h"

namespace syn::cpu::SYN_CPU_NS {

void embedding_forward(Exec&, const EmbeddingForward<float>&);
void embedding_backward(Exec&, const EmbeddingBackward<float>&);
void norm_forward(Exec&, const NormForward<float>&);
void norm_backward(Exec&, const NormBackward<float>&);
void rope(Exec&, const RopeArgs<float>&);
void attention_forward(Exec&, const AttentionForward<float>&);
void attention_backward(Exec&, const AttentionBackward<float>&);
int64_t packed_size(int32_t out, int32_t in, Precision precision);
void pack(Exec&, const PackArgs<float>&);
void linear_forward(Exec&, const LinearForward<float>&);
void linear_backward_input(Exec&, const LinearBackwardInput<float>&);
void linear_backward_weight(Exec&, const LinearBackwardWeight<float>&);
void bias_backward(Exec&, const BiasBackward<float>&);
void gelu_forward(Exec&, const GeluForward<float>&);
void gelu_backward(Exec&, const GeluBackward<float>&);
void swiglu_forward(Exec&, const SwigluForward<float>&);
void swiglu_backward(Exec&, const SwigluBackward<float>&);
void xent(Exec&, const XentArgs<float>&);
void dropout(Exec&, const DropoutArgs<float>&);
void grad_norm(Exec&, const GradNormArgs<float>&);
void adamw(Exec&, const AdamwArgs<float>&);
void muon(Exec&, const MuonArgs<float>&);
double fma_peak(Exec&, int64_t rounds);
void triad(Exec&, const TriadArgs<float>&);

}  // namespace syn::cpu::SYN_CPU_NS

#endif
