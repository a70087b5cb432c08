// A model on a device: the masters in float, in the order of its layout, and beside them all of them rounded to bf16, which is
// what products read.
#ifndef SYN_GPU_MODEL_H
#define SYN_GPU_MODEL_H

#include <vector>

#include "gpu/queue.h"
#include "gpu/transfer.h"
#include "model/model.h"

namespace syn::gpu {

// The matrices of a network, rounded.
struct Matrices {
  struct Layer {
    Linear qkv, proj, up, down;
  };
  std::vector<Layer> layers;
  Linear head;  // [vocab, width]
};

// Throws SYN_UNSUPPORTED for a network that the kernels do not take.
void check_shape(const Shape& shape);

// Where the weights lie.
struct Masters {
  float* data;    // [layout.count]
  bf16* rounded;  // [layout.count]
};
Masters plan_model(const Layout& layout, Region& region);

class ModelOnGpu final : public Model {
 public:
  ModelOnGpu(std::shared_ptr<Device> device, const Shape& shape, uint64_t seed);
  ~ModelOnGpu() override;

  const std::shared_ptr<Session>& session() const { return device()->gpu; }
  float* data() { return masters_.data; }
  const float* weights_on_gpu() const override { return masters_.data; }
  const Weights<float>& weights() const { return weights_; }  // of the device
  const Transfer& transfer() const { return transfer_; }
  int64_t bytes() const { return region_.bytes(); }  // of the device

  // The matrices as they are now: where weights have changed since the last call, rounding them is queued. With the device held.
  const Matrices& matrices();

  void read(int32_t index, int32_t dtype, void* to, int64_t count) const override;
  void write(int32_t index, int32_t dtype, const void* from, int64_t count) override;

 private:
  std::unique_lock<std::mutex> hold() const { return std::unique_lock<std::mutex>(device()->busy); }

  Region region_{"weights"};
  Transfer transfer_;
  Masters masters_ = {};
  Weights<float> weights_;
  Matrices matrices_;
  uint64_t rounded_version_ = 0;
};

}  // namespace syn::gpu

#endif
