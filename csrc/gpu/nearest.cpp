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
  int32_t strands;         // of a launch
  int64_t rows_a, rows_b;  // at most so many at a time

  Chunks(const NearestArgs& args, int64_t chunk)
      : stride((int64_t{args.d} + 3) / 4 * 4),
        strands(cuda::nearest_strands(args.n, args.m)),
        rows_a(rows_of(args.n, (stride + 1) * kFloat + args.k * (strands * (kBest + kIndex) + kFloat + kIndex), chunk)),
        rows_b(rows_of(args.m, (stride + 1) * kFloat, chunk)) {}
};

// Where rows go to, and a launch that is to be told which they are.
struct OnDevice {
  float *a, *b;
  cuda::Nearest launch;
};

// Called twice, as core/arena.h explains.
OnDevice lay_out(const Chunks& chunks, const NearestArgs& args, Region& region) {
  const int64_t entries = chunks.rows_a * args.k;
  OnDevice on = {};
  on.a = region.take<float>(chunks.rows_a * chunks.stride);
  on.b = region.take<float>(chunks.rows_b * chunks.stride);
  cuda::Nearest& l = on.launch;
  l.a = on.a;
  l.b = on.b;
  l.d = static_cast<int32_t>(chunks.stride);
  l.k = args.k;
  l.strands = chunks.strands;
  l.exclude_self = args.exclude_self;
  l.square_a = region.take<float>(chunks.rows_a);
  l.square_b = region.take<float>(chunks.rows_b);
  l.best = region.take<double>(chunks.strands * entries);
  l.row = region.take<int32_t>(chunks.strands * entries);
  l.distance = region.take<float>(entries);
  l.index = region.take<int32_t>(entries);
  return on;
}

}  // namespace

void nearest(const std::shared_ptr<const Session>& session, const NearestArgs& args, int64_t chunk) {
  if (args.n == 0) return;
  const Chunks chunks(args, chunk);
  Region region("nearest neighbours on the device");
  lay_out(chunks, args, region);
  region.reserve(session);
  OnDevice on = lay_out(chunks, args, region);
  cuda::Nearest& launch = on.launch;
  const Transfer transfer(session);
  const Queue queue(*session);
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
    const int64_t entries = int64_t{launch.n} * args.k;
    transfer.download(args.distance + i * args.k, launch.distance, entries * kFloat);
    transfer.download(args.index + i * args.k, launch.index, entries * kIndex);
  }
}

}  // namespace syn::gpu
