// Products of a device by cuBLASLt, opened at run time: libcublasLt.so.13 or .12, beside the plugin or where the system finds it.
//
// It knows column-major matrices. A row-major matrix read so is its transpose; what is computed is C' [n, m] = op(B)' op(A)'.
//
// Determinism: the algorithm of a shape is what its heuristic names first, chosen once and kept. Parts of a split k are summed in
// fp32 in the workspace, in a step of their own. Traffic: the operands and the result; a bias takes none but itself. cuBLASLt
// takes a bias in the type of the result alone, and ours is fp32: with a bias and a bf16 result the sums go to fp32 scratch,
// as many rows at a time as fit, and are rounded from there by a launch of its own, which also does the activation. cuBLASLt's
// GELU is no help: it takes the sums before they are rounded, where ops/precision.h rounds the input of an activation.
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "cuda/product.h"

#if defined(SYN_CUBLASLT_HEADER)  // the declarations below are then compared with it
#include <cublasLt.h>
#endif

namespace syn::gpu {
namespace {

// The part of cublasLt.h that is used, the same in versions 12 and 13.
using Object = void*;  // a handle, a layout, a description of an operation, a preference
struct Algorithm {
  uint64_t data[8];
};
struct Choice {
  Algorithm algorithm;
  size_t workspace;
  int32_t status;
  float waves;
  int32_t reserved[4];
};
constexpr int32_t kR32f = 0, kR16bf = 14, kCompute32f = 68, kAsItIs = 0, kTransposed = 1, kNotSupported = 15;
constexpr int32_t kTransposeLeft = 3, kTransposeRight = 4, kEpilogue = 7, kBiasPointer = 8;  // attributes of an operation
constexpr uint32_t kEpilogueBias = 4, kReduceComputeType = 2;
constexpr int32_t kMostWorkspace = 1, kReductions = 3;  // of a preference, as the next
constexpr int32_t kAlignmentLeft = 5, kAlignmentRight = 6, kAlignmentC = 7, kAlignmentD = 8;

#if defined(SYN_CUBLASLT_HEADER)
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t) && sizeof(Choice) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(Choice, workspace) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(Choice, status) == offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(kR32f == CUDA_R_32F && kR16bf == CUDA_R_16BF && kCompute32f == CUBLAS_COMPUTE_32F);
static_assert(kAsItIs == CUBLAS_OP_N && kTransposed == CUBLAS_OP_T && kNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(kTransposeLeft == CUBLASLT_MATMUL_DESC_TRANSA && kTransposeRight == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(kEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE && kBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(kEpilogueBias == CUBLASLT_EPILOGUE_BIAS && kReduceComputeType == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
static_assert(kMostWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(kReductions == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(kAlignmentLeft == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(kAlignmentRight == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
#endif

struct Library {
  size_t (*version)() = nullptr;
  const char* (*text)(int status) = nullptr;
  int (*create)(Object*) = nullptr;
  int (*destroy)(Object) = nullptr;
  int (*layout_create)(Object*, int type, uint64_t rows, uint64_t columns, int64_t stride) = nullptr;
  int (*layout_destroy)(Object) = nullptr;
  int (*operation_create)(Object*, int compute, int scale) = nullptr;
  int (*operation_destroy)(Object) = nullptr;
  int (*operation_set)(Object, int attribute, const void*, size_t) = nullptr;
  int (*preference_create)(Object*) = nullptr;
  int (*preference_destroy)(Object) = nullptr;
  int (*preference_set)(Object, int attribute, const void*, size_t) = nullptr;
  int (*heuristic)(Object handle, Object operation, Object left, Object right, Object c, Object d, Object preference, int wanted,
                   Choice*, int* found) = nullptr;
  int (*product)(Object handle, Object operation, const void* alpha, const void* left, Object, const void* right, Object,
                 const void* beta, const void* c, Object, void* d, Object, const Algorithm*, void* workspace, size_t,
                 cudaStream_t) = nullptr;
  std::string absent;  // why it cannot be used; empty when it can
};

constexpr int kAbsent = kProductError + 1000;  // the code of a library that cannot be used; below it lie statuses of cuBLASLt

template <class F>
void find(void* handle, const char* name, F& f, std::string& absent) {
  void* const address = dlsym(handle, name);
  if (!address && absent.empty()) absent = std::string("libcublasLt has no ") + name;
  std::memcpy(&f, &address, sizeof f);
}

void* open_beside_or_anywhere(std::string& tried) {
  Dl_info info;
  std::string folder;
  if (dladdr(reinterpret_cast<const void*>(&open_beside_or_anywhere), &info) && info.dli_fname) folder = info.dli_fname;
  folder.resize(folder.rfind('/') + 1);
  for (const std::string& place : {folder, std::string()}) {
    for (const char* const name : {"libcublasLt.so.13", "libcublasLt.so.12"}) {
      if (void* const handle = dlopen((place + name).c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
    }
  }
  tried = "neither libcublasLt.so.13 nor libcublasLt.so.12 can be opened, in " + folder + " or by the system";
  return nullptr;
}

Library open_library() {
  Library x;
  void* const handle = open_beside_or_anywhere(x.absent);
  if (!handle) return x;
  find(handle, "cublasLtGetVersion", x.version, x.absent);
  find(handle, "cublasLtGetStatusString", x.text, x.absent);
  find(handle, "cublasLtCreate", x.create, x.absent);
  find(handle, "cublasLtDestroy", x.destroy, x.absent);
  find(handle, "cublasLtMatrixLayoutCreate", x.layout_create, x.absent);
  find(handle, "cublasLtMatrixLayoutDestroy", x.layout_destroy, x.absent);
  find(handle, "cublasLtMatmulDescCreate", x.operation_create, x.absent);
  find(handle, "cublasLtMatmulDescDestroy", x.operation_destroy, x.absent);
  find(handle, "cublasLtMatmulDescSetAttribute", x.operation_set, x.absent);
  find(handle, "cublasLtMatmulPreferenceCreate", x.preference_create, x.absent);
  find(handle, "cublasLtMatmulPreferenceDestroy", x.preference_destroy, x.absent);
  find(handle, "cublasLtMatmulPreferenceSetAttribute", x.preference_set, x.absent);
  find(handle, "cublasLtMatmulAlgoGetHeuristic", x.heuristic, x.absent);
  find(handle, "cublasLtMatmul", x.product, x.absent);
  return x;
}

// Opened once a process and never closed.
const Library& library() {
  static const Library opened = open_library();
  return opened;
}

int code_of(int status) { return status == 0 ? 0 : kProductError + status; }

// What is kept of a shape.
struct Plan {
  Object operation = nullptr, left = nullptr, right = nullptr, c = nullptr;
  Algorithm algorithm = {};

  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    for (const Object layout : {left, right, c}) {
      if (layout) library().layout_destroy(layout);
    }
    if (operation) library().operation_destroy(operation);
  }
};

using Shape = std::array<int64_t, 8>;

constexpr size_t kWorkspace = size_t{32} << 20;  // bytes
constexpr int64_t kScratch = int64_t{16} << 20;  // floats
constexpr int64_t kScratchRows = 8;              // a multiple of them goes there at a time

}  // namespace

struct Products {
  Object handle = nullptr;
  void* workspace = nullptr;
  float* scratch = nullptr;
  std::map<Shape, Plan> plans;
};

namespace {

// The alignment of an address in bytes, as far as it can matter.
uint32_t alignment_of(const void* p) {
  const auto low = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(p) & 15);
  return low == 0 ? 16 : low & (~low + 1);
}

Shape shape_of(const Product& p) {
  const bool narrow = p.c.precision == Precision::kBf16;
  const int64_t flags = p.a_transposed | p.b_transposed << 1 | narrow << 2 | (p.bias != nullptr) << 3 | p.add << 4;
  const int64_t alignment = alignment_of(p.a) | alignment_of(p.b) << 8 | alignment_of(p.c.data) << 16 |
                            static_cast<uint32_t>(p.bias ? alignment_of(p.bias) : 0) << 24;
  return {p.m, p.n, p.k, p.lda, p.ldb, p.ldc, flags, alignment};
}

// Layouts and operation of a product, read as column-major.
int describe(const Product& p, Plan& plan) {
  const Library& x = library();
  const auto m = static_cast<uint64_t>(p.m), n = static_cast<uint64_t>(p.n), k = static_cast<uint64_t>(p.k);
  const int32_t left = p.b_transposed ? kTransposed : kAsItIs, right = p.a_transposed ? kTransposed : kAsItIs;
  const uint32_t epilogue = kEpilogueBias;
  int status = x.layout_create(&plan.left, kR16bf, p.b_transposed ? k : n, p.b_transposed ? n : k, p.ldb);
  if (!status) status = x.layout_create(&plan.right, kR16bf, p.a_transposed ? m : k, p.a_transposed ? k : m, p.lda);
  if (!status) status = x.layout_create(&plan.c, p.c.precision == Precision::kBf16 ? kR16bf : kR32f, n, m, p.ldc);
  if (!status) status = x.operation_create(&plan.operation, kCompute32f, kR32f);
  if (!status) status = x.operation_set(plan.operation, kTransposeLeft, &left, sizeof left);
  if (!status) status = x.operation_set(plan.operation, kTransposeRight, &right, sizeof right);
  if (!status && p.bias) status = x.operation_set(plan.operation, kEpilogue, &epilogue, sizeof epilogue);
  if (!status && p.bias) status = x.operation_set(plan.operation, kBiasPointer, &p.bias, sizeof p.bias);
  return code_of(status);
}

int choose(const Products& s, const Product& p, Plan& plan) {
  const Library& x = library();
  const uint32_t reductions = kReduceComputeType;
  const std::pair<int32_t, uint32_t> alignments[] = {{kAlignmentLeft, alignment_of(p.b)},
                                                     {kAlignmentRight, alignment_of(p.a)},
                                                     {kAlignmentC, alignment_of(p.c.data)},
                                                     {kAlignmentD, alignment_of(p.c.data)}};
  Object preference = nullptr;
  int status = x.preference_create(&preference);
  if (!status) status = x.preference_set(preference, kMostWorkspace, &kWorkspace, sizeof kWorkspace);
  if (!status) status = x.preference_set(preference, kReductions, &reductions, sizeof reductions);
  for (const auto& [attribute, bytes] : alignments) {
    if (!status) status = x.preference_set(preference, attribute, &bytes, sizeof bytes);
  }
  Choice choice = {};
  int found = 0;
  if (!status)
    status = x.heuristic(s.handle, plan.operation, plan.left, plan.right, plan.c, plan.c, preference, 1, &choice, &found);
  if (!status) status = found == 0 ? kNotSupported : choice.status;
  if (preference) x.preference_destroy(preference);
  plan.algorithm = choice.algorithm;
  return code_of(status);
}

int run(Products& s, cuda::Stream stream, const Product& p) {
  const Library& x = library();
  const auto [at, fresh] = s.plans.try_emplace(shape_of(p));
  Plan& plan = at->second;
  if (fresh) {
    int code = describe(p, plan);
    if (code == 0) code = choose(s, p, plan);
    if (code != 0) {
      s.plans.erase(at);
      return code;
    }
  }
  int status = p.bias ? x.operation_set(plan.operation, kBiasPointer, &p.bias, sizeof p.bias) : 0;
  const float one = 1, beta = p.add ? 1.0f : 0.0f;
  if (!status)
    status = x.product(s.handle, plan.operation, &one, p.b, plan.left, p.a, plan.right, &beta, p.c.data, plan.c, p.c.data, plan.c,
                       &plan.algorithm, s.workspace, kWorkspace, stream);
  return code_of(status);
}

// A bf16 result with a bias or an activation: sums in fp32, then the rounding.
int run_by_rows(Products& s, cuda::Stream stream, const Product& p) {
  const int64_t fit = kScratch / p.n;
  if (fit < kScratchRows) return cuda::kInvalid;
  const auto rows = static_cast<int32_t>(std::min<int64_t>(p.m, fit / kScratchRows * kScratchRows));
  for (int64_t first = 0; first < p.m; first += rows) {
    Product part = p;
    part.m = static_cast<int32_t>(std::min<int64_t>(rows, p.m - first));
    part.a += p.a_transposed ? first : first * p.lda;
    part.c = {s.scratch, Precision::kFp32};
    if (const int code = run(s, stream, part)) return code;
    const cuda::Round rounded{s.scratch, static_cast<cuda::bf16*>(p.c.data) + first * p.n, int64_t{part.m} * p.n, p.activation};
    if (const int code = cuda::round(stream, rounded)) return code;
  }
  return 0;
}

}  // namespace

int open_products(Products** out) {
  if (!library().absent.empty()) return kAbsent;
  auto* const s = new Products();
  int code = code_of(library().create(&s->handle));
  if (code == 0) code = cudaMalloc(&s->workspace, kWorkspace);
  if (code == 0) code = cudaMalloc(reinterpret_cast<void**>(&s->scratch), kScratch * sizeof(float));
  if (code != 0) {
    close_products(s);
    return code;
  }
  *out = s;
  return 0;
}

void close_products(Products* s) {
  if (!s) return;
  s->plans.clear();
  if (s->handle) library().destroy(s->handle);
  cudaFree(s->workspace);
  cudaFree(s->scratch);
  delete s;
}

int multiply(Products& s, cuda::Stream stream, const Product& p) {
  const bool finished = p.bias || p.activation != cuda::Activation::kNone;
  return finished && p.c.precision == Precision::kBf16 ? run_by_rows(s, stream, p) : run(s, stream, p);
}

const char* product_error_text(int code) {
  const Library& x = library();
  return !x.absent.empty() ? x.absent.c_str() : x.text(code - kProductError);
}

void product_library(char* words, size_t capacity) {
  const Library& x = library();
  if (!x.absent.empty()) {
    std::snprintf(words, capacity, "no cuBLASLt");
    return;
  }
  const size_t v = x.version();
  std::snprintf(words, capacity, "cuBLASLt %zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
}

}  // namespace syn::gpu
