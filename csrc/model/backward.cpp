// The backward pass, the forward one read from bottom to top. scratch.residual carries the gradient of the residual stream down;
// each norm adds its share to it and hands a copy with dropout, rounded, to the branch that was added there. What forward did not
// keep (normalised rows, activations, with Keep::kLeast most of a layer) is computed again just before it is needed, by the same
// ops on the same numbers, so to the same bits; gradients of the feed-forward block overwrite its input.
#include <cstring>

#include "model/network.h"

namespace syn {

template <class Real>
void loss(Exec& exec, const Network<Real>& net, const Batch& batch, const int32_t* soft_index, const float* soft_weight,
          Activations<Real>& acts, const Weights<Real>* gradients, GradientScratch<Real>* scratch) {
  exec.poll();
  net.ops.xent(exec, {acts.normed, net.matrices.head, batch.targets, batch.soft_row, soft_index, soft_weight, acts.logits,
                      acts.nll, scratch ? scratch->normed : nullptr, gradients ? gradients->head : nullptr, batch.segments.rows});
}

namespace {

// One backward pass: what every step of it needs.
template <class Real>
struct Pass {
  Exec& exec;
  const Network<Real>& net;
  const Batch& batch;
  Activations<Real>& acts;
  const Weights<Real>& gradients;
  GradientScratch<Real>& g;
  const Shape& s = net.shape;
  const Ops<Real>& ops = net.ops;
  const Precision p = net.precision;
  const int32_t rows = batch.segments.rows;
  const Real eps = static_cast<Real>(s.norm_eps);

  Real* mean(Real* of_layer_norm) const { return s.gpt2 ? of_layer_norm : nullptr; }
  // Where a branch's gradient differs from the stream's.
  Real* separate() const { return g.branch == g.residual ? nullptr : g.branch; }
  Dropout drop(uint32_t site) const { return at_site(batch.drop, site); }

  void run();
  void feed_forward(int32_t i);
  void attention(int32_t i);
};

// x += down(activation(up(norm2(x))))
template <class Real>
void Pass<Real>::feed_forward(int32_t i) {
  const auto& layer = acts.layers[static_cast<size_t>(i)];
  const auto& w = net.weights.layers[static_cast<size_t>(i)];
  const auto& dw = gradients.layers[static_cast<size_t>(i)];
  const auto& m = net.matrices.layers[static_cast<size_t>(i)];
  if (s.gpt2) {
    ops.gelu_forward(exec, {layer.up, acts.ffn, int64_t{rows} * s.ffn, p});
    ops.bias_backward(exec, {g.branch, dw.down_bias, s.width, rows, s.width});
  } else {
    ops.swiglu_forward(exec, {layer.up, acts.ffn, rows, s.ffn, p});
  }
  ops.linear_backward_weight(exec, {acts.ffn, g.branch, dw.down, rows, s.width, s.ffn, s.gpt2, p});
  ops.linear_backward_input(exec, {g.branch, m.down, acts.ffn, rows});
  if (s.gpt2) {
    ops.gelu_backward(exec, {layer.up, acts.ffn, layer.up, int64_t{rows} * s.ffn, p});
    ops.bias_backward(exec, {layer.up, dw.up_bias, s.ffn, rows, s.ffn});
  } else {
    ops.swiglu_backward(exec, {layer.up, acts.ffn, layer.up, rows, s.ffn, p});
  }
  ops.norm_forward(exec, {layer.middle, nullptr, nullptr, w.norm2_weight, w.norm2_bias, acts.normed, nullptr, nullptr, rows,
                          s.width, eps, Dropout{}, p});
  ops.linear_backward_weight(exec, {acts.normed, layer.up, dw.up, rows, s.up_width(), s.width, s.gpt2, p});
  ops.linear_backward_input(exec, {layer.up, m.up, g.normed, rows});
  ops.norm_backward(exec, {g.normed, layer.middle, w.norm2_weight, mean(layer.mean2), layer.rstd2, g.residual, separate(),
                           dw.norm2_weight, dw.norm2_bias, g.norm_partial, rows, s.width, drop(branch_site(i, s.heads, 0)), p});
}

// x += proj(attention(rope(qkv(norm1(x)))))
template <class Real>
void Pass<Real>::attention(int32_t i) {
  const auto& layer = acts.layers[static_cast<size_t>(i)];
  const auto& w = net.weights.layers[static_cast<size_t>(i)];
  const auto& dw = gradients.layers[static_cast<size_t>(i)];
  const auto& m = net.matrices.layers[static_cast<size_t>(i)];
  const Real scale = static_cast<Real>(1 / __builtin_sqrt(static_cast<double>(s.head_dim)));
  const int32_t v = s.q_width() + s.kv_width();  // first column of v
  if (s.gpt2) ops.bias_backward(exec, {g.branch, dw.proj_bias, s.width, rows, s.width});
  ops.linear_backward_weight(exec, {layer.attention, g.branch, dw.proj, rows, s.width, s.q_width(), s.gpt2, p});
  ops.linear_backward_input(exec, {g.branch, m.proj, g.attention, rows, p});
  ops.attention_backward(
      exec, {layer.qkv, layer.attention, layer.lse, g.attention, batch.segments, s.heads, s.kv_heads, s.head_dim, scale, g.qkv,
             g.delta, drop(attention_site(i, s.heads)), p, s.gpt2 ? p : Precision::kFp32, s.window});
  if (s.gpt2) {  // q and v only, see BiasBackward
    ops.bias_backward(exec, {g.qkv, dw.qkv_bias, s.qkv_width(), rows, s.q_width()});
    ops.bias_backward(exec, {g.qkv + v, dw.qkv_bias + v, s.qkv_width(), rows, s.kv_width()});
  } else {
    ops.rope(exec, {g.qkv, s.qkv_width(), batch.segments.position, net.rope, rows, s.heads + s.kv_heads, s.head_dim, true, p});
  }
  ops.norm_forward(exec, {layer.residual, nullptr, nullptr, w.norm1_weight, w.norm1_bias, acts.normed, nullptr, nullptr, rows,
                          s.width, eps, Dropout{}, p});
  ops.linear_backward_weight(exec, {acts.normed, g.qkv, dw.qkv, rows, s.qkv_width(), s.width, s.gpt2, p});
  ops.linear_backward_input(exec, {g.qkv, m.qkv, g.normed, rows});
  ops.norm_backward(
      exec, {g.normed, layer.residual, w.norm1_weight, mean(layer.mean1), layer.rstd1, g.residual, i > 0 ? separate() : nullptr,
             dw.norm1_weight, dw.norm1_bias, g.norm_partial, rows, s.width, drop(i > 0 ? branch_site(i - 1, s.heads, 1) : 0), p});
}

template <class Real>
void Pass<Real>::run() {
  std::memset(g.residual, 0, sizeof(Real) * static_cast<size_t>(rows) * static_cast<size_t>(s.width));
  ops.norm_backward(exec, {g.normed, acts.last, net.weights.final_norm_weight, mean(acts.last_mean), acts.last_rstd, g.residual,
                           separate(), gradients.final_norm_weight, gradients.final_norm_bias, g.norm_partial, rows, s.width,
                           drop(branch_site(s.layers - 1, s.heads, 1)), p});
  for (int32_t i = s.layers - 1; i >= 0; --i) {
    exec.poll();
    if (net.keep == Keep::kLeast && i + 1 < s.layers)  // of the last layer everything is still there
      forward_layer<Real>(exec, net, batch, acts, i, acts.layers[static_cast<size_t>(i)].residual, nullptr, false);
    exec.poll();
    feed_forward(i);
    exec.poll();
    attention(i);
  }
  exec.poll();
  if (batch.drop.on()) ops.dropout(exec, {g.residual, rows, s.width, drop(0)});
  ops.embedding_backward(exec, {g.residual, batch.by_token, gradients.token_embedding, s.width});
  if (s.gpt2) ops.embedding_backward(exec, {g.residual, batch.by_position, gradients.position_embedding, s.width});
}

}  // namespace

template <class Real>
void backward(Exec& exec, const Network<Real>& net, const Batch& batch, Activations<Real>& acts, const Weights<Real>& gradients,
              GradientScratch<Real>& g) {
  Pass<Real>{exec, net, batch, acts, gradients, g}.run();
}

template void loss(Exec&, const Network<float>&, const Batch&, const int32_t*, const float*, Activations<float>&,
                   const Weights<float>*, GradientScratch<float>*);
template void loss(Exec&, const Network<double>&, const Batch&, const int32_t*, const float*, Activations<double>&,
                   const Weights<double>*, GradientScratch<double>*);
template void backward(Exec&, const Network<float>&, const Batch&, Activations<float>&, const Weights<float>&,
                       GradientScratch<float>&);
template void backward(Exec&, const Network<double>&, const Batch&, Activations<double>&, const Weights<double>&,
                       GradientScratch<double>&);

}  // namespace syn
