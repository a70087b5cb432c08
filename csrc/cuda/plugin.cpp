// A plugin: the table of gpu/backend.h filled with the launchers of cuda/ops.h, and with memory, streams and devices by the names
// of the CUDA runtime. Over cudart this is libsynehrgy_cuda.so, over the emulation (SYN_HOSTGPU) libsynehrgy_hostgpu.so.
//
// Whoever calls may have another device current, as programs with several do: every call takes its own and gives the other back.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>

#include "cuda/product.h"
#include "gpu/backend.h"

#if defined(SYN_HOSTGPU)
#include "tests/gpu/hostgpu/runtime_api.h"
#else
#include <cuda_runtime_api.h>
#endif

namespace syn::gpu {

constexpr int32_t kMarks = 2;

struct Context {
  int32_t device;
  cudaStream_t stream, beside;  // the work; uploads beside it
  cudaEvent_t sent;             // behind the last of those
  cudaEvent_t marks[kMarks];
  Products* products;
};

struct Recording {
  cudaGraphExec_t graph;
};

namespace {

// A code that is handed on is taken from the runtime, which would else give it to a later call as well.
int settled(int code) {
  if (code != 0) static_cast<void>(cudaGetLastError());
  return code;
}

// The device of a scope, or the current one where it is negative.
class OnDevice {
 public:
  explicit OnDevice(int device) : code_(cudaGetDevice(&before_)) {
    if (code_ != 0 || device < 0 || device == before_) return;
    code_ = cudaSetDevice(device);
    moved_ = code_ == 0;
  }
  ~OnDevice() {
    if (moved_) cudaSetDevice(before_);
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  int code() const { return code_; }

 private:
  int before_ = 0;
  int code_;
  bool moved_ = false;
};

// The devices of the streams that contexts have: a launcher is given its stream alone. Read without a lock.
class StreamTable {
 public:
  bool put(cudaStream_t stream, int device) {
    const std::lock_guard<std::mutex> lock(guard_);
    for (Entry& e : entries_) {
      if (e.stream.load(std::memory_order_relaxed)) continue;
      e.device.store(device, std::memory_order_relaxed);
      e.stream.store(stream, std::memory_order_release);
      return true;
    }
    return false;
  }
  void drop(cudaStream_t stream) {
    for (Entry& e : entries_) {
      if (e.stream.load(std::memory_order_relaxed) == stream) e.stream.store(nullptr, std::memory_order_release);
    }
  }
  int device_of(cudaStream_t stream) const {
    for (const Entry& e : entries_) {
      if (stream && e.stream.load(std::memory_order_acquire) == stream) return e.device.load(std::memory_order_relaxed);
    }
    return -1;
  }

 private:
  struct Entry {
    std::atomic<cudaStream_t> stream{nullptr};
    std::atomic<int> device{0};
  };
  std::mutex guard_;
  Entry entries_[64];
};
StreamTable streams;

// ---- devices

#if defined(SYN_HOSTGPU)
void runtime_words(char* words, size_t capacity) { std::snprintf(words, capacity, "an emulation on the processor, for tests"); }
#else
const char* driver_words() {
  static thread_local char words[128];
  int version = 0;
  if (cudaDriverGetVersion(&version) != cudaSuccess || version == 0)
    return "no NVIDIA driver is installed (libcuda.so.1 was not found)";
  std::snprintf(words, sizeof words, "the NVIDIA driver knows CUDA up to %d.%d, this plugin needs CUDA %d", version / 1000,
                version % 1000 / 10, CUDART_VERSION / 1000);
  return words;
}
void runtime_words(char* words, size_t capacity) {
  int driver = 0, runtime = 0;
  char products[64];
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  product_library(products, sizeof products);
  std::snprintf(words, capacity, "driver %d.%d, runtime %d.%d, %s", driver / 1000, driver % 1000 / 10, runtime / 1000,
                runtime % 1000 / 10, products);
}
#endif

const char* error_text(int code) {
  if (code >= kProductError) return product_error_text(code);
#if !defined(SYN_HOSTGPU)
  if (code == cudaErrorInsufficientDriver) return driver_words();
#endif
  return cudaGetErrorString(static_cast<cudaError_t>(code));
}

int devices(int32_t* count) {
  int found = 0;
  const int code = settled(cudaGetDeviceCount(&found));
  *count = code == 0 ? found : 0;
  return code == cudaErrorNoDevice ? 0 : code;
}

int describe(int32_t device, DeviceInfo* out) {
  cudaDeviceProp p;
  const int code = settled(cudaGetDeviceProperties(&p, device));
  if (code != 0) return code;
  *out = {};
  std::snprintf(out->name, sizeof out->name, "%.120s", p.name);
  runtime_words(out->runtime, sizeof out->runtime);
  out->memory = static_cast<int64_t>(p.totalGlobalMem);
  out->major = p.major;
  out->minor = p.minor;
  out->multiprocessors = p.multiProcessorCount;
  return 0;
}

void close_context(Context* c) {
  if (!c) return;
  const OnDevice on(c->device);
  if (c->beside) settled(cudaStreamSynchronize(c->beside));
  if (c->stream) {
    settled(cudaStreamSynchronize(c->stream));
    streams.drop(c->stream);
  }
  close_products(c->products);
  for (cudaEvent_t event : {c->sent, c->marks[0], c->marks[1]}) {
    if (event) settled(cudaEventDestroy(event));
  }
  for (cudaStream_t stream : {c->beside, c->stream}) {
    if (stream) settled(cudaStreamDestroy(stream));
  }
  delete c;
}

int open_context(int32_t device, Context** out) {
  *out = nullptr;
  const OnDevice on(device);
  if (on.code() != 0) return settled(on.code());
  auto* const c = new (std::nothrow) Context{device, nullptr, nullptr, nullptr, {nullptr, nullptr}, nullptr};
  if (!c) return cudaErrorMemoryAllocation;
  int code = 0;
  for (cudaStream_t* stream : {&c->stream, &c->beside}) {
    if (code == 0) code = cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking);
  }
  for (cudaEvent_t* event : {&c->sent, &c->marks[0], &c->marks[1]}) {
    if (code == 0) code = cudaEventCreateWithFlags(event, cudaEventDisableTiming);
  }
  if (code == 0) code = open_products(&c->products);
  if (code == 0 && !streams.put(c->stream, device)) code = cudaErrorInvalidValue;  // too many contexts
  settled(code);
  if (code != 0) {
    close_context(c);
    return code;
  }
  *out = c;
  return 0;
}

cuda::Stream stream_of(Context* c) { return c->stream; }

// ---- memory

int allocate(Context* c, int64_t bytes, void** out) {
  *out = nullptr;
  if (bytes <= 0) return bytes < 0 ? cuda::kInvalid : 0;
  const OnDevice on(c->device);
  void* p = nullptr;
  int code = cudaMalloc(&p, static_cast<size_t>(bytes));
  if (code == 0) {
    code = cudaMemsetAsync(p, 0, static_cast<size_t>(bytes), c->stream);
    if (code != 0) cudaFree(p);
  }
  if (code == 0) *out = p;
  return settled(code);
}
void release(Context* c, void* p) {
  const OnDevice on(c->device);
  settled(cudaFree(p));
}

int free_memory(Context* c, int64_t* bytes) {
  *bytes = 0;
  const OnDevice on(c->device);
  size_t free = 0, total = 0;
  const int code = settled(cudaMemGetInfo(&free, &total));
  if (code == 0) *bytes = static_cast<int64_t>(free);
  return code;
}

int allocate_pinned(Context* c, int64_t bytes, void** out) {
  *out = nullptr;
  if (bytes <= 0) return bytes < 0 ? cuda::kInvalid : 0;
  const OnDevice on(c->device);
  void* p = nullptr;
  const int code = cudaMallocHost(&p, static_cast<size_t>(bytes));
  if (code != 0) return settled(code);
  std::memset(p, 0, static_cast<size_t>(bytes));
  *out = p;
  return 0;
}
void release_pinned(Context* c, void* p) {
  const OnDevice on(c->device);
  if (p) settled(cudaFreeHost(p));
}

int copy_as(Context* c, void* to, const void* from, int64_t bytes, cudaMemcpyKind kind) {
  if (bytes <= 0) return bytes < 0 ? cuda::kInvalid : 0;
  const OnDevice on(c->device);
  return settled(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, c->stream));
}
int upload(Context* c, void* to, const void* from, int64_t bytes) { return copy_as(c, to, from, bytes, cudaMemcpyHostToDevice); }
int download(Context* c, void* to, const void* from, int64_t bytes) {
  return copy_as(c, to, from, bytes, cudaMemcpyDeviceToHost);
}
int copy(Context* c, void* to, const void* from, int64_t bytes) { return copy_as(c, to, from, bytes, cudaMemcpyDeviceToDevice); }
int clear(Context* c, void* p, int64_t bytes) {
  if (bytes <= 0) return bytes < 0 ? cuda::kInvalid : 0;
  const OnDevice on(c->device);
  return settled(cudaMemsetAsync(p, 0, static_cast<size_t>(bytes), c->stream));
}
int wait(Context* c) {
  const OnDevice on(c->device);
  return settled(cudaStreamSynchronize(c->stream));
}

int upload_beside(Context* c, void* to, const void* from, int64_t bytes) {
  if (bytes <= 0) return bytes < 0 ? cuda::kInvalid : 0;
  const OnDevice on(c->device);
  int code = cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, c->beside);
  if (code == 0) code = cudaEventRecord(c->sent, c->beside);
  if (code == 0) code = cudaStreamWaitEvent(c->stream, c->sent, 0);
  return settled(code);
}
int set_mark(Context* c, int32_t mark) {
  if (mark < 0 || mark >= kMarks) return cuda::kInvalid;
  const OnDevice on(c->device);
  return settled(cudaEventRecord(c->marks[mark], c->stream));
}
int reach_mark(Context* c, int32_t mark) {
  if (mark < 0 || mark >= kMarks) return cuda::kInvalid;
  const OnDevice on(c->device);
  return settled(cudaEventSynchronize(c->marks[mark]));
}

// ---- work

bool good(const Product& p) {
  const bool narrow = p.c.precision == Precision::kBf16, active = p.activation != cuda::Activation::kNone;
  return p.k > 0 && p.a && p.b && p.c.data && p.lda >= (p.a_transposed ? p.m : p.k) && p.ldb >= (p.b_transposed ? p.k : p.n) &&
         p.ldc >= p.n && (narrow || p.c.precision == Precision::kFp32) && !(narrow && p.add) &&
         (!active || (narrow && p.activation == cuda::Activation::kGelu)) &&
         !(narrow && (p.bias || active) && (p.ldc != p.n || p.n % 4 != 0));
}

int product(Context* c, const Product& p) {
  if (p.m < 0 || p.n < 0) return cuda::kInvalid;
  if (p.m == 0 || p.n == 0) return 0;
  if (!good(p)) return cuda::kInvalid;
  const OnDevice on(c->device);
  return settled(multiply(*c->products, c->stream, p));
}

// ---- work that is done again: a graph, captured from the stream. Other threads may meanwhile do to the device what they like.

int begin_recording(Context* c) {
  const OnDevice on(c->device);
  return settled(cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal));
}

int end_recording(Context* c, Recording** out) {
  *out = nullptr;
  const OnDevice on(c->device);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  int code = cudaStreamEndCapture(c->stream, &graph);
  if (code == 0) code = cudaGraphInstantiate(&ready, graph, 0);
  if (graph) cudaGraphDestroy(graph);
  if (code != 0) return settled(code);
  *out = new (std::nothrow) Recording{ready};
  if (*out) return 0;
  cudaGraphExecDestroy(ready);
  return settled(cudaErrorMemoryAllocation);
}

int replay(Context* c, const Recording* r) {
  const OnDevice on(c->device);
  return settled(cudaGraphLaunch(r->graph, c->stream));
}

void forget(Context* c, Recording* r) {
  if (!r) return;
  const OnDevice on(c->device);
  settled(cudaGraphExecDestroy(r->graph));
  delete r;
}

// A launcher on the device of its stream.
template <auto kLaunch>
struct On;
template <class Args, int (*kLaunch)(cuda::Stream, const Args&)>
struct On<kLaunch> {
  static int launch(cuda::Stream stream, const Args& args) {
    const OnDevice on(streams.device_of(stream));
    return settled(kLaunch(stream, args));
  }
};

#if defined(SYN_HOSTGPU)
constexpr char kName[] = "hostgpu";
constexpr int32_t kEmulated = 1;
#else
constexpr char kName[] = "cuda";
constexpr int32_t kEmulated = 0;
#endif

const Backend table = {
    sizeof(Backend),
    kBackendAbi,
    kName,
    kEmulated,
    error_text,
    devices,
    describe,
    open_context,
    close_context,
    stream_of,
    allocate,
    release,
    free_memory,
    allocate_pinned,
    release_pinned,
    upload,
    download,
    copy,
    clear,
    wait,
    upload_beside,
    set_mark,
    reach_mark,
    product,
    begin_recording,
    end_recording,
    replay,
    forget,
    On<cuda::norm_forward>::launch,
    On<cuda::norm_backward>::launch,
    On<cuda::embedding_backward>::launch,
    On<cuda::gelu_forward>::launch,
    On<cuda::gelu_backward>::launch,
    On<cuda::swiglu_forward>::launch,
    On<cuda::swiglu_backward>::launch,
    On<cuda::bias_backward>::launch,
    On<cuda::rope>::launch,
    On<cuda::attention_forward>::launch,
    On<cuda::attention_backward>::launch,
    On<cuda::xent>::launch,
    On<cuda::dropout>::launch,
    On<cuda::grad_norm>::launch,
    On<cuda::adamw>::launch,
    On<cuda::muon_momentum>::launch,
    On<cuda::muon_normalise>::launch,
    On<cuda::muon_combine>::launch,
    On<cuda::muon_update>::launch,
    On<cuda::sample>::launch,
    On<cuda::attention_decode>::launch,
    On<cuda::round>::launch,
    On<cuda::nearest>::launch,
};

}  // namespace
}  // namespace syn::gpu

extern "C" __attribute__((visibility("default"))) const syn::gpu::Backend* synehrgy_gpu_backend(uint32_t abi) {
  return abi == syn::gpu::kBackendAbi ? &syn::gpu::table : nullptr;
}
