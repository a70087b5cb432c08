// All logits of one record by the training forward pass: what decoding must agree with; and those of the rows that a decoder
// returns, which draws from them without showing them.
#ifndef SYN_TESTS_FULL_FORWARD_H
#define SYN_TESTS_FULL_FORWARD_H

#include <numeric>
#include <vector>

#include "model/network.h"
#include "model/rope_table.h"

namespace syn::tests {

template <class Real>
std::vector<Real> full_forward(ModelOf<Real>& model, const std::vector<int32_t>& tokens,
                               Precision precision = Precision::kFp32) {
  const Shape& s = model.shape();
  const auto rows = static_cast<int32_t>(tokens.size());
  const Ops<Real>& ops = model.device()->template ops<Real>();
  Exec exec{model.device()->pool, nullptr};
  Arena panels("panels"), activations("activations");
  matrices_of(s, model.weights(), ops, false, panels, precision);
  panels.reserve();
  const Matrices<Real> matrices = matrices_of(s, model.weights(), ops, false, panels, precision);
  pack_all(exec, ops, matrices);
  activations_of<Real>(s, rows, Keep::kNothing, activations);
  activations.reserve();
  Activations<Real> acts = activations_of<Real>(s, rows, Keep::kNothing, activations);
  std::vector<Real> rope(static_cast<size_t>(s.context) * s.head_dim);
  fill_rope_table(rope.data(), s.context, s.head_dim, s.rope_theta);
  std::vector<int32_t> position(tokens.size());
  std::iota(position.begin(), position.end(), 0);
  const int32_t offsets[2] = {0, rows};
  Batch batch = {};
  batch.tokens = tokens.data();
  batch.segments = {offsets, position.data(), 1, rows};
  forward(exec, {s, ops, model.weights(), matrices, rope.data(), precision}, batch, acts);
  std::vector<Real> logits(tokens.size() * static_cast<size_t>(s.vocab));
  ops.linear_forward(exec, {acts.normed, matrices.head, nullptr, logits.data(), nullptr, rows});
  return logits;
}

// Logits [rows, vocab] of rows behind the final norm.
template <class Real>
class Head {
 public:
  explicit Head(std::shared_ptr<ModelOf<Real>> model) : model_(std::move(model)) {
    const Shape& s = model_->shape();
    const auto& ops = model_->device()->template ops<Real>();
    packed_.resize(static_cast<size_t>(ops.packed_size(s.vocab, s.width, Precision::kFp32)));
    matrix_ = {model_->weights().head, s.vocab, s.width, false, packed_.data(), nullptr};
    Exec exec{model_->device()->pool, nullptr};
    ops.pack(exec, {matrix_, packed_.data(), nullptr});
  }
  std::vector<Real> logits(const Real* x, int32_t rows) const {
    Exec exec{model_->device()->pool, nullptr};
    std::vector<Real> out(static_cast<size_t>(rows) * static_cast<size_t>(matrix_.out));
    model_->device()->template ops<Real>().linear_forward(exec, {x, matrix_, nullptr, out.data(), nullptr, rows});
    return out;
  }

 private:
  std::shared_ptr<ModelOf<Real>> model_;
  std::vector<Real> packed_;
  Matrix<Real> matrix_;
};

}  // namespace syn::tests

#endif
