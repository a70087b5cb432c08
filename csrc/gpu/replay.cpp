// When to record, and what to do where that fails.
#include "gpu/replay.h"

#include <algorithm>

namespace syn::gpu {
namespace {

constexpr int32_t kAlike = 3;  // runs of one size before it is recorded, which takes as long as several

}  // namespace

Replay::~Replay() {
  if (recording_) session_.table().forget(session_.context(), recording_);
}

// Whether there is a recording of this size now. A backend that refuses is not asked again.
bool Replay::record(int32_t size, const std::function<void()>& queue) {
  const Backend& table = session_.table();
  Context* const context = session_.context();
  table.forget(context, recording_);
  recording_ = nullptr;
  recorded_ = 0;
  records_ = table.begin_recording(context) == 0;
  if (!records_) return false;
  try {
    queue();
  } catch (...) {  // what is not the recording's fault comes again without it
    records_ = false;
  }
  records_ = table.end_recording(context, &recording_) == 0 && records_;
  if (records_) recorded_ = size;
  return records_;
}

void Replay::run(int32_t size, const std::function<void()>& queue) {
  alike_ = size == before_ ? std::min(alike_ + 1, kAlike + 1) : 1;
  before_ = size;
  if (recorded_ == size || (records_ && alike_ > kAlike && record(size, queue)))
    session_.check(session_.table().replay(session_.context(), recording_), "replaying recorded work");
  else
    queue();
}

}  // namespace syn::gpu
