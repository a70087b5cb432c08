// A training step on a device: a batch is sent, forward, loss and backward are queued and the losses fetched; an update is the
// norm of the gradients and AdamW or Muon, where the device decides whether it is skipped. Nothing is allocated after creation
// but the soft table. A cancelled or failed call drops the gradients since the last apply, as on the host.
//
// Two batches may be on their way. Before a third is packed, the mark behind the first is reached: by then the device has read
// its integers, there and here, and its losses are back.
#include "gpu/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/status.h"
#include "model/rope_table.h"

namespace syn::gpu {
namespace {

template <class T>
constexpr int64_t bytes_of(int64_t count) {
  return count * static_cast<int64_t>(sizeof(T));
}

}  // namespace

int32_t* Parcel::room(int64_t count) {
  int32_t* const place = host_ + used_;
  used_ += count;
  return place;
}

const int32_t* Parcel::put(const int32_t* from, int64_t count) {
  if (!from) return nullptr;
  int32_t* const here = room(count);
  std::memcpy(here, from, static_cast<size_t>(bytes_of<int32_t>(count)));
  return there(here);
}

void Parcel::send(const Queue& queue) const { queue.upload_beside(device_, host_, bytes_of<int32_t>(used_)); }

TrainerOnGpu::TrainerOnGpu(std::shared_ptr<ModelOnGpu> model, const syn_trainer_params& params)
    : model_(std::move(model)), params_(params), queue_(*model_->session()) {
  const Shape& shape = model_->shape();
  const auto lock = hold();
  gpu::estimate(*model_->session(), shape, params_, model_->bytes());  // throws where there is no room
  plan_trainer(shape, layout(), params_, regions_);
  regions_.reserve(model_->session());
  plan_ = plan_trainer(shape, layout(), params_, regions_);
  if (plan_.rope) {
    std::vector<float> table(static_cast<size_t>(shape.context) * static_cast<size_t>(shape.head_dim));
    fill_rope_table(table.data(), shape.context, shape.head_dim, shape.rope_theta);
    model_->transfer().upload(plan_.rope, table.data(), bytes_of<float>(static_cast<int64_t>(table.size())));
  }
  if (plan_.gradients) gradients_ = bind(shape, layout(), plan_.gradients);
}

TrainerOnGpu::~TrainerOnGpu() {
  const auto lock = hold();
  abandon(false);  // what is queued works on memory that goes now
  soft_.reset();
  regions_.release();
}

// Waits for what is queued, which may still use pinned memory, and clears the gradients. The error that led here is the one that
// is told.
void TrainerOnGpu::abandon(bool gradients) noexcept {
  const Session& session = *model_->session();
  session.table().wait(session.context());
  if (!gradients) return;
  for (Flight& flight : plan_.flights) flight.rows = 0;
  owed_ = {};
  session.table().clear(session.context(), plan_.gradients, bytes_of<float>(layout().count));
  session.table().wait(session.context());
  targets_ = 0;
}

// Holds the device, packs and sends the batch in the flight that is next, and lets body queue work behind its forward pass.
template <class Body>
void TrainerOnGpu::run(const CallerBatch& caller, bool gradients, const Dropout& drop, Body&& body) {
  const ForgetCancel forget{cancel_};
  const auto lock = hold();
  try {
    const Exec exec{model_->device()->pool, &cancel_};
    exec.poll();
    settle(next_);
    Flight& flight = plan_.flights[next_];
    DeviceBatch batch = pack(caller, gradients, flight.parcel);
    batch.drop = drop;
    flight.parcel.send(queue_);
    const Network net{model_->shape(), queue_, model_->weights(), model_->matrices(), plan_.rope, plan_.keep};
    forward(exec, net, batch, plan_.activations);
    body(exec, net, batch, flight);
  } catch (...) {
    abandon(gradients);
    throw;
  }
}

void TrainerOnGpu::soft_targets(const int32_t* index, const float* weight, int32_t rows) {
  check_soft_table(model_->shape(), index, weight, rows);
  const int64_t n = int64_t{rows} * kSoftTaps;
  const auto lock = hold();
  auto table = std::make_unique<SoftTable>();
  const auto plan = [&] {
    table->index = table->region.take<int32_t>(n);
    table->weight = table->region.take<float>(n);
  };
  plan();
  table->region.reserve(model_->session());
  plan();
  table->rows = rows;
  model_->transfer().upload(table->index, index, bytes_of<int32_t>(n));
  model_->transfer().upload(table->weight, weight, bytes_of<float>(n));
  soft_ = std::move(table);
}

// Packs the batch, and derives from it what the passes need; its pointers are of the device.
DeviceBatch TrainerOnGpu::pack(const CallerBatch& b, bool gradients, Parcel& parcel) const {
  const Shape& shape = model_->shape();
  const auto rows = static_cast<int32_t>(b.count);
  parcel.clear();
  DeviceBatch out = {};
  out.tokens = parcel.put(b.tokens, rows);
  out.targets = parcel.put(b.targets, rows);
  out.soft_row = parcel.put(b.soft_row, rows);
  int32_t* const position = parcel.room(rows);
  fill_positions(b, position);
  out.segments = {parcel.put(b.offsets, b.segments + 1), parcel.there(position), b.segments, rows};
  for (int32_t s = 0; s < b.segments; ++s) out.longest = std::max(out.longest, b.offsets[s + 1] - b.offsets[s]);
  if (soft_) {
    out.soft_index = soft_->index;
    out.soft_weight = soft_->weight;
  }
  const auto index = [&](const int32_t* id, int32_t ids) {
    int32_t* const start = parcel.room(ids + 1);
    int32_t* const order = parcel.room(rows);
    index_rows(id, rows, ids, start, order);
    return RowIndex{parcel.there(start), parcel.there(order), ids};
  };
  if (gradients) {
    out.by_token = index(b.tokens, shape.vocab);
    if (shape.gpt2) out.by_position = index(position, shape.context);
  }
  return out;
}

void TrainerOnGpu::fetch_losses(Flight& flight, int64_t rows) {
  queue_.download(flight.nll, plan_.activations.nll, bytes_of<double>(rows));
}

// Adds the losses of a flight to those that are owed, once they are back.
void TrainerOnGpu::settle(int32_t which) {
  Flight& flight = plan_.flights[which];
  if (flight.rows == 0) return;
  queue_.reach_mark(which);
  deliver(loss_of(flight.targets, flight.nll, flight.rows), nullptr);
  flight.rows = 0;
}

void TrainerOnGpu::accumulate(const CallerBatch& caller, int32_t micro, syn_loss* out) {
  require(plan_.gradients != nullptr, "this trainer was made for inference");
  require(caller.targets != nullptr, "targets is NULL");
  const Dropout drop = dropout_of(model_->shape(), params_.seed, step_, micro);
  check(caller);
  const int64_t targets = count_targets(caller);
  run(caller, true, drop, [&](const Exec& exec, const Network& net, const DeviceBatch& batch, Flight& flight) {
    loss(exec, net, batch, plan_.activations, &gradients_, &plan_.scratch);
    backward(exec, net, batch, plan_.activations, gradients_, plan_.scratch);
    fetch_losses(flight, caller.count);
    if (out) {
      queue_.wait();
      *out = loss_of(targets, flight.nll, caller.count);
      return;
    }
    queue_.set_mark(next_);
    flight.rows = caller.count;
    flight.targets = targets;
    next_ ^= 1;
  });
  targets_ += targets;
}

void TrainerOnGpu::losses(syn_loss& out) {
  const auto lock = hold();
  try {
    for (const int32_t older_first : {next_, next_ ^ 1}) settle(older_first);
  } catch (...) {
    abandon(true);
    throw;
  }
  Trainer::losses(out);
}

// The step of a tensor after the step_-th; the device decides whether it is made.
void TrainerOnGpu::step_tensor(const syn::Tensor& t, double lr) {
  const double decay = t.decay ? params_.weight_decay : 0;
  const auto targets = static_cast<double>(targets_), n = static_cast<double>(step_ + 1);
  const double* const square_sum = &plan_.update->square_sum;
  int32_t* const skipped = &plan_.update->skipped;
  float *const weight = model_->data(), *const gradient = plan_.gradients, *const moment = plan_.moment1;
  if (by_muon(t, params_)) {
    each_hidden(t, [&](const HiddenMatrix& m) {
      muon(queue_, {weight + m.offset, gradient + m.offset, moment + m.offset, m.ld, m.rows, m.columns, lr, kMuonMomentum, decay,
                    square_sum, targets, params_.clip, skipped, plan_.norm_partial, plan_.muon});
    });
    return;
  }
  queue_.adamw({weight + t.offset, gradient + t.offset, moment + t.offset, plan_.moment2 + second_moment_of(t, params_), t.count,
                lr, params_.beta1, params_.beta2, params_.epsilon, decay, 1 - std::pow(params_.beta1, n),
                1 - std::pow(params_.beta2, n), square_sum, targets, params_.clip, skipped});
}

void TrainerOnGpu::apply(double lr, syn_update& out) {
  check_update(plan_.gradients != nullptr, targets_, lr);
  const auto lock = hold();
  const auto targets = static_cast<double>(targets_);
  queue_.clear(plan_.update, bytes_of<UpdateResult>(1));
  queue_.grad_norm({plan_.gradients, layout().count, plan_.norm_partial, &plan_.update->square_sum});
  for (const syn::Tensor& t : layout().tensors) step_tensor(t, lr);
  queue_.download(plan_.update_here, plan_.update, bytes_of<UpdateResult>(1));
  queue_.wait();
  targets_ = 0;
  out = {};
  out.size = sizeof out;
  out.grad_norm = std::sqrt(plan_.update_here->square_sum) / targets;
  out.skipped = plan_.update_here->skipped;
  if (!out.skipped) {
    ++step_;
    model_->changed();
  }
  out.step = step_;
}

void TrainerOnGpu::score(const CallerBatch& caller, double* nll) {
  require(caller.targets != nullptr, "targets is NULL");
  require(nll != nullptr, "nll is NULL");
  check(caller);
  run(caller, false, {}, [&](const Exec& exec, const Network& net, const DeviceBatch& batch, Flight& flight) {
    loss(exec, net, batch, plan_.activations, nullptr, nullptr);
    fetch_losses(flight, caller.count);
    queue_.wait();
    std::memcpy(nll, flight.nll, static_cast<size_t>(bytes_of<double>(caller.count)));
  });
}

void TrainerOnGpu::logits(const CallerBatch& caller, int32_t dtype, void* out) {
  require(out != nullptr, "logits is NULL");
  require(dtype == SYN_F32 || dtype == SYN_F64, "dtype is neither 0 (f32) nor 1 (f64)");
  check(caller);
  const Shape& s = model_->shape();
  const int64_t stride = logit_stride(s.vocab), element = dtype == SYN_F32 ? bytes_of<float>(1) : bytes_of<double>(1);
  run(caller, false, {}, [&](const Exec& exec, const Network& net, const DeviceBatch& batch, const Flight&) {
    for (int32_t begin = 0; begin < batch.segments.rows; begin += kXentRows) {
      exec.poll();
      const int32_t rows = std::min(kXentRows, batch.segments.rows - begin);
      const bf16* x = plan_.activations.normed + int64_t{begin} * s.width;
      queue_.linear_forward(x, net.matrices.head, tensor_of(plan_.activations.logits), stride, rows);
      model_->transfer().read_rows(plan_.activations.logits, stride, s.vocab, rows, dtype,
                                   static_cast<char*>(out) + int64_t{begin} * s.vocab * element);
    }
  });
}

float* TrainerOnGpu::state_at(int32_t state, const syn::Tensor& t) const {
  return state_of(state, t, params_, plan_.moment1, plan_.moment2, plan_.gradients);
}

void TrainerOnGpu::read(int32_t state, int32_t index, int32_t dtype, void* to, int64_t count) const {
  const float* from = state_at(state, tensor_at(layout(), index, count));
  const auto lock = hold();
  const bool divided = state == SYN_STATE_GRADIENT && targets_ > 0;
  model_->transfer().read(from, dtype, to, count, divided ? static_cast<double>(targets_) : 1);
}

void TrainerOnGpu::write(int32_t state, int32_t index, int32_t dtype, const void* from, int64_t count) {
  require(state != SYN_STATE_GRADIENT, "gradients are read only");
  float* to = state_at(state, tensor_at(layout(), index, count));
  const auto lock = hold();
  model_->transfer().write(to, dtype, from, count);
}

void TrainerOnGpu::profile(bool on) {
  if (on) fail(SYN_UNSUPPORTED, "the times of ops are kept on the cpu and ref backends, not on a GPU");
}

}  // namespace syn::gpu
