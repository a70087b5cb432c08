// Checking a caller's batch and soft table, and what every backend derives from a batch.
#include <cmath>
#include <cstring>

#include "core/status.h"
#include "model/trainer.h"
#include "ops/xent.h"

namespace syn {
namespace {

void check_offsets(const Shape& shape, const CallerBatch& b) {
  if (b.offsets[0] != 0) fail(SYN_INVALID_ARGUMENT, "offsets begin with %d, expected 0", b.offsets[0]);
  for (int32_t s = 0; s < b.segments; ++s) {
    const int64_t length = int64_t{b.offsets[s + 1]} - b.offsets[s];
    if (length <= 0) fail(SYN_INVALID_ARGUMENT, "offsets do not ascend at segment %d", s);
    if (length > shape.context)
      fail(SYN_INVALID_ARGUMENT, "segment %d has %lld tokens, the context is %d", s, static_cast<long long>(length),
           shape.context);
  }
  if (b.offsets[b.segments] != b.count)
    fail(SYN_INVALID_ARGUMENT, "offsets end with %d, the batch has %lld tokens", b.offsets[b.segments],
         static_cast<long long>(b.count));
}

void check_ids(const char* what, const int32_t* ids, int64_t count, int32_t low, int32_t end) {
  for (int64_t i = 0; i < count; ++i)
    if (ids[i] < low || ids[i] >= end)
      fail(SYN_INVALID_ARGUMENT, "%s at position %lld is outside %d to %d", what, static_cast<long long>(i), low, end - 1);
}

}  // namespace

void check_batch(const Shape& shape, const syn_trainer_params& params, int32_t soft_rows, const CallerBatch& b) {
  require(b.tokens != nullptr, "tokens is NULL");
  require(b.offsets != nullptr, "offsets is NULL");
  if (b.count < 1 || b.count > params.max_tokens)
    fail(SYN_INVALID_ARGUMENT, "the batch has %lld tokens, expected 1 to %lld", static_cast<long long>(b.count),
         static_cast<long long>(params.max_tokens));
  if (b.segments < 1 || b.segments > params.max_segments)
    fail(SYN_INVALID_ARGUMENT, "the batch has %d segments, expected 1 to %d", b.segments, params.max_segments);
  check_offsets(shape, b);
  check_ids("the token", b.tokens, b.count, 0, shape.vocab);
  if (b.targets) check_ids("the target", b.targets, b.count, -1, shape.vocab);
  if (b.soft_row) check_ids("soft_row", b.soft_row, b.count, -1, soft_rows);
}

void check_soft_table(const Shape& shape, const int32_t* index, const float* weight, int32_t rows) {
  require(rows >= 0 && (rows == 0 || (index && weight)), "the soft table has a negative number of rows or is NULL");
  const size_t n = static_cast<size_t>(rows) * kSoftTaps;
  for (size_t i = 0; i < n; ++i) {
    if (index[i] < 0 || index[i] >= shape.vocab)
      fail(SYN_INVALID_ARGUMENT, "row %zu of the soft table names a token outside 0 to %d", i / kSoftTaps, shape.vocab - 1);
    if (!(weight[i] >= 0 && weight[i] <= 1))
      fail(SYN_INVALID_ARGUMENT, "row %zu of the soft table has a weight outside 0 to 1", i / kSoftTaps);
  }
  for (size_t i = 0; i < n; i += kSoftTaps) {
    double sum = 0;
    for (size_t k = i; k < i + kSoftTaps; ++k) sum += static_cast<double>(weight[k]);
    if (std::fabs(sum - 1) > 1e-4)
      fail(SYN_INVALID_ARGUMENT, "row %zu of the soft table sums to %g, expected 1", i / kSoftTaps, sum);
  }
}

void fill_positions(const CallerBatch& b, int32_t* position) {
  for (int32_t s = 0; s < b.segments; ++s)
    for (int32_t r = b.offsets[s]; r < b.offsets[s + 1]; ++r) position[r] = r - b.offsets[s];
}

// A counting sort.
RowIndex index_rows(const int32_t* id, int32_t rows, int32_t ids, int32_t* start, int32_t* order) {
  std::memset(start, 0, sizeof(int32_t) * (static_cast<size_t>(ids) + 1));
  for (int32_t r = 0; r < rows; ++r) ++start[id[r] + 1];
  for (int32_t i = 0; i < ids; ++i) start[i + 1] += start[i];
  for (int32_t r = 0; r < rows; ++r) order[start[id[r]]++] = r;
  for (int32_t i = ids; i > 0; --i) start[i] = start[i - 1];
  start[0] = 0;
  return {start, order, ids};
}

Dropout dropout_of(const Shape& shape, uint64_t seed, int64_t step, int32_t micro) {
  if (micro < 0) fail(SYN_INVALID_ARGUMENT, "micro is %d, expected at least 0", micro);
  const double p = static_cast<double>(shape.dropout);
  if (!(p > 0)) return {};
  return {dropout_key(seed, static_cast<uint64_t>(step), static_cast<uint32_t>(micro)), 0, keep_threshold(p), 1 / (1 - p)};
}

int64_t count_targets(const CallerBatch& b) {
  int64_t targets = 0;
  for (int64_t r = 0; r < b.count; ++r) targets += b.targets[r] >= 0 || (b.soft_row && b.soft_row[r] >= 0);
  return targets;
}

syn_loss loss_of(int64_t targets, const double* nll, int64_t rows) {
  syn_loss out = {};
  out.size = sizeof out;
  out.targets = targets;
  for (int64_t r = 0; r < rows; ++r) out.sum += nll[r];
  return out;
}

void Trainer::deliver(const syn_loss& loss, syn_loss* out) {
  if (out) {
    *out = loss;
  } else {
    owed_.targets += loss.targets;
    owed_.sum += loss.sum;
  }
}

void Trainer::losses(syn_loss& out) {
  out = owed_;
  out.size = sizeof out;
  owed_ = {};
}

void Trainer::check_update(bool trains, int64_t targets, double lr) {
  require(trains, "this trainer was made for inference");
  require(targets > 0, "nothing was accumulated since the last update");
  if (!(lr >= 0 && lr < 1e6)) fail(SYN_INVALID_ARGUMENT, "lr is %g, expected at least 0", lr);
}

}  // namespace syn
