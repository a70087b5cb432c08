// The table of a GPU backend: what a plugin gives the core. There are two of them, from the same kernels (csrc/cuda):
//   libsynehrgy_cuda.so      NVIDIA devices
//   libsynehrgy_hostgpu.so   an emulation on the host, for tests and for reading along; slow
// A plugin is opened at run time, so the core needs no CUDA; the model code above the table (csrc/gpu) is the same for both.
//
// Every call that returns int returns 0, or a code that error_text turns into words. Work is queued on the context's stream in
// order; wait() returns when it is done. Memory is of the device unless said otherwise; uploads and downloads of pinned memory
// are queued like kernels, so the memory may be reused only after wait(). A context is used by one thread at a time.
#ifndef SYN_GPU_BACKEND_H
#define SYN_GPU_BACKEND_H

#include "cuda/ops.h"

namespace syn::gpu {

constexpr uint32_t kBackendAbi = 5;  // raised with every change of this table or of cuda/ops.h

struct DeviceInfo {
  char name[128];     // "NVIDIA H100 80GB HBM3"
  char runtime[128];  // driver, runtime and cuBLASLt versions in words
  int64_t memory;     // bytes
  int32_t major, minor;  // compute capability
  int32_t multiprocessors;
};

struct Context;    // a device with its stream, and what products need
struct Recording;  // work to be done again

// C[m,n] (+)= op(A) op(B) + bias, rounded once when C is bf16. With an activation C is bf16 and gets that of the rounded number,
// rounded again: the bits of gelu_forward on what C would be without. All row-major, ld elements from row to row.
struct Product {
  const cuda::bf16* a;  // [m, k]; transposed: [k, m]
  const cuda::bf16* b;  // [k, n]; transposed: [n, k]
  cuda::Tensor c;       // [m, n]
  const float* bias;    // [n] or null
  int64_t lda, ldb, ldc;
  int32_t m, n, k;
  bool a_transposed, b_transposed;
  bool add;  // C += instead of C =; C is float then
  cuda::Activation activation = cuda::Activation::kNone;
};

struct Backend {
  uint32_t size, abi;  // sizeof(Backend), kBackendAbi of the plugin
  const char* name;    // "cuda" or "hostgpu"
  int32_t emulated;    // 1: nothing of it runs on a GPU

  const char* (*error_text)(int code);
  int (*devices)(int32_t* count);  // 0 devices is no error
  int (*describe)(int32_t device, DeviceInfo* out);
  int (*open)(int32_t device, Context** out);
  void (*close)(Context*);
  cuda::Stream (*stream)(Context*);

  int (*allocate)(Context*, int64_t bytes, void** out);  // zeroed; null for 0 bytes
  void (*release)(Context*, void*);
  int (*free_memory)(Context*, int64_t* bytes);  // of the device, as far as the driver knows: others may take it
  int (*allocate_pinned)(Context*, int64_t bytes, void** out);  // of the host, zeroed
  void (*release_pinned)(Context*, void*);
  int (*upload)(Context*, void* to, const void* from, int64_t bytes);
  int (*download)(Context*, void* to, const void* from, int64_t bytes);
  int (*copy)(Context*, void* to, const void* from, int64_t bytes);  // on the device
  int (*clear)(Context*, void* p, int64_t bytes);
  int (*wait)(Context*);

  int (*product)(Context*, const Product&);

  // What is queued between the first two is recorded and not done; a replay queues all of it, with the same sizes on the same
  // memory. Nothing may wait or be allocated in between, and a product must have been computed before, in its sizes. An end with
  // a code leaves null. A recording is forgotten when nothing of it is queued any more.
  int (*begin_recording)(Context*);  // null: this backend does not record
  int (*end_recording)(Context*, Recording** out);
  int (*replay)(Context*, const Recording*);
  void (*forget)(Context*, Recording*);  // null is forgotten without effect

  // cuda/ops.h, in its order
  int (*norm_forward)(cuda::Stream, const cuda::NormForward&);
  int (*norm_backward)(cuda::Stream, const cuda::NormBackward&);
  int (*embedding_backward)(cuda::Stream, const cuda::EmbeddingBackward&);
  int (*gelu_forward)(cuda::Stream, const cuda::GeluForward&);
  int (*gelu_backward)(cuda::Stream, const cuda::GeluBackward&);
  int (*swiglu_forward)(cuda::Stream, const cuda::SwigluForward&);
  int (*swiglu_backward)(cuda::Stream, const cuda::SwigluBackward&);
  int (*bias_backward)(cuda::Stream, const cuda::BiasBackward&);
  int (*rope)(cuda::Stream, const cuda::Rope&);
  int (*attention_forward)(cuda::Stream, const cuda::AttentionForward&);
  int (*attention_backward)(cuda::Stream, const cuda::AttentionBackward&);
  int (*xent)(cuda::Stream, const cuda::Xent&);
  int (*dropout)(cuda::Stream, const DropoutArgs<float>&);
  int (*grad_norm)(cuda::Stream, const GradNormArgs<float>&);
  int (*adamw)(cuda::Stream, const cuda::Adamw&);
  int (*sample)(cuda::Stream, const cuda::Sample&);
  int (*attention_decode)(cuda::Stream, const cuda::AttentionDecode&);
  int (*round)(cuda::Stream, const cuda::Round&);
  int (*nearest)(cuda::Stream, const cuda::Nearest&);
};

// The plugin's one exported symbol; null for an abi that it does not have.
using BackendEntry = const Backend* (*)(uint32_t abi);
constexpr char kBackendSymbol[] = "synehrgy_gpu_backend";

}  // namespace syn::gpu

#endif
