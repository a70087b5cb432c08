// Copies between the device and memory of a caller, in pieces through pinned memory. Each returns when it is done, and is made
// with the device held.
#ifndef SYN_GPU_TRANSFER_H
#define SYN_GPU_TRANSFER_H

#include "gpu/memory.h"

namespace syn::gpu {

class Transfer {
 public:
  static constexpr int64_t kPiece = int64_t{1} << 20;  // floats; no row of logits is longer

  explicit Transfer(std::shared_ptr<const Session> session);

  // Of numbers that are float there and of dtype SYN_F32 or SYN_F64 here, divided by divisor on the way out.
  void read(const float* from, int32_t dtype, void* to, int64_t count, double divisor = 1) const;
  void write(float* to, int32_t dtype, const void* from, int64_t count) const;

  // The first width of each of rows rows, stride apart there and end to end here; stride at most kPiece.
  void read_rows(const float* from, int64_t stride, int64_t width, int64_t rows, int32_t dtype, void* to) const;

  // Rows of width floats, end to end here, stride apart there with zeros between; stride at most kPiece.
  void write_rows(float* to, int64_t stride, const float* from, int64_t width, int64_t rows) const;

  // Bytes as they are.
  void upload(void* to, const void* from, int64_t bytes) const;
  void download(void* to, const void* from, int64_t bytes) const;

  void release() { pinned_.release(); }

 private:
  void fetch(const void* from, int64_t bytes) const;
  void send(void* to, int64_t bytes) const;

  std::shared_ptr<const Session> session_;
  Pinned pinned_{"the copies to and from the device"};
  float* piece_;  // [kPiece]
};

}  // namespace syn::gpu

#endif
