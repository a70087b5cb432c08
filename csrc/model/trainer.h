// Training: one network, its gradients and moments, and everything a step needs, planned and allocated at creation.
#ifndef SYN_MODEL_TRAINER_H
#define SYN_MODEL_TRAINER_H

#include <atomic>
#include <memory>
#include <vector>

#include "core/status.h"
#include "model/batch.h"
#include "model/model.h"
#include "model/optimizer.h"
#include "model/profile.h"

namespace syn {

// One packed batch of the caller; see syn_trainer_accumulate.
struct CallerBatch {
  const int32_t* tokens;    // [count]
  const int32_t* targets;   // [count] or null
  const int32_t* soft_row;  // [count] or null
  int64_t count;
  const int32_t* offsets;  // [segments+1]
  int32_t segments;
};

// What trainers of every backend make of a call (trainer_batch.cpp).
//
// These throw SYN_INVALID_ARGUMENT with the first thing that is wrong: its position and the bound it breaks, never a patient's
// token.
void check_batch(const Shape& shape, const syn_trainer_params& params, int32_t soft_rows, const CallerBatch& batch);
void check_soft_table(const Shape& shape, const int32_t* index, const float* weight, int32_t rows);

// position [count] restarts at 0 in each segment.
void fill_positions(const CallerBatch& batch, int32_t* position);

// Rows grouped by id, ascending within an id; start [ids+1], order [rows].
RowIndex index_rows(const int32_t* id, int32_t rows, int32_t ids, int32_t* start, int32_t* order);

// The dropout of one batch; its sites are numbered by the passes.
Dropout dropout_of(const Shape& shape, uint64_t seed, int64_t step, int32_t micro);

// How many rows have a target; and the loss of so many, the sum of nll [rows].
int64_t count_targets(const CallerBatch& batch);
syn_loss loss_of(int64_t targets, const double* nll, int64_t rows);

// Of a tensor one of the three by its SYN_STATE_ number; gradients null: the trainer was made for inference.
template <class Real>
Real* state_of(int32_t state, const Tensor& t, const syn_trainer_params& params, Real* moment1, Real* moment2,
               Real* gradients) {
  require(gradients != nullptr, "this trainer was made for inference");
  switch (state) {
    case SYN_STATE_MOMENT1: return moment1 + t.offset;
    case SYN_STATE_MOMENT2: return moment2 + second_moment_of(t, params);
    case SYN_STATE_GRADIENT: return gradients + t.offset;
    default: fail(SYN_INVALID_ARGUMENT, "state is %d, expected 0 (first moment), 1 (second moment) or 2 (gradient)", state);
  }
}

class Trainer {
 public:
  virtual ~Trainer() = default;
  static std::shared_ptr<Trainer> create(std::shared_ptr<Model> model, const syn_trainer_params& params);
  static syn_memory estimate(const Device& device, const Shape& shape, const syn_trainer_params& params);

  virtual const Layout& layout() const = 0;
  virtual void soft_targets(const int32_t* index, const float* weight, int32_t rows) = 0;
  // out null: its loss is for losses().
  virtual void accumulate(const CallerBatch& batch, int32_t micro, syn_loss* out) = 0;
  virtual void losses(syn_loss& out);
  virtual void apply(double lr, syn_update& out) = 0;
  virtual void score(const CallerBatch& batch, double* nll) = 0;
  virtual void logits(const CallerBatch& batch, int32_t dtype, void* out) = 0;
  virtual void read(int32_t state, int32_t index, int32_t dtype, void* to, int64_t count) const = 0;
  virtual void write(int32_t state, int32_t index, int32_t dtype, const void* from, int64_t count) = 0;

  // From now on the time of every op is kept, from zero; or not any longer. What was kept, or null.
  virtual void profile(bool on) = 0;
  virtual const Profile* profile() const = 0;

  int64_t step() const { return step_; }
  void set_step(int64_t step);
  void cancel() noexcept { cancel_.store(true); }

 protected:
  // Forgets, at the end of a call, a cancel that it has heeded or outrun.
  struct ForgetCancel {
    std::atomic<bool>& flag;
    ~ForgetCancel() { flag.store(false); }
  };

  // Throws unless an update may be made: the trainer trains, of targets > 0 since the last one, at that rate.
  static void check_update(bool trains, int64_t targets, double lr);

  // A loss to the caller who waits for it (out), or to those that are owed.
  void deliver(const syn_loss& loss, syn_loss* out);

  std::atomic<bool> cancel_{false};
  int64_t step_ = 0;
  syn_loss owed_ = {};  // of batches whose loss nobody waited for, since they were asked for
};

}  // namespace syn

#endif
