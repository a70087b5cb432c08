// The work of a session as calls that throw: copies, the launchers of the table, and linear layers in terms of its product. Each
// call queues and returns; wait() returns when everything is done.
#ifndef SYN_GPU_QUEUE_H
#define SYN_GPU_QUEUE_H

#include "gpu/open.h"

namespace syn::gpu {

using cuda::bf16;

// y = x W^T + b. The weights are those of a model, rounded.
struct Linear {
  const bf16* weight;  // [out, in], or [in, out]
  const float* bias;   // [out] or null
  int32_t out, in;
  bool in_out;  // stored [in, out]
};

class Queue {
 public:
  explicit Queue(const Session& session) : session_(session), table_(session.table()), stream_(session.stream()) {}

  void upload(void* to, const void* from, int64_t bytes) const { done(table_.upload(context(), to, from, bytes), "upload"); }
  void download(void* to, const void* from, int64_t bytes) const {
    done(table_.download(context(), to, from, bytes), "download");
  }
  void clear(void* p, int64_t bytes) const { done(table_.clear(context(), p, bytes), "clear"); }
  void wait() const { done(table_.wait(context()), "wait"); }
  void upload_beside(void* to, const void* from, int64_t bytes) const {
    done(table_.upload_beside(context(), to, from, bytes), "upload");
  }
  void set_mark(int32_t mark) const { done(table_.set_mark(context(), mark), "mark"); }
  void reach_mark(int32_t mark) const { done(table_.reach_mark(context(), mark), "wait"); }

  void product(const Product& p) const { done(table_.product(context(), p), "product"); }
  // y [rows, out], ldy elements from row to row.
  void linear_forward(const bf16* x, const Linear& w, const cuda::Tensor& y, int64_t ldy, int32_t rows) const;
  // dx = dy W. dy has lddy elements from row to row.
  void linear_backward_input(const bf16* dy, int64_t lddy, const Linear& w, const cuda::Tensor& dx, int32_t rows) const;
  // dW += dy^T x, stored as W is.
  void linear_backward_weight(const bf16* x, const bf16* dy, int64_t lddy, const Linear& w, float* dw, int32_t rows) const;

  void norm_forward(const cuda::NormForward& a) const { done(table_.norm_forward(stream_, a), "norm_forward"); }
  void norm_backward(const cuda::NormBackward& a) const { done(table_.norm_backward(stream_, a), "norm_backward"); }
  void embedding_backward(const cuda::EmbeddingBackward& a) const {
    done(table_.embedding_backward(stream_, a), "embedding_backward");
  }
  void gelu_forward(const cuda::GeluForward& a) const { done(table_.gelu_forward(stream_, a), "gelu_forward"); }
  void gelu_backward(const cuda::GeluBackward& a) const { done(table_.gelu_backward(stream_, a), "gelu_backward"); }
  void swiglu_forward(const cuda::SwigluForward& a) const { done(table_.swiglu_forward(stream_, a), "swiglu_forward"); }
  void swiglu_backward(const cuda::SwigluBackward& a) const { done(table_.swiglu_backward(stream_, a), "swiglu_backward"); }
  void bias_backward(const cuda::BiasBackward& a) const { done(table_.bias_backward(stream_, a), "bias_backward"); }
  void rope(const cuda::Rope& a) const { done(table_.rope(stream_, a), "rope"); }
  void attention_forward(const cuda::AttentionForward& a) const {
    done(table_.attention_forward(stream_, a), "attention_forward");
  }
  void attention_backward(const cuda::AttentionBackward& a) const {
    done(table_.attention_backward(stream_, a), "attention_backward");
  }
  void xent(const cuda::Xent& a) const { done(table_.xent(stream_, a), "xent"); }
  void dropout(const DropoutArgs<float>& a) const { done(table_.dropout(stream_, a), "dropout"); }
  void grad_norm(const GradNormArgs<float>& a) const { done(table_.grad_norm(stream_, a), "grad_norm"); }
  void adamw(const cuda::Adamw& a) const { done(table_.adamw(stream_, a), "adamw"); }
  void muon_momentum(const cuda::MuonMomentum& a) const { done(table_.muon_momentum(stream_, a), "muon_momentum"); }
  void muon_normalise(const cuda::MuonNormalise& a) const { done(table_.muon_normalise(stream_, a), "muon_normalise"); }
  void muon_combine(const cuda::MuonCombine& a) const { done(table_.muon_combine(stream_, a), "muon_combine"); }
  void muon_update(const cuda::MuonUpdate& a) const { done(table_.muon_update(stream_, a), "muon_update"); }
  void round(const cuda::Round& a) const { done(table_.round(stream_, a), "round"); }
  void nearest(const cuda::Nearest& a) const { done(table_.nearest(stream_, a), "nearest"); }

 private:
  Context* context() const { return session_.context(); }
  void done(int code, const char* what) const { session_.check(code, what); }

  const Session& session_;
  const Backend& table_;
  const cuda::Stream stream_;
};

}  // namespace syn::gpu

#endif
