// Copies in pieces of kPiece floats.
#include "gpu/transfer.h"

#include <algorithm>
#include <cstring>

#include "gpu/queue.h"
#include "model/model.h"

namespace syn::gpu {
namespace {

constexpr int64_t kFloat = sizeof(float);

// Element i of a caller's array.
size_t offset_of(int32_t dtype, int64_t i) {
  return static_cast<size_t>(i) * (dtype == SYN_F64 ? sizeof(double) : sizeof(float));
}
void* at(void* p, int32_t dtype, int64_t i) { return i ? static_cast<char*>(p) + offset_of(dtype, i) : p; }
const void* at(const void* p, int32_t dtype, int64_t i) { return i ? static_cast<const char*>(p) + offset_of(dtype, i) : p; }

}  // namespace

Transfer::Transfer(std::shared_ptr<const Session> session) : session_(std::move(session)) {
  pinned_.take<float>(kPiece);
  pinned_.reserve(session_);
  piece_ = pinned_.take<float>(kPiece);
}

void Transfer::fetch(const void* from, int64_t bytes) const {
  const Queue queue(*session_);
  queue.download(piece_, from, bytes);
  queue.wait();
}

void Transfer::send(void* to, int64_t bytes) const {
  const Queue queue(*session_);
  queue.upload(to, piece_, bytes);
  queue.wait();
}

void Transfer::read(const float* from, int32_t dtype, void* to, int64_t count, double divisor) const {
  for (int64_t i = 0; i < count; i += kPiece) {
    const int64_t n = std::min(kPiece, count - i);
    fetch(from + i, n * kFloat);
    copy_out(piece_, dtype, at(to, dtype, i), n, divisor);
  }
}

void Transfer::write(float* to, int32_t dtype, const void* from, int64_t count) const {
  for (int64_t i = 0; i < count; i += kPiece) {
    const int64_t n = std::min(kPiece, count - i);
    copy_in(piece_, dtype, at(from, dtype, i), n);
    send(to + i, n * kFloat);
  }
}

void Transfer::read_rows(const float* from, int64_t stride, int64_t width, int64_t rows, int32_t dtype, void* to) const {
  const int64_t most = kPiece / stride;
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t n = std::min(most, rows - first);
    fetch(from + first * stride, ((n - 1) * stride + width) * kFloat);
    for (int64_t r = 0; r < n; ++r) copy_out(piece_ + r * stride, dtype, at(to, dtype, (first + r) * width), width);
  }
}

void Transfer::write_rows(float* to, int64_t stride, const float* from, int64_t width, int64_t rows) const {
  const int64_t most = kPiece / stride;
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t n = std::min(most, rows - first);
    for (int64_t r = 0; r < n; ++r) {
      std::copy_n(from + (first + r) * width, width, piece_ + r * stride);
      std::fill_n(piece_ + r * stride + width, stride - width, 0.0f);
    }
    send(to + first * stride, n * stride * kFloat);
  }
}

void Transfer::upload(void* to, const void* from, int64_t bytes) const {
  for (int64_t i = 0; i < bytes; i += kPiece * kFloat) {
    const int64_t n = std::min(kPiece * kFloat, bytes - i);
    std::memcpy(piece_, static_cast<const char*>(from) + i, static_cast<size_t>(n));
    send(static_cast<char*>(to) + i, n);
  }
}

void Transfer::download(void* to, const void* from, int64_t bytes) const {
  for (int64_t i = 0; i < bytes; i += kPiece * kFloat) {
    const int64_t n = std::min(kPiece * kFloat, bytes - i);
    fetch(static_cast<const char*>(from) + i, n);
    std::memcpy(static_cast<char*>(to) + i, piece_, static_cast<size_t>(n));
  }
}

}  // namespace syn::gpu
