// Streams and events. A stream is a queue of closures that run when somebody synchronises with it, as late as CUDA allows;
// waiting for an event runs the other stream up to where the event was recorded.
#include <deque>
#include <memory>
#include <set>

#include "runtime.h"

struct CUstream_st {
  int device;
  uint64_t queued = 0, done = 0;
  std::deque<std::function<void()>> queue;
};
struct CUevent_st {
  cudaStream_t stream = nullptr;
  uint64_t after = 0;
};

namespace hostgpu {

void open_memory(int device);

namespace {

// The streams of the process; those that stand for null, one a device, among them.
struct Streams {
  std::set<CUstream_st*> all;
  std::vector<std::unique_ptr<CUstream_st>> null;

  CUstream_st& of(cudaStream_t s) {
    if (s) return *s;
    const size_t device = static_cast<size_t>(current_device());
    while (null.size() <= device) {
      null.emplace_back(new CUstream_st{static_cast<int>(null.size()), 0, 0, {}});
      all.insert(null.back().get());
    }
    return *null[device];
  }
};
Streams& streams() {
  static Streams s;
  return s;
}

void run_until(CUstream_st& s, uint64_t count) {
  while (s.done < count) {
    const std::function<void()> work = std::move(s.queue.front());
    s.queue.pop_front();
    ++s.done;
    open_memory(s.device);
    work();
    open_memory(-1);
  }
}

}  // namespace

std::unique_lock<std::recursive_mutex> turn() {
  static std::recursive_mutex m;
  return std::unique_lock<std::recursive_mutex>(m);
}

void enqueue(cudaStream_t stream, std::function<void()> work) {
  const auto mine = turn();
  CUstream_st& s = streams().of(stream);
  s.queue.push_back(std::move(work));
  ++s.queued;
}

}  // namespace hostgpu

using namespace hostgpu;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  const auto mine = turn();
  *s = new CUstream_st{current_device(), 0, 0, {}};
  streams().all.insert(*s);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  const auto mine = turn();
  run_until(*s, s->queued);
  streams().all.erase(s);
  delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const auto mine = turn();
  CUstream_st& s = streams().of(stream);
  run_until(s, s.queued);
  static_cast<void>(lost_device());  // leaves its error
  return cudaGetLastError();
}
cudaError_t cudaDeviceSynchronize() {
  const auto mine = turn();
  for (CUstream_st* s : streams().all)
    if (s->device == current_device()) run_until(*s, s->queued);
  return cudaGetLastError();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
  *e = new CUevent_st();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete e;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream) {
  const auto mine = turn();
  e->stream = &streams().of(stream);
  e->after = e->stream->queued;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  const auto mine = turn();
  if (e->stream) run_until(*e->stream, e->after);
  return cudaGetLastError();
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t e, unsigned) {
  if (!e->stream) return cudaSuccess;
  enqueue(stream, [on = e->stream, after = e->after] { run_until(*on, after); });
  return cudaSuccess;
}
