// One AdamW step (ops/adamw.h): reads and writes weight, gradient and both moments once, 32 bytes an element.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {
constexpr int64_t kElements = 8192;  // of a task
}

void adamw(Exec& exec, const AdamwArgs<float>& a) {
  const auto f = [](double x) { return all(static_cast<float>(x)); };
  const Vec beta1 = f(a.beta1), rest1 = f(1 - a.beta1), beta2 = f(a.beta2), rest2 = f(1 - a.beta2), scale = f(a.scale);
  const Vec step = f(a.lr / a.correction1), undo = f(1 / a.correction2), epsilon = f(a.epsilon), shrink = f(1 - a.lr * a.decay);
  exec.pool.each((a.count + kElements - 1) / kElements, [&](int64_t task, int) {
    const int64_t begin = task * kElements;
    each_vector(a.count - begin < kElements ? a.count - begin : kElements, [&](int64_t k, auto part) {
      const int64_t i = begin + k;
      const Vec g = load(a.gradient + i, part) * scale;
      const Vec m = fma(beta1, load(a.m + i, part), rest1 * g);
      const Vec v = fma(beta2, load(a.v + i, part), rest2 * g * g);
      const Vec change = step * m / (root(v * undo) + epsilon);
      store(a.weight + i, part, fma(load(a.weight + i, part), shrink, zero() - change));
      store(a.m + i, part, m);
      store(a.v + i, part, v);
      store(a.gradient + i, part, zero());
    });
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
