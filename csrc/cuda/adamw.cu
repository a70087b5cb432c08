// AdamW (ops/adamw.h), an element a thread; the factor of the gradient, and whether the step is skipped, are computed by every
// thread from the same sum of squares. Traffic: weight, gradient and both moments in and out.
#include "cuda/clip.h"
#include "cuda/quads.h"

namespace syn::cuda {
namespace {

// The numbers of a step that every element uses.
struct Step {
  float beta1, rest1, beta2, rest2, step, undo, epsilon, shrink;
};

__global__ void __launch_bounds__(kQuadThreads, 1) adamw_elements(Adamw a, Step s) {
  const int64_t i = quad_of_thread();
  const double norm = gradient_norm(a.square_sum, a.targets);
  const bool finite = is_finite(norm);
  if (i == 0 && !finite) *a.skipped = 1;
  if (i >= a.count) return;
  const float scale = gradient_scale(norm, a.targets, a.clip);
  const float g = a.gradient[i] * scale;
  a.gradient[i] = 0;
  if (!finite) return;
  const float m = s.beta1 * a.m[i] + s.rest1 * g, v = s.beta2 * a.v[i] + s.rest2 * g * g;
  a.weight[i] = a.weight[i] * s.shrink - s.step * m / (sqrtf(v * s.undo) + s.epsilon);
  a.m[i] = m;
  a.v[i] = v;
}

}  // namespace

int adamw(Stream stream, const Adamw& a) {
  const int64_t blocks = quad_blocks(a.count);
  if (a.count < 0 || blocks > kMostBlocks) return kInvalid;
  if (a.count == 0) return 0;
  const auto f = [](double x) { return static_cast<float>(x); };
  const Step s{f(a.beta1),           f(1 - a.beta1), f(a.beta2),           f(1 - a.beta2), f(a.lr / a.correction1),
               f(1 / a.correction2), f(a.epsilon),   f(1 - a.lr * a.decay)};
  return GPU_LAUNCH(adamw_elements, dim3(static_cast<unsigned>(blocks)), dim3(kQuadThreads), 0, stream, a, s);
}

}  // namespace syn::cuda
