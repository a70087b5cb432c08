// The forward pass of GPT-2 and Llama, read top to bottom as the network is drawn:
//   x = embedding;  each layer: x += proj(attention(norm(x))), x += down(activation(up(norm(x))));  norm
// A residual addition is fused into the norm that follows it, so a layer's second branch is added by the next layer's first norm.
#include "model/network.h"

namespace syn {

template <class Real>
void forward_layer(Exec& exec, const Network<Real>& net, const Batch& batch, Activations<Real>& acts, int32_t i,
                   const Real* stream, const Real* branch, bool fresh) {
  const Shape& s = net.shape;
  const Ops<Real>& ops = net.ops;
  const auto& layer = acts.layers[static_cast<size_t>(i)];
  const auto& w = net.weights.layers[static_cast<size_t>(i)];
  const auto& m = net.matrices.layers[static_cast<size_t>(i)];
  const int32_t rows = batch.segments.rows;
  const Real eps = static_cast<Real>(s.norm_eps);
  const Real scale = static_cast<Real>(1 / __builtin_sqrt(static_cast<double>(s.head_dim)));
  const Dropout before = at_site(batch.drop, i > 0 ? branch_site(i - 1, s.heads, 1) : 0);
  const Activation activation = s.gpt2 && fresh ? Activation::kGelu : Activation::kNone;

  ops.norm_forward(exec, {stream, branch, layer.residual, w.norm1_weight, w.norm1_bias, acts.normed, layer.mean1, layer.rstd1,
                          rows, s.width, eps, before, net.precision});
  ops.linear_forward(exec, {acts.normed, m.qkv, w.qkv_bias, layer.qkv, nullptr, rows, Activation::kNone,
                            s.gpt2 ? net.precision : Precision::kFp32});
  if (!s.gpt2)
    ops.rope(exec, {layer.qkv, s.qkv_width(), batch.segments.position, net.rope, rows, s.heads + s.kv_heads, s.head_dim, false,
                    net.precision});
  if (fresh)
    ops.attention_forward(exec, {layer.qkv, batch.segments, s.heads, s.kv_heads, s.head_dim, scale, layer.attention, layer.lse,
                                 at_site(batch.drop, attention_site(i, s.heads)), net.precision, s.window});
  ops.linear_forward(exec, {layer.attention, m.proj, w.proj_bias, acts.branch, nullptr, rows});
  ops.norm_forward(exec, {layer.residual, acts.branch, layer.middle, w.norm2_weight, w.norm2_bias, acts.normed, layer.mean2,
                          layer.rstd2, rows, s.width, eps, at_site(batch.drop, branch_site(i, s.heads, 0)), net.precision});
  ops.linear_forward(exec, {acts.normed, m.up, w.up_bias, layer.up, acts.ffn, rows, activation, net.precision});
}

template <class Real>
void forward(Exec& exec, const Network<Real>& net, const Batch& batch, Activations<Real>& acts) {
  const Shape& s = net.shape;
  const Ops<Real>& ops = net.ops;
  const Weights<Real>& w = net.weights;
  const int32_t rows = batch.segments.rows;

  ops.embedding_forward(exec, {batch.tokens, batch.segments.position, w.token_embedding, w.position_embedding,
                               acts.layers[0].residual, rows, s.width, at_site(batch.drop, 0)});
  const Real* stream = acts.layers[0].residual;  // the residual stream, before acts.branch is added to it
  const Real* branch = nullptr;
  for (int32_t i = 0; i < s.layers; ++i) {
    exec.poll();
    const auto at = static_cast<size_t>(i);
    const auto& layer = acts.layers[at];
    forward_layer(exec, net, batch, acts, i, stream, branch, true);
    if (!s.gpt2) ops.swiglu_forward(exec, {layer.up, acts.ffn, rows, s.ffn, net.precision});
    ops.linear_forward(exec, {acts.ffn, net.matrices.layers[at].down, w.layers[at].down_bias, acts.branch, nullptr, rows});
    stream = layer.middle;
    branch = acts.branch;
  }
  ops.norm_forward(
      exec, {stream, branch, acts.last, w.final_norm_weight, w.final_norm_bias, acts.normed, acts.last_mean, acts.last_rstd, rows,
             s.width, static_cast<Real>(s.norm_eps), at_site(batch.drop, branch_site(s.layers - 1, s.heads, 1)), net.precision});
}

template void forward(Exec&, const Network<float>&, const Batch&, Activations<float>&);
template void forward(Exec&, const Network<double>&, const Batch&, Activations<double>&);

template void forward_layer(Exec&, const Network<float>&, const Batch&, Activations<float>&, int32_t, const float*, const float*,
                            bool);
template void forward_layer(Exec&, const Network<double>&, const Batch&, Activations<double>&, int32_t, const double*,
                            const double*, bool);

}  // namespace syn
