// One step of Muon over a matrix on a device (ops/muon.h): the kernels of cuda/muon.cu and products.
#ifndef SYN_GPU_MUON_H
#define SYN_GPU_MUON_H

#include "gpu/memory.h"
#include "gpu/queue.h"
#include "model/optimizer.h"

namespace syn::gpu {

// Room for the largest matrix of a layout.
struct MuonScratch {
  float* sum;          // [rows, columns]
  bf16* x;             // [rows, columns]
  bf16* gram;          // [side, side]
  bf16* poly;          // [side, side]
  double* square_sum;  // [1]
};
MuonScratch muon_scratch_of(const Layout& layout, Region& region);

// Rows of weight, gradient and momentum lie ld elements apart. The factor of the gradient, and whether the step is skipped, are
// decided on the device, as for cuda::Adamw.
struct MuonStep {
  float* weight;    // [rows, columns]
  float* gradient;  // [rows, columns], cleared
  float* momentum;  // [rows, columns]
  int64_t ld;
  int32_t rows, columns;
  double lr, mu, decay;
  const double* square_sum;  // [1] of all gradients
  double targets, clip;
  int32_t* skipped;  // [1]
  double* partial;   // [grad_blocks(rows columns)] workspace
  MuonScratch scratch;
};
void muon(const Queue& queue, const MuonStep& step);

}  // namespace syn::gpu

#endif
