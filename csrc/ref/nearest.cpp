// Nearest neighbours, the oracle: every distance, kept in order. Determinism: fixed order. Memory traffic: n m d.
#include <limits>
#include <vector>

#include "math/distance.h"
#include "ref/decode.h"

namespace syn::ref {

int64_t nearest_workspace(const NearestArgs&, int) { return 0; }

void nearest(Exec& exec, const NearestArgs& args) {
  std::vector<Neighbour> best(static_cast<size_t>(args.k));
  for (int64_t i = 0; i < args.n; ++i) {
    exec.poll();
    int32_t found = 0;
    for (int64_t j = 0; j < args.m; ++j) {
      if (args.exclude_self && i == j) continue;
      const double d = squared_distance(args.a + i * args.d, args.b + j * args.d, args.d);
      found = insert_neighbour(best.data(), found, args.k, {d, j});
    }
    for (int32_t r = 0; r < args.k; ++r) {
      args.distance[i * args.k + r] = r < found ? static_cast<float>(best[r].distance) : std::numeric_limits<float>::infinity();
      args.index[i * args.k + r] = r < found ? static_cast<int32_t>(best[r].index) : -1;
    }
  }
}

}  // namespace syn::ref
