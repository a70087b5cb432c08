// The ops of a backend as one table. The model is an ordinary function that calls them; a backend is a table and nothing more.
// Appended to, never reordered.
#ifndef SYN_OPS_TABLE_H
#define SYN_OPS_TABLE_H

#include "ops/activation.h"
#include "ops/adamw.h"
#include "ops/attention.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/exec.h"
#include "ops/grad_norm.h"
#include "ops/linear.h"
#include "ops/muon.h"
#include "ops/norm.h"
#include "ops/peak.h"
#include "ops/rope.h"
#include "ops/xent.h"

namespace syn {

template <class Real>
struct Ops {
  void (*embedding_forward)(Exec&, const EmbeddingForward<Real>&);
  void (*embedding_backward)(Exec&, const EmbeddingBackward<Real>&);
  void (*norm_forward)(Exec&, const NormForward<Real>&);
  void (*norm_backward)(Exec&, const NormBackward<Real>&);
  void (*rope)(Exec&, const RopeArgs<Real>&);
  void (*attention_forward)(Exec&, const AttentionForward<Real>&);
  void (*attention_backward)(Exec&, const AttentionBackward<Real>&);
  int64_t (*packed_size)(int32_t out, int32_t in, Precision);  // elements; 0: the backend packs nothing
  void (*pack)(Exec&, const PackArgs<Real>&);
  void (*linear_forward)(Exec&, const LinearForward<Real>&);
  void (*linear_backward_input)(Exec&, const LinearBackwardInput<Real>&);
  void (*linear_backward_weight)(Exec&, const LinearBackwardWeight<Real>&);
  void (*bias_backward)(Exec&, const BiasBackward<Real>&);
  void (*gelu_forward)(Exec&, const GeluForward<Real>&);
  void (*gelu_backward)(Exec&, const GeluBackward<Real>&);
  void (*swiglu_forward)(Exec&, const SwigluForward<Real>&);
  void (*swiglu_backward)(Exec&, const SwigluBackward<Real>&);
  void (*xent)(Exec&, const XentArgs<Real>&);
  void (*dropout)(Exec&, const DropoutArgs<Real>&);
  void (*grad_norm)(Exec&, const GradNormArgs<Real>&);
  void (*adamw)(Exec&, const AdamwArgs<Real>&);
  double (*fma_peak)(Exec&, int64_t rounds);  // the floating-point operations that it did
  void (*triad)(Exec&, const TriadArgs<Real>&);
  void (*muon)(Exec&, const MuonArgs<Real>&);
};

}  // namespace syn

#endif
