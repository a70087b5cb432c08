// A network as its passes on a device see it, and the passes: those of model/network.h, to the letter, queued.
#ifndef SYN_GPU_NETWORK_H
#define SYN_GPU_NETWORK_H

#include "gpu/activations.h"
#include "gpu/model.h"
#include "model/batch.h"
#include "ops/exec.h"
#include "ops/xent.h"

namespace syn::gpu {

// A batch whose arrays lie on the device.
struct DeviceBatch : Batch {
  int32_t longest;            // no segment is longer
  const int32_t* soft_index;  // [soft rows, kSoftTaps] or null
  const float* soft_weight;   // [soft rows, kSoftTaps] or null
};

struct Network {
  const Shape& shape;
  const Queue& queue;
  const Weights<float>& weights;
  const Matrices& matrices;
  const float* rope;  // [context, head_dim], Llama
  Keep keep;          // what acts keeps
};

inline cuda::Tensor tensor_of(bf16* data) { return {data, Precision::kBf16}; }
inline cuda::Tensor tensor_of(float* data) { return {data, Precision::kFp32}; }

inline float attention_scale(const Shape& s) {
  return static_cast<float>(1 / __builtin_sqrt(static_cast<double>(s.head_dim)));
}

// The residual stream after the last layer's norm, in acts.normed; everything backward needs in acts. exec: for its cancel flag.
void forward(const Exec& exec, const Network& net, const DeviceBatch& batch, Activations& acts);

// The part of forward that makes what Keep::kLeast does not keep of a layer; stream null: the residual stream begins here, with
// the embedding. Fresh: attention runs as well. Not fresh: its output is there, stream is layer.residual.
void forward_layer(const Network& net, const DeviceBatch& batch, Activations& acts, int32_t i, const float* stream,
                   const float* branch, bool fresh);

// After forward: nll of every row into acts.nll; with gradients, also the gradient of the summed nll, added to `gradients`.
void loss(const Exec& exec, const Network& net, const DeviceBatch& batch, Activations& acts, const Weights<float>* gradients,
          GradientScratch* scratch);

// After loss, whose gradient of acts.normed is in scratch.normed: gradients of all the rest, added to `gradients`. Overwrites
// what forward kept.
void backward(const Exec& exec, const Network& net, const DeviceBatch& batch, Activations& acts, const Weights<float>& gradients,
              GradientScratch& scratch);

}  // namespace syn::gpu

#endif
