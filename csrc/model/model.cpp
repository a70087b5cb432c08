// Creating, reading and writing weights.
#include "model/model.h"

#include <cmath>

#include "core/status.h"
#include "math/philox.h"

namespace syn {
namespace {

// Two standard normals from four words: Box and Muller's polar angle and radius.
void normal_pair(const Words& w, double out[2]) {
  constexpr double kTurn = 6.283185307179586476925;
  const double u = (static_cast<double>(bits64(w) >> 11) + 0.5) * 0x1p-53;
  const double angle = kTurn * uniform(w.w[2]), radius = std::sqrt(-2 * std::log(u));
  out[0] = radius * std::cos(angle);
  out[1] = radius * std::sin(angle);
}

template <class Real>
void fill(const Tensor& t, int64_t index, uint64_t seed, Real* to) {
  for (int64_t i = 0; i < t.count; i += 2) {
    double n[2] = {0, 0};
    if (t.spread > 0) {
      const auto pair = static_cast<uint64_t>(i / 2);
      normal_pair(draw_words(seed, Purpose::kInit, static_cast<uint64_t>(index), static_cast<uint32_t>(pair),
                             static_cast<uint32_t>(pair >> 32)),
                  n);
    }
    for (int64_t j = i; j < t.count && j < i + 2; ++j)
      to[j] = static_cast<Real>(static_cast<float>(t.mean + t.spread * n[j - i]));
  }
}

}  // namespace

std::shared_ptr<Model> Model::create(std::shared_ptr<Device> device, const Shape& shape, uint64_t seed) {
  refuse_gpu(*device);
  if (device->backend == SYN_BACKEND_REF) return std::make_shared<ModelOf<double>>(std::move(device), shape, seed);
  return std::make_shared<ModelOf<float>>(std::move(device), shape, seed);
}

template <class Real>
ModelOf<Real>::ModelOf(std::shared_ptr<Device> device, const Shape& shape, uint64_t seed) : Model(std::move(device), shape) {
  arena_.take<Real>(layout().count);
  arena_.reserve();
  data_ = arena_.take<Real>(layout().count);
  weights_ = bind(shape, layout(), data_);
  for (size_t i = 0; i < layout().tensors.size(); ++i) {
    const Tensor& t = layout().tensors[i];
    fill(t, static_cast<int64_t>(i), seed, data_ + t.offset);
  }
}

template <class Real>
void ModelOf<Real>::read(int32_t index, int32_t dtype, void* to, int64_t count) const {
  copy_out(data_ + tensor_at(layout(), index, count).offset, dtype, to, count);
}

template <class Real>
void ModelOf<Real>::write(int32_t index, int32_t dtype, const void* from, int64_t count) {
  copy_in(data_ + tensor_at(layout(), index, count).offset, dtype, from, count);
  changed();
}

void refuse_gpu(const Device& device) {
  if (device.gpu) fail(SYN_UNSUPPORTED, "models on a GPU backend are not there yet");
}

const Tensor& tensor_at(const Layout& layout, int32_t index, int64_t count) {
  const auto tensors = static_cast<int32_t>(layout.tensors.size());
  if (index < 0 || index >= tensors) fail(SYN_INVALID_ARGUMENT, "tensor index is %d, expected 0 to %d", index, tensors - 1);
  const Tensor& t = layout.tensors[static_cast<size_t>(index)];
  if (count != t.count)
    fail(SYN_INVALID_ARGUMENT, "tensor %s has %lld elements, the caller's array has %lld", t.name.c_str(),
         static_cast<long long>(t.count), static_cast<long long>(count));
  return t;
}

template <class Real>
void copy_out(const Real* from, int32_t dtype, void* to, int64_t count, double divisor) {
  require(to != nullptr, "the array to copy to is NULL");
  if (dtype == SYN_F32) {
    for (int64_t i = 0; i < count; ++i) static_cast<float*>(to)[i] = static_cast<float>(static_cast<double>(from[i]) / divisor);
  } else if (dtype == SYN_F64) {
    for (int64_t i = 0; i < count; ++i) static_cast<double*>(to)[i] = static_cast<double>(from[i]) / divisor;
  } else {
    fail(SYN_INVALID_ARGUMENT, "dtype is %d, expected 0 (f32) or 1 (f64)", dtype);
  }
}

template <class Real>
void copy_in(Real* to, int32_t dtype, const void* from, int64_t count) {
  require(from != nullptr, "the array to copy from is NULL");
  if (dtype == SYN_F32) {
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<Real>(static_cast<const float*>(from)[i]);
  } else if (dtype == SYN_F64) {
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<Real>(static_cast<const double*>(from)[i]);
  } else {
    fail(SYN_INVALID_ARGUMENT, "dtype is %d, expected 0 (f32) or 1 (f64)", dtype);
  }
}

template class ModelOf<float>;
template class ModelOf<double>;
template void copy_out(const float*, int32_t, void*, int64_t, double);
template void copy_out(const double*, int32_t, void*, int64_t, double);
template void copy_in(float*, int32_t, const void*, int64_t);
template void copy_in(double*, int32_t, const void*, int64_t);

}  // namespace syn
