// Chunks of queries past chunks of references.
#include "gpu/nearest.h"

#include <algorithm>

#include "gpu/queue.h"
#include "gpu/transfer.h"

namespace syn::gpu {
namespace {

constexpr int64_t kFloat = sizeof(float), kIndex = sizeof(int32_t), kBest = sizeof(double);

// How many rows of so many bytes make a chunk.
int64_t rows_of(int64_t rows, int64_t row_bytes, int64_t chunk) {
  return std::min({rows, std::max<int64_t>(1, chunk / row_bytes), int64_t{cuda::kNearestRows}});
}

struct Chunks {
  int64_t stride;          // columns on the device
  int64_t rows_a, rows_b;  // at most so many at a time

  Chunks(const NearestArgs& args, int64_t chunk)
      : stride((int64_t{args.d} + 3) / 4 * 4),
        rows_a(rows_of(args.n, (stride + 1) * kFloat + args.k * (kBest + kFloat + kIndex), chunk)),
        rows_b(rows_of(args.m, (stride + 1) * kFloat, chunk)) {}
};

struct Rows {
  float *a, *b, *square_a, *square_b, *distance;
  double* best;
  int32_t* index;
};

// Called twice, as core/arena.h explains.
Rows lay_out(const Chunks& chunks, int32_t k, Region& region) {
  Rows r;
  r.a = region.take<float>(chunks.rows_a * chunks.stride);
  r.b = region.take<float>(chunks.rows_b * chunks.stride);
  r.square_a = region.take<float>(chunks.rows_a);
  r.square_b = region.take<float>(chunks.rows_b);
  r.best = region.take<double>(chunks.rows_a * k);
  r.distance = region.take<float>(chunks.rows_a * k);
  r.index = region.take<int32_t>(chunks.rows_a * k);
  return r;
}

}  // namespace

void nearest(const std::shared_ptr<const Session>& session, const NearestArgs& args, int64_t chunk) {
  if (args.n == 0) return;
  const Chunks chunks(args, chunk);
  Region region("nearest neighbours on the device");
  lay_out(chunks, args.k, region);
  region.reserve(session);
  const Rows on = lay_out(chunks, args.k, region);
  const Transfer transfer(session);
  const Queue queue(*session);
  cuda::Nearest launch = {};
  launch.a = on.a;
  launch.b = on.b;
  launch.d = static_cast<int32_t>(chunks.stride);
  launch.k = args.k;
  launch.exclude_self = args.exclude_self;
  launch.square_a = on.square_a;
  launch.square_b = on.square_b;
  launch.best = on.best;
  launch.distance = on.distance;
  launch.index = on.index;
  for (int64_t i = 0; i < args.n; i += launch.n) {
    launch.first_a = static_cast<int32_t>(i);
    launch.n = static_cast<int32_t>(std::min(chunks.rows_a, args.n - i));
    transfer.write_rows(on.a, chunks.stride, args.a + i * args.d, args.d, launch.n);
    int64_t j = 0;
    do {  // without rows of b there are neighbours at infinity
      launch.first_b = static_cast<int32_t>(j);
      launch.m = static_cast<int32_t>(std::min(chunks.rows_b, args.m - j));
      if (i == 0 || chunks.rows_b < args.m) transfer.write_rows(on.b, chunks.stride, args.b + j * args.d, args.d, launch.m);
      queue.nearest(launch);
      j += launch.m;
    } while (j < args.m);
    transfer.download(args.distance + i * args.k, on.distance, launch.n * args.k * kFloat);
    transfer.download(args.index + i * args.k, on.index, launch.n * args.k * kIndex);
  }
}

}  // namespace syn::gpu
