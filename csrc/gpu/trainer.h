// The trainer on a device: regions there, and the calls of the ABI in terms of the network's passes. What a step needs of the
// host, a batch out and losses back, crosses in pinned memory, of which there are two pieces: while the device works on a batch
// whose loss nobody waits for, the next is packed and sent.
#ifndef SYN_GPU_TRAINER_H
#define SYN_GPU_TRAINER_H

#include "gpu/muon.h"
#include "gpu/network.h"
#include "model/trainer.h"

namespace syn::gpu {

// What an update left, of the device.
struct UpdateResult {
  double square_sum;  // of the gradients
  int32_t skipped;
};

// The integers of a batch: packed end to end here, sent in one copy, and found there at the same places.
class Parcel {
 public:
  Parcel() = default;
  Parcel(int32_t* host, int32_t* device) : host_(host), device_(device) {}

  void clear() { used_ = 0; }
  int32_t* room(int64_t count);
  const int32_t* put(const int32_t* from, int64_t count);  // where it will be there; null stays null
  const int32_t* there(const int32_t* here) const { return device_ + (here - host_); }
  void send(const Queue& queue) const;

 private:
  int32_t *host_ = nullptr, *device_ = nullptr;
  int64_t used_ = 0;
};

// A batch on its way: its integers, and where its losses come back. When it was queued a mark of its number was set behind it.
struct Flight {
  Parcel parcel;
  double* nll = nullptr;  // [max_tokens], of the host
  int64_t rows = 0;       // of losses that have not been added up; 0: none
  int64_t targets = 0;    // of them
};

// Everything that is laid out.
struct TrainerPlan {
  float* gradients = nullptr;  // [layout.count], sums over targets, not yet divided
  float *moment1 = nullptr, *moment2 = nullptr;  // [layout.count], [second_moments(layout, params)]
  Activations activations;
  GradientScratch scratch = {};
  float* rope = nullptr;
  Keep keep = Keep::kAll;
  Flight flights[2];
  double* norm_partial = nullptr;
  MuonScratch muon = {};
  UpdateResult* update = nullptr;
  UpdateResult* update_here = nullptr;  // of the host
};

struct TrainerRegions {
  Region gradients{"gradients"}, moments{"moments"}, activations{"activations"}, workspace{"workspace"};
  Pinned host{"the copies of batches"};

  void reserve(const std::shared_ptr<const Session>& session);
  void release();
};

// Throws SYN_UNSUPPORTED for what this backend does not train.
void check_trainer(const Shape& shape, const syn_trainer_params& params);
TrainerPlan plan_trainer(const Shape& shape, const Layout& layout, const syn_trainer_params& params, TrainerRegions& regions);

// Memory of the device by region; the masters with their rounded copy are the parameters, of which `there` bytes are allocated
// already. Pinned memory of the host is not in it, nor the soft targets, whose rows nobody knows yet. Throws SYN_OUT_OF_MEMORY
// with each region where the device has fewer bytes free. With the device held.
syn_memory estimate(const Session& session, const Shape& shape, const syn_trainer_params& params, int64_t there);

class TrainerOnGpu final : public Trainer {
 public:
  TrainerOnGpu(std::shared_ptr<ModelOnGpu> model, const syn_trainer_params& params);
  ~TrainerOnGpu() override;

  const Layout& layout() const override { return model_->layout(); }
  void soft_targets(const int32_t* index, const float* weight, int32_t rows) override;
  void accumulate(const CallerBatch& batch, int32_t micro, syn_loss* out) override;
  void losses(syn_loss& out) override;
  void apply(double lr, syn_update& out) override;
  void score(const CallerBatch& batch, double* nll) override;
  void logits(const CallerBatch& batch, int32_t dtype, void* out) override;
  void read(int32_t state, int32_t index, int32_t dtype, void* to, int64_t count) const override;
  void write(int32_t state, int32_t index, int32_t dtype, const void* from, int64_t count) override;
  void profile(bool on) override;
  const Profile* profile() const override { return nullptr; }

 private:
  // Soft targets on the device.
  struct SoftTable {
    Region region{"soft targets"};
    int32_t* index = nullptr;  // [rows, kSoftTaps]
    float* weight = nullptr;   // [rows, kSoftTaps]
    int32_t rows = 0;
  };

  template <class Body>
  void run(const CallerBatch& batch, bool gradients, const Dropout& drop, Body&& body);
  DeviceBatch pack(const CallerBatch& batch, bool gradients, Parcel& parcel) const;
  void check(const CallerBatch& batch) const { check_batch(model_->shape(), params_, soft_ ? soft_->rows : 0, batch); }
  void fetch_losses(Flight& flight, int64_t rows);
  void settle(int32_t flight);
  void step_tensor(const syn::Tensor& tensor, double lr);
  void abandon(bool gradients) noexcept;
  float* state_at(int32_t state, const syn::Tensor& tensor) const;
  std::unique_lock<std::mutex> hold() const { return std::unique_lock<std::mutex>(model_->device()->busy); }

  std::shared_ptr<ModelOnGpu> model_;
  const syn_trainer_params params_;
  const Queue queue_;
  TrainerRegions regions_;
  TrainerPlan plan_;
  Weights<float> gradients_;  // views of plan_.gradients
  std::unique_ptr<SoftTable> soft_;
  int32_t next_ = 0;     // which flight the next batch takes
  int64_t targets_ = 0;  // since the last apply
};

}  // namespace syn::gpu

#endif
