// A network as its passes see it, and the two passes.
#ifndef SYN_MODEL_NETWORK_H
#define SYN_MODEL_NETWORK_H

#include "model/activations.h"
#include "model/batch.h"
#include "model/matrices.h"

namespace syn {

template <class Real>
struct Network {
  const Shape& shape;
  const Ops<Real>& ops;
  const Weights<Real>& weights;
  const Matrices<Real>& matrices;
  const Real* rope;  // [context, head_dim], Llama
};

// The residual stream after the last layer's norm, in acts.normed; everything backward needs in acts.
template <class Real>
void forward(Exec& exec, const Network<Real>& net, const Batch& batch, Activations<Real>& acts);

// After forward: nll of every row into acts.nll; with gradients, also the gradient of the summed nll, added to `gradients`.
template <class Real>
void loss(Exec& exec, const Network<Real>& net, const Batch& batch, const int32_t* soft_index, const float* soft_weight,
          Activations<Real>& acts, const Weights<Real>* gradients, GradientScratch<Real>* scratch);

// After loss, whose gradient of acts.normed is in scratch.normed: gradients of all the rest, added to `gradients`. Overwrites
// what forward kept.
template <class Real>
void backward(Exec& exec, const Network<Real>& net, const Batch& batch, Activations<Real>& acts, const Weights<Real>& gradients,
              GradientScratch<Real>& scratch);

}  // namespace syn

#endif
