// The timed table: one function for each op, made from its place in the table.
#include "model/profile.h"

#include <chrono>

#include "model/work.h"

namespace syn {
namespace {

template <class Real, class Args>
using Op = void (*)(Exec&, const Args&);

template <class Real, class Args, Op<Real, Args> Ops<Real>::*kOp, int kIndex>
void time_op(Exec& exec, const Args& args) {
  auto& profile = static_cast<ProfileOf<Real>&>(*exec.profile);
  const auto begin = std::chrono::steady_clock::now();
  (profile.timed().*kOp)(exec, args);
  OpTime& op = profile.ops[kIndex];
  const Work work = work_of(args);
  op.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  op.calls += 1;
  op.flop += work.flop;
  op.bytes += work.bytes;
}

}  // namespace

template <class Real>
ProfileOf<Real>::ProfileOf(const Ops<Real>& timed_ops) : timed_(timed_ops), table_(timed_ops) {
  ops = {};
#define SYN_TIMED(index, op, Args)                              \
  table_.op = time_op<Real, Args<Real>, &Ops<Real>::op, index>; \
  ops[index].name = #op
  SYN_TIMED(0, embedding_forward, EmbeddingForward);
  SYN_TIMED(1, embedding_backward, EmbeddingBackward);
  SYN_TIMED(2, norm_forward, NormForward);
  SYN_TIMED(3, norm_backward, NormBackward);
  SYN_TIMED(4, rope, RopeArgs);
  SYN_TIMED(5, attention_forward, AttentionForward);
  SYN_TIMED(6, attention_backward, AttentionBackward);
  SYN_TIMED(7, pack, PackArgs);
  SYN_TIMED(8, linear_forward, LinearForward);
  SYN_TIMED(9, linear_backward_input, LinearBackwardInput);
  SYN_TIMED(10, linear_backward_weight, LinearBackwardWeight);
  SYN_TIMED(11, bias_backward, BiasBackward);
  SYN_TIMED(12, gelu_forward, GeluForward);
  SYN_TIMED(13, gelu_backward, GeluBackward);
  SYN_TIMED(14, swiglu_forward, SwigluForward);
  SYN_TIMED(15, swiglu_backward, SwigluBackward);
  SYN_TIMED(16, xent, XentArgs);
  SYN_TIMED(17, dropout, DropoutArgs);
  SYN_TIMED(18, grad_norm, GradNormArgs);
  SYN_TIMED(19, adamw, AdamwArgs);
  SYN_TIMED(20, muon, MuonArgs);
#undef SYN_TIMED
}

template class ProfileOf<float>;
template class ProfileOf<double>;

}  // namespace syn
