// The forward pass of GPT-2 and Llama on a device, as model/forward.cpp draws it; the first norm makes the embedding. A product
// rounds what is stored as bf16; q, k and v of Llama stay float until they are turned, so that they are rounded once.
#include "gpu/network.h"

namespace syn::gpu {

void forward_layer(const Network& net, const DeviceBatch& batch, Activations& acts, int32_t i, const float* stream,
                   const float* branch, bool fresh) {
  const Shape& s = net.shape;
  const Queue& q = net.queue;
  const auto& layer = acts.layers[static_cast<size_t>(i)];
  const auto& w = net.weights.layers[static_cast<size_t>(i)];
  const auto& m = net.matrices.layers[static_cast<size_t>(i)];
  const int32_t rows = batch.segments.rows;
  const Dropout before = at_site(batch.drop, i > 0 ? branch_site(i - 1, s.heads, 1) : 0);

  cuda::NormForward norm = {stream,      branch,      layer.residual, w.norm1_weight, w.norm1_bias, tensor_of(acts.normed),
                            layer.mean1, layer.rstd1, rows,           s.width,        s.norm_eps,   before};
  if (!stream)
    norm.embedded = {batch.tokens, batch.segments.position, net.weights.token_embedding, net.weights.position_embedding};
  q.norm_forward(norm);
  const cuda::Tensor qkv = s.gpt2 ? tensor_of(layer.qkv) : tensor_of(acts.wide);
  q.linear_forward(acts.normed, m.qkv, qkv, s.qkv_width(), rows);
  if (!s.gpt2)
    q.rope({acts.wide, tensor_of(layer.qkv), s.qkv_width(), batch.segments.position, net.rope, rows, s.heads + s.kv_heads,
            s.head_dim, false});
  if (fresh)
    q.attention_forward({layer.qkv, batch.segments, batch.longest, s.heads, s.kv_heads, s.head_dim, attention_scale(s),
                         layer.attention, layer.lse, at_site(batch.drop, attention_site(i, s.heads)), s.window});
  q.linear_forward(layer.attention, m.proj, tensor_of(acts.branch), s.width, rows);
  q.norm_forward({layer.residual, acts.branch, layer.middle, w.norm2_weight, w.norm2_bias, tensor_of(acts.normed), layer.mean2,
                  layer.rstd2, rows, s.width, s.norm_eps, at_site(batch.drop, branch_site(i, s.heads, 0))});
  q.linear_forward(acts.normed, m.up, tensor_of(layer.up), s.up_width(), rows);
}

void forward(const Exec& exec, const Network& net, const DeviceBatch& batch, Activations& acts) {
  const Shape& s = net.shape;
  const Queue& q = net.queue;
  const Weights<float>& w = net.weights;
  const int32_t rows = batch.segments.rows;

  const float *stream = nullptr, *branch = nullptr;  // the residual stream, before branch is added to it; null: not there yet
  for (int32_t i = 0; i < s.layers; ++i) {
    exec.poll();
    const auto at = static_cast<size_t>(i);
    const auto& layer = acts.layers[at];
    forward_layer(net, batch, acts, i, stream, branch, true);
    if (s.gpt2)
      q.gelu_forward({tensor_of(layer.up), tensor_of(acts.ffn), int64_t{rows} * s.ffn});
    else
      q.swiglu_forward({tensor_of(layer.up), tensor_of(acts.ffn), rows, s.ffn});
    q.linear_forward(acts.ffn, net.matrices.layers[at].down, tensor_of(acts.branch), s.width, rows);
    stream = layer.middle;
    branch = acts.branch;
  }
  q.norm_forward({stream, branch, acts.last, w.final_norm_weight, w.final_norm_bias, tensor_of(acts.normed), acts.last_mean,
                  acts.last_rstd, rows, s.width, s.norm_eps, at_site(batch.drop, branch_site(s.layers - 1, s.heads, 1))});
}

}  // namespace syn::gpu
