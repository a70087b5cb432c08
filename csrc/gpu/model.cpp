// Creating, reading, writing and rounding weights on a device.
#include "gpu/model.h"

#include "core/status.h"

namespace syn::gpu {
namespace {

constexpr int32_t kWidest = 4096;  // a norm holds a row in the registers of one block

// Their masters' places in the rounded copy.
Matrices matrices_of(const Shape& s, const Weights<float>& w, const Masters& masters) {
  const auto linear = [&](const float* weight, const float* bias, int32_t out, int32_t in, bool in_out) {
    return Linear{masters.rounded + (weight - masters.data), bias, out, in, in_out};
  };
  Matrices m;
  for (const auto& layer : w.layers)
    m.layers.push_back({linear(layer.qkv, layer.qkv_bias, s.qkv_width(), s.width, s.gpt2),
                        linear(layer.proj, layer.proj_bias, s.width, s.q_width(), s.gpt2),
                        linear(layer.up, layer.up_bias, s.up_width(), s.width, s.gpt2),
                        linear(layer.down, layer.down_bias, s.width, s.ffn, s.gpt2)});
  m.head = linear(w.head, nullptr, s.vocab, s.width, false);
  return m;
}

// Copies are made with the device held, and so is the memory for them.
Transfer held_transfer(Device& device) {
  const std::lock_guard<std::mutex> lock(device.busy);
  return Transfer(device.gpu);
}

}  // namespace

void check_shape(const Shape& shape) {
  if (shape.width > kWidest) fail(SYN_UNSUPPORTED, "width is %d, a GPU takes networks up to width %d", shape.width, kWidest);
}

Masters plan_model(const Layout& layout, Region& region) {
  Masters m = {};
  m.data = region.take<float>(layout.count);
  m.rounded = region.take<bf16>(layout.count);
  return m;
}

ModelOnGpu::ModelOnGpu(std::shared_ptr<Device> device, const Shape& shape, uint64_t seed)
    : Model(std::move(device), shape), transfer_(held_transfer(*Model::device())) {
  check_shape(shape);
  const auto lock = hold();
  plan_model(layout(), region_);
  region_.reserve(session());
  masters_ = plan_model(layout(), region_);
  weights_ = bind(shape, layout(), masters_.data);
  matrices_ = matrices_of(shape, weights_, masters_);
  for (size_t i = 0; i < layout().tensors.size(); ++i) {
    const syn::Tensor& t = layout().tensors[i];
    std::vector<float> fresh(static_cast<size_t>(t.count));
    fresh_weights(t, static_cast<int64_t>(i), seed, fresh.data());
    transfer_.write(masters_.data + t.offset, SYN_F32, fresh.data(), t.count);
  }
}

ModelOnGpu::~ModelOnGpu() {
  const auto lock = hold();
  region_.release();
  transfer_.release();
}

const Matrices& ModelOnGpu::matrices() {
  if (rounded_version_ != version()) {
    Queue(*session()).round({masters_.data, masters_.rounded, layout().count});
    rounded_version_ = version();
  }
  return matrices_;
}

void ModelOnGpu::read(int32_t index, int32_t dtype, void* to, int64_t count) const {
  const syn::Tensor& t = tensor_at(layout(), index, count);
  const auto lock = hold();
  transfer_.read(masters_.data + t.offset, dtype, to, count);
}

void ModelOnGpu::write(int32_t index, int32_t dtype, const void* from, int64_t count) {
  const syn::Tensor& t = tensor_at(layout(), index, count);
  const auto lock = hold();
  transfer_.write(masters_.data + t.offset, dtype, from, count);
  changed();
}

}  // namespace syn::gpu
