// Which matrix has which shape and storage, and the packing of all of them.
#include "model/matrices.h"

namespace syn {
namespace {

template <class Real>
void pack_one(Exec& exec, const Ops<Real>& ops, const Matrix<Real>& m) {
  exec.poll();
  ops.pack(exec, {m, const_cast<Real*>(m.packed), const_cast<Real*>(m.packed_t)});
}

}  // namespace

template <class Real>
Matrices<Real> matrices_of(const Shape& s, const Weights<Real>& w, const Ops<Real>& ops, bool backward, Arena& arena,
                           Precision precision) {
  const auto view = [&](const Real* data, int32_t out, int32_t in, bool in_out) {
    Matrix<Real> m{data, out, in, in_out};
    m.packed = arena.take<Real>(ops.packed_size(out, in, precision));
    if (backward) m.packed_t = arena.take<Real>(ops.packed_size(in, out, precision));
    m.precision = precision;
    return m;
  };
  Matrices<Real> out;
  for (const auto& layer : w.layers)
    out.layers.push_back({view(layer.qkv, s.qkv_width(), s.width, s.gpt2), view(layer.proj, s.width, s.q_width(), s.gpt2),
                          view(layer.up, s.up_width(), s.width, s.gpt2), view(layer.down, s.width, s.ffn, s.gpt2)});
  out.head = view(w.head, s.vocab, s.width, false);
  return out;
}

template <class Real>
void pack_all(Exec& exec, const Ops<Real>& ops, const Matrices<Real>& matrices) {
  for (const auto& layer : matrices.layers) {
    pack_one(exec, ops, layer.qkv);
    pack_one(exec, ops, layer.proj);
    pack_one(exec, ops, layer.up);
    pack_one(exec, ops, layer.down);
  }
  pack_one(exec, ops, matrices.head);
}

template Matrices<float> matrices_of(const Shape&, const Weights<float>&, const Ops<float>&, bool, Arena&, Precision);
template Matrices<double> matrices_of(const Shape&, const Weights<double>&, const Ops<double>&, bool, Arena&, Precision);
template void pack_all(Exec&, const Ops<float>&, const Matrices<float>&);
template void pack_all(Exec&, const Ops<double>&, const Matrices<double>&);

}  // namespace syn
