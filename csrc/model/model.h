// A model: its shape, its weights in one arena on a device, and a version that counts changes, so that whoever keeps weights in
// another form (a trainer or a generator its packed panels) knows when to make them again.
#ifndef SYN_MODEL_MODEL_H
#define SYN_MODEL_MODEL_H

#include <memory>

#include "core/arena.h"
#include "core/device.h"
#include "model/layout.h"

namespace syn {

class Model {
 public:
  virtual ~Model() = default;

  // Fresh weights from Philox(seed), rounded to float on every backend: mean + spread n, n normal.
  static std::shared_ptr<Model> create(std::shared_ptr<Device> device, const Shape& shape, uint64_t seed);

  const std::shared_ptr<Device>& device() const { return device_; }
  const Shape& shape() const { return shape_; }
  const Layout& layout() const { return layout_; }
  uint64_t version() const { return version_; }
  void changed() { ++version_; }

  // Copies one whole tensor; dtype SYN_F32 or SYN_F64. Throws SYN_INVALID_ARGUMENT for a bad index, dtype or count.
  virtual void read(int32_t index, int32_t dtype, void* to, int64_t count) const = 0;
  virtual void write(int32_t index, int32_t dtype, const void* from, int64_t count) = 0;

 protected:
  Model(std::shared_ptr<Device> device, const Shape& shape)
      : device_(std::move(device)), shape_(shape), layout_(layout_of(shape)) {}

 private:
  std::shared_ptr<Device> device_;
  Shape shape_;
  Layout layout_;
  uint64_t version_ = 1;
};

// The weights as the backend's number: double on ref, float on cpu.
template <class Real>
class ModelOf final : public Model {
 public:
  ModelOf(std::shared_ptr<Device> device, const Shape& shape, uint64_t seed);

  Real* data() { return data_; }
  const Weights<Real>& weights() const { return weights_; }
  void read(int32_t index, int32_t dtype, void* to, int64_t count) const override;
  void write(int32_t index, int32_t dtype, const void* from, int64_t count) override;

 private:
  Arena arena_{"weights"};
  Real* data_ = nullptr;
  Weights<Real> weights_;
};

// SYN_UNSUPPORTED for a device of a GPU backend, which has no models yet.
void refuse_gpu(const Device&);

// The tensor of an index, checked, and copies between an arena and a caller's array, divided by divisor on the way out.
const Tensor& tensor_at(const Layout& layout, int32_t index, int64_t count);
template <class Real>
void copy_out(const Real* from, int32_t dtype, void* to, int64_t count, double divisor = 1);
template <class Real>
void copy_in(Real* to, int32_t dtype, const void* from, int64_t count);

}  // namespace syn

#endif
