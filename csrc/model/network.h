// A network as its passes see it, and the passes.
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
  const Real* rope;                        // [context, head_dim], Llama
  Precision precision = Precision::kFp32;  // that of the matrices
  Keep keep = Keep::kAll;                  // what acts keeps
};

// The residual stream after the last layer's norm, in acts.normed; everything backward needs in acts.
template <class Real>
void forward(Exec& exec, const Network<Real>& net, const Batch& batch, Activations<Real>& acts);

// The part of forward that makes what Keep::kLeast does not keep of a layer: norm(stream + branch), q, k and v, the attention's
// branch, the input of the activation. Fresh: attention runs as well. Not fresh: its output is there, stream is layer.residual.
template <class Real>
void forward_layer(Exec& exec, const Network<Real>& net, const Batch& batch, Activations<Real>& acts, int32_t i,
                   const Real* stream, const Real* branch, bool fresh);

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
