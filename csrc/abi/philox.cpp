// Entry point of the random number generator, so that callers draw from the very streams the core draws from.
#include "math/philox.h"

#include "synehrgy.h"

void syn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) noexcept {
  if (!counter || !key || !out) return;
  const syn::Words x = syn::philox({{counter[0], counter[1], counter[2], counter[3]}}, key[0], key[1]);
  for (int i = 0; i < 4; ++i) out[i] = x.w[i];
}
