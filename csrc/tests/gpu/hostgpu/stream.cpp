// Streams, events and graphs. A stream is a queue of closures that run when somebody synchronises with it, as late as CUDA
// allows; waiting for an event runs the other stream up to where the event was recorded. While a stream is captured its closures
// go to a graph, and launching that queues copies of them.
#include <chrono>
#include <deque>
#include <memory>
#include <set>

#include "runtime.h"

struct CUgraph_st {
  std::vector<std::function<void()>> work;
};
struct CUgraphExec_st : CUgraph_st {};
struct CUstream_st {
  int device;
  uint64_t queued = 0, done = 0;
  std::deque<std::function<void()>> queue;
  CUgraph_st* captured = nullptr;
};
struct CUevent_st {
  bool timed = true;
  cudaStream_t stream = nullptr;
  uint64_t after = 0;
  std::shared_ptr<std::chrono::steady_clock::time_point> passed = nullptr;  // by its stream; the epoch until then
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
      null.emplace_back(new CUstream_st{static_cast<int>(null.size()), 0, 0, {}, nullptr});
      all.insert(null.back().get());
    }
    return *null[device];
  }
};
Streams& streams() {
  static Streams s;
  return s;
}

cudaError_t refuse(cudaError_t code, const char* text) {
  set_error(code, text);
  return code;
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
  if (s.captured) return s.captured->work.push_back(std::move(work));
  s.queue.push_back(std::move(work));
  ++s.queued;
}

}  // namespace hostgpu

using namespace hostgpu;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  const auto mine = turn();
  *s = new CUstream_st{current_device(), 0, 0, {}, nullptr};
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
  if (s.captured) return refuse(cudaErrorStreamCaptureUnsupported, "hostgpu: a wait for a stream that is captured");
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

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned flags) {
  *e = new CUevent_st();
  (*e)->timed = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete e;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream) {
  const auto mine = turn();
  if (e->timed) {
    e->passed = std::make_shared<std::chrono::steady_clock::time_point>();
    enqueue(stream, [passed = e->passed] { *passed = std::chrono::steady_clock::now(); });
  }
  e->stream = &streams().of(stream);
  e->after = e->stream->queued;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  const auto mine = turn();
  if (e->stream) run_until(*e->stream, e->after);
  return cudaGetLastError();
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const auto mine = turn();
  if (!start->passed || !end->passed) return cudaErrorInvalidResourceHandle;
  const std::chrono::steady_clock::time_point never;
  if (*start->passed == never || *end->passed == never) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(*end->passed - *start->passed).count();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t e, unsigned) {
  if (!e->stream) return cudaSuccess;
  enqueue(stream, [on = e->stream, after = e->after] { run_until(*on, after); });
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  const auto mine = turn();
  if (!s || s->captured) return refuse(cudaErrorStreamCaptureUnsupported, "hostgpu: the stream is null or captured already");
  s->captured = new CUgraph_st();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
  const auto mine = turn();
  *graph = s->captured;
  s->captured = nullptr;
  return *graph ? cudaSuccess : refuse(cudaErrorStreamCaptureUnsupported, "hostgpu: end of a capture that was not begun");
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = new CUgraphExec_st{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t s) {
  if (const cudaError_t lost = lost_device()) return lost;
  for (const auto& work : graph->work) enqueue(s, work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
