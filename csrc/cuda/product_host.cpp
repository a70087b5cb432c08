// Products of the emulation. An element is one chain of fused multiply-adds over ascending k in fp32, beginning at 0; then comes
// the bias, then C where it is added to, and one rounding where C is bf16; then the activation and another rounding. The work
// waits in its stream, as a kernel does.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "cuda/gelu.h"
#include "cuda/product.h"
#include "tests/gpu/hostgpu/runtime.h"

namespace syn::gpu {

struct Products {};

namespace {

float number(cuda::bf16 x) { return float_of(uint32_t{x.bits} << 16); }

// sum[j] += a[i] b[i, j] for ascending i: [k] times [k, n].
__attribute__((always_inline)) inline void chains(const float* a, const float* b, int32_t k, int32_t n, float* sum) {
  for (int32_t i = 0; i < k; ++i)
    for (int32_t j = 0; j < n; ++j) sum[j] = __builtin_fmaf(a[i], b[int64_t{i} * n + j], sum[j]);
}
// The same bits, by instructions instead of calls.
__attribute__((target("avx2,fma"))) void chains_avx2(const float* a, const float* b, int32_t k, int32_t n, float* sum) {
  chains(a, b, k, n, sum);
}
void chains_plain(const float* a, const float* b, int32_t k, int32_t n, float* sum) { chains(a, b, k, n, sum); }

void store(const Product& p, int64_t at, float x) {
  if (p.c.precision == Precision::kBf16)
    static_cast<cuda::bf16*>(p.c.data)[at] = {static_cast<uint16_t>(::gpu::bf16_bits(x))};
  else
    static_cast<float*>(p.c.data)[at] = p.add ? static_cast<float*>(p.c.data)[at] + x : x;
}

float finished(const Product& p, float sum, int32_t column) {
  const float x = p.bias ? sum + p.bias[column] : sum;
  return p.activation == cuda::Activation::kGelu ? cuda::gelu(round_bf16(x)) : x;
}

void run(const Product& p) {
  static const bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  std::vector<float> b(static_cast<size_t>(int64_t{p.k} * p.n)), a(static_cast<size_t>(p.k)), sum(static_cast<size_t>(p.n));
  for (int64_t i = 0; i < p.k; ++i)
    for (int64_t j = 0; j < p.n; ++j)
      b[static_cast<size_t>(i * p.n + j)] = number(p.b_transposed ? p.b[j * p.ldb + i] : p.b[i * p.ldb + j]);
  for (int64_t r = 0; r < p.m; ++r) {
    for (int64_t i = 0; i < p.k; ++i)
      a[static_cast<size_t>(i)] = number(p.a_transposed ? p.a[i * p.lda + r] : p.a[r * p.lda + i]);
    std::fill(sum.begin(), sum.end(), 0.0f);
    (wide ? chains_avx2 : chains_plain)(a.data(), b.data(), p.k, p.n, sum.data());
    for (int32_t j = 0; j < p.n; ++j) store(p, r * p.ldc + j, finished(p, sum[static_cast<size_t>(j)], j));
  }
}

}  // namespace

int open_products(Products** out) {
  *out = new Products();
  return 0;
}
void close_products(Products* p) { delete p; }

int multiply(Products&, cuda::Stream stream, const Product& p) {
  if (hostgpu::ptx::on()) return kProductError;
  hostgpu::enqueue(stream, [p] { run(p); });
  return 0;
}

const char* product_error_text(int) { return "products of the emulation need its own memory, and HOSTGPU_PTX is set"; }
void product_library(char* words, size_t capacity) { std::snprintf(words, capacity, "products by plain loops"); }

}  // namespace syn::gpu
