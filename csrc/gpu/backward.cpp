// The loss and the backward pass on a device, as model/backward.cpp and ops/xent.h have them. Gradients of what was rounded are
// bf16, those of a norm's output and of the activation's are float, and so are the sums that products add to.
#include <algorithm>

#include "gpu/network.h"

namespace syn::gpu {

// In chunks of kXentRows rows: a product writes the logits of a chunk, one launch turns them into nll and gradient in place, two
// products take the gradient on. A row of the gradient begins where that of the logits did, so its stride is twice as many
// elements.
void loss(const Exec& exec, const Network& net, const DeviceBatch& batch, Activations& acts, const Weights<float>* gradients,
          GradientScratch* scratch) {
  const Shape& s = net.shape;
  const Queue& q = net.queue;
  const Linear& head = net.matrices.head;
  const int64_t stride = logit_stride(s.vocab);
  for (int32_t begin = 0; begin < batch.segments.rows; begin += kXentRows) {
    exec.poll();
    const int32_t rows = std::min(kXentRows, batch.segments.rows - begin);
    const int64_t at = int64_t{begin} * s.width;
    q.linear_forward(acts.normed + at, head, tensor_of(acts.logits), stride, rows);
    q.xent({acts.logits, batch.targets + begin, batch.soft_row ? batch.soft_row + begin : nullptr, batch.soft_index,
            batch.soft_weight, acts.nll + begin, rows, s.vocab, static_cast<int32_t>(stride), gradients != nullptr,
            Precision::kBf16});
    if (!gradients) continue;
    const auto* z = reinterpret_cast<const bf16*>(acts.logits);
    q.linear_backward_input(z, 2 * stride, head, tensor_of(scratch->normed + at), rows);
    q.linear_backward_weight(acts.normed + at, z, 2 * stride, head, gradients->head, rows);
  }
}

namespace {

// One backward pass: what every step of it needs.
struct Pass {
  const Exec& exec;
  const Network& net;
  const DeviceBatch& batch;
  Activations& acts;
  const Weights<float>& gradients;
  GradientScratch& g;
  const Shape& s = net.shape;
  const Queue& q = net.queue;
  const int32_t rows = batch.segments.rows;

  float* mean(float* of_layer_norm) const { return s.gpt2 ? of_layer_norm : nullptr; }
  Dropout drop(uint32_t site) const { return at_site(batch.drop, site); }
  void bias(bf16* dy, float* dbias, int64_t stride, int32_t columns) const {
    q.bias_backward({tensor_of(dy), dbias, g.partial, stride, rows, columns});
  }

  void run();
  void feed_forward(int32_t i);
  void attention(int32_t i);
};

// x += down(activation(up(norm2(x))))
void Pass::feed_forward(int32_t i) {
  const auto& layer = acts.layers[static_cast<size_t>(i)];
  const auto& w = net.weights.layers[static_cast<size_t>(i)];
  const auto& dw = gradients.layers[static_cast<size_t>(i)];
  const auto& m = net.matrices.layers[static_cast<size_t>(i)];
  const cuda::Tensor up = tensor_of(layer.up);  // from here on its gradient
  if (s.gpt2) {
    q.gelu_forward({up, tensor_of(acts.ffn), int64_t{rows} * s.ffn});
    bias(g.branch, dw.down_bias, s.width, s.width);
  } else {
    q.swiglu_forward({up, tensor_of(acts.ffn), rows, s.ffn});
  }
  q.linear_backward_weight(acts.ffn, g.branch, s.width, m.down, dw.down, rows);
  q.linear_backward_input(g.branch, s.width, m.down, tensor_of(acts.wide), rows);
  if (s.gpt2) {
    q.gelu_backward({up, acts.wide, up, int64_t{rows} * s.ffn});
    bias(layer.up, dw.up_bias, s.ffn, s.ffn);
  } else {
    q.swiglu_backward({up, acts.wide, up, rows, s.ffn});
  }
  q.norm_forward({layer.middle, nullptr, nullptr, w.norm2_weight, w.norm2_bias, tensor_of(acts.normed), nullptr, nullptr, rows,
                  s.width, s.norm_eps, Dropout{}});
  q.linear_backward_weight(acts.normed, layer.up, s.up_width(), m.up, dw.up, rows);
  q.linear_backward_input(layer.up, s.up_width(), m.up, tensor_of(g.normed), rows);
  q.norm_backward({g.normed, layer.middle, w.norm2_weight, mean(layer.mean2), layer.rstd2, g.residual, tensor_of(g.branch),
                   dw.norm2_weight, dw.norm2_bias, g.partial, rows, s.width, drop(branch_site(i, s.heads, 0))});
}

// x += proj(attention(rope(qkv(norm1(x)))))
void Pass::attention(int32_t i) {
  const auto& layer = acts.layers[static_cast<size_t>(i)];
  const auto& w = net.weights.layers[static_cast<size_t>(i)];
  const auto& dw = gradients.layers[static_cast<size_t>(i)];
  const auto& m = net.matrices.layers[static_cast<size_t>(i)];
  const int32_t v = s.q_width() + s.kv_width();  // first column of v
  if (s.gpt2) bias(g.branch, dw.proj_bias, s.width, s.width);
  q.linear_backward_weight(layer.attention, g.branch, s.width, m.proj, dw.proj, rows);
  q.linear_backward_input(g.branch, s.width, m.proj, tensor_of(g.attention), rows);
  q.attention_backward({layer.qkv, layer.attention, layer.lse, g.attention, batch.segments, batch.longest, s.heads, s.kv_heads,
                        s.head_dim, attention_scale(s), s.gpt2 ? tensor_of(g.qkv) : tensor_of(acts.wide), g.delta,
                        drop(attention_site(i, s.heads)), s.window});
  if (s.gpt2) {  // q and v only, see BiasBackward of ops/linear.h
    bias(g.qkv, dw.qkv_bias, s.qkv_width(), s.q_width());
    bias(g.qkv + v, dw.qkv_bias + v, s.qkv_width(), s.kv_width());
  } else {
    q.rope({acts.wide, tensor_of(g.qkv), s.qkv_width(), batch.segments.position, net.rope, rows, s.heads + s.kv_heads, s.head_dim,
            true});
  }
  q.norm_forward({layer.residual, nullptr, nullptr, w.norm1_weight, w.norm1_bias, tensor_of(acts.normed), nullptr, nullptr, rows,
                  s.width, s.norm_eps, Dropout{}});
  q.linear_backward_weight(acts.normed, g.qkv, s.qkv_width(), m.qkv, dw.qkv, rows);
  q.linear_backward_input(g.qkv, s.qkv_width(), m.qkv, tensor_of(g.normed), rows);
  q.norm_backward({g.normed, layer.residual, w.norm1_weight, mean(layer.mean1), layer.rstd1, g.residual,
                   tensor_of(i > 0 ? g.branch : nullptr), dw.norm1_weight, dw.norm1_bias, g.partial, rows, s.width,
                   drop(i > 0 ? branch_site(i - 1, s.heads, 1) : 0)});
}

void Pass::run() {
  q.clear(g.residual, int64_t{rows} * s.width * static_cast<int64_t>(sizeof(float)));
  q.norm_backward({g.normed, acts.last, net.weights.final_norm_weight, mean(acts.last_mean), acts.last_rstd, g.residual,
                   tensor_of(g.branch), gradients.final_norm_weight, gradients.final_norm_bias, g.partial, rows, s.width,
                   drop(branch_site(s.layers - 1, s.heads, 1))});
  for (int32_t i = s.layers - 1; i >= 0; --i) {
    exec.poll();
    if (net.keep == Keep::kLeast && i + 1 < s.layers)  // of the last layer everything is still there
      forward_layer(net, batch, acts, i, acts.layers[static_cast<size_t>(i)].residual, nullptr, false);
    feed_forward(i);
    attention(i);
  }
  exec.poll();
  if (batch.drop.on()) q.dropout({g.residual, rows, s.width, drop(0)});
  q.embedding_backward({g.residual, batch.by_token, gradients.token_embedding, g.partial, rows, s.width});
  if (s.gpt2) q.embedding_backward({g.residual, batch.by_position, gradients.position_embedding, g.partial, rows, s.width});
}

}  // namespace

void backward(const Exec& exec, const Network& net, const DeviceBatch& batch, Activations& acts, const Weights<float>& gradients,
              GradientScratch& g) {
  Pass{exec, net, batch, acts, gradients, g}.run();
}

}  // namespace syn::gpu
