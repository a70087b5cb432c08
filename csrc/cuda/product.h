// Matrix products of a context (gpu/backend.h: Product). product_cublaslt.cpp computes them on a device, product_host.cpp in the
// emulation.
#ifndef SYN_CUDA_PRODUCT_H
#define SYN_CUDA_PRODUCT_H

#include <cstddef>

#include "gpu/backend.h"

namespace syn::gpu {

struct Products;  // what they keep between calls

// Codes from here on are words of product_error_text, those below of the CUDA runtime.
constexpr int kProductError = 10000;

// For the current device; null is closed without effect.
int open_products(Products** out);
void close_products(Products*);

// Queues a product whose sizes plugin.cpp has checked; m, n and k are positive.
int multiply(Products&, cuda::Stream, const Product&);

const char* product_error_text(int code);
void product_library(char* words, size_t capacity);  // its name and version, or why it cannot be used

}  // namespace syn::gpu

#endif
