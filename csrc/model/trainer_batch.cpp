// Checking a caller's batch.
#include "core/status.h"
#include "model/trainer.h"

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

}  // namespace syn
