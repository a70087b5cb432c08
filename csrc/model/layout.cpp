// Names, shapes and order of tensors, for both families.
#include "model/layout.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"

namespace syn {
namespace {

constexpr int64_t kAlign = 16;  // elements: 64 bytes of float, 128 of double

int64_t aligned(int64_t count) { return (count + kAlign - 1) / kAlign * kAlign; }

class Builder {
 public:
  Builder(const Shape& shape, Layout& out) : s_(shape), out_(out), residual_(shape.init_std / std::sqrt(2.0 * shape.layers)) {}

  void gpt2() {
    matrix("transformer.wte.weight", s_.vocab, s_.width, s_.init_std);
    matrix("transformer.wpe.weight", s_.context, s_.width, s_.init_std);
    for (int32_t i = 0; i < s_.layers; ++i) {
      const std::string p = "transformer.h." + std::to_string(i) + ".";
      norm(p + "ln_1");
      conv(p + "attn.c_attn", s_.width, s_.qkv_width(), s_.init_std, 3);
      conv(p + "attn.c_proj", s_.q_width(), s_.width, residual_);
      norm(p + "ln_2");
      conv(p + "mlp.c_fc", s_.width, s_.ffn, s_.init_std);
      conv(p + "mlp.c_proj", s_.ffn, s_.width, residual_);
    }
    norm("transformer.ln_f");
    if (!s_.tied) matrix("lm_head.weight", s_.vocab, s_.width, s_.init_std);
  }

  void llama() {
    matrix("model.embed_tokens.weight", s_.vocab, s_.width, s_.init_std);
    for (int32_t i = 0; i < s_.layers; ++i) {
      const std::string p = "model.layers." + std::to_string(i) + ".";
      vector(p + "input_layernorm.weight", s_.width, 1);
      hidden(p + "self_attn.q_proj.weight", s_.q_width(), s_.width, s_.init_std);
      hidden(p + "self_attn.k_proj.weight", s_.kv_width(), s_.width, s_.init_std, true);
      hidden(p + "self_attn.v_proj.weight", s_.kv_width(), s_.width, s_.init_std, true);
      hidden(p + "self_attn.o_proj.weight", s_.width, s_.q_width(), residual_);
      vector(p + "post_attention_layernorm.weight", s_.width, 1);
      hidden(p + "mlp.gate_proj.weight", s_.ffn, s_.width, s_.init_std);
      hidden(p + "mlp.up_proj.weight", s_.ffn, s_.width, s_.init_std, true);
      hidden(p + "mlp.down_proj.weight", s_.width, s_.ffn, residual_);
    }
    vector("model.norm.weight", s_.width, 1);
    if (!s_.tied) matrix("lm_head.weight", s_.vocab, s_.width, s_.init_std);
  }

 private:
  void norm(const std::string& name) {
    vector(name + ".weight", s_.width, 1);
    vector(name + ".bias", s_.width, 0);
  }
  void conv(const std::string& name, int64_t in, int64_t out, double spread, int32_t side_by_side = 1) {
    hidden(name + ".weight", in, out, spread, false, side_by_side);
    vector(name + ".bias", out, 0);
  }
  void vector(const std::string& name, int64_t n, double mean) { add({name, {n}, 0, n, false, mean, 0}, false); }
  void matrix(const std::string& name, int64_t rows, int64_t columns, double spread) {
    add({name, {rows, columns}, 0, rows * columns, true, 0, spread}, false);
  }
  void hidden(const std::string& name, int64_t rows, int64_t columns, double spread, bool continues = false,
              int32_t side_by_side = 1) {
    add({name, {rows, columns}, 0, rows * columns, true, 0, spread, side_by_side}, continues);
  }
  void add(Tensor t, bool continues) {
    if (!continues) out_.count = aligned(out_.count);
    t.offset = out_.count;
    out_.count += t.count;
    if (t.hidden == 0) {
      t.rest = out_.rest;
      out_.rest = aligned(t.rest + t.count);
    }
    out_.tensors.push_back(std::move(t));
  }

  const Shape& s_;
  Layout& out_;
  const double residual_;
};

}  // namespace

Layout layout_of(const Shape& shape) {
  Layout out;
  Builder builder(shape, out);
  shape.gpt2 ? builder.gpt2() : builder.llama();
  out.count = aligned(out.count);
  std::sort(out.tensors.begin(), out.tensors.end(), [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return out;
}

template <class Real>
Weights<Real> bind(const Shape& s, const Layout& layout, Real* base) {
  const auto at = [&](const std::string& name) {
    const auto found = std::lower_bound(layout.tensors.begin(), layout.tensors.end(), name,
                                        [](const Tensor& t, const std::string& n) { return t.name < n; });
    if (found == layout.tensors.end() || found->name != name) fail(SYN_INTERNAL, "no tensor %s", name.c_str());
    return base + found->offset;
  };
  Weights<Real> w = {};
  for (int32_t i = 0; i < s.layers; ++i) {
    if (s.gpt2) {
      const std::string p = "transformer.h." + std::to_string(i) + ".";
      w.layers.push_back({at(p + "ln_1.weight"), at(p + "ln_1.bias"), at(p + "attn.c_attn.weight"), at(p + "attn.c_attn.bias"),
                          at(p + "attn.c_proj.weight"), at(p + "attn.c_proj.bias"), at(p + "ln_2.weight"), at(p + "ln_2.bias"),
                          at(p + "mlp.c_fc.weight"), at(p + "mlp.c_fc.bias"), at(p + "mlp.c_proj.weight"),
                          at(p + "mlp.c_proj.bias")});
    } else {
      const std::string p = "model.layers." + std::to_string(i) + ".";
      w.layers.push_back({at(p + "input_layernorm.weight"), nullptr, at(p + "self_attn.q_proj.weight"), nullptr,
                          at(p + "self_attn.o_proj.weight"), nullptr, at(p + "post_attention_layernorm.weight"), nullptr,
                          at(p + "mlp.gate_proj.weight"), nullptr, at(p + "mlp.down_proj.weight"), nullptr});
    }
  }
  w.token_embedding = at(s.gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight");
  w.position_embedding = s.gpt2 ? at("transformer.wpe.weight") : nullptr;
  w.final_norm_weight = at(s.gpt2 ? "transformer.ln_f.weight" : "model.norm.weight");
  w.final_norm_bias = s.gpt2 ? at("transformer.ln_f.bias") : nullptr;
  w.head = s.tied ? w.token_embedding : at("lm_head.weight");
  return w;
}

template Weights<float> bind(const Shape&, const Layout&, float*);
template Weights<double> bind(const Shape&, const Layout&, double*);

}  // namespace syn
