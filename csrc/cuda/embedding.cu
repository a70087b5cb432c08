// The gradient of an embedding (ops/embedding.h); the embedding itself is part of the first norm (norm.cu).
//
// The rows of an id, in ascending order, are cut into pieces of kEmbeddingPiece rows. First pass: every piece but the first of
// its id is summed into a slot of the workspace; second pass: an id adds its first piece and its slots in order. A piece that
// begins at place p of the sorted order has slot p / kEmbeddingPiece: later pieces of one id begin that far apart, and one of the
// next id begins farther still, so no two share a slot. Traffic: dout once, touched table rows in and out.
#include "cuda/quads.h"

namespace syn::cuda {
namespace {

constexpr int kColumnThreads = 64;  // quads of columns a block takes

__device__ __forceinline__ void add(Quad& sum, const Quad& x) {
#pragma unroll
  for (int e = 0; e < 4; ++e) sum.v[e] += x.v[e];
}

// Sum of the rows at places [begin, end) of the sorted order, in that order.
__device__ __forceinline__ Quad sum_places(const EmbeddingBackward& a, int begin, int end, int q) {
  Quad sum{};
  for (int i = begin; i < end; ++i) add(sum, load_quad(a.dout, int64_t{a.index.order[i]} * (a.width / 4) + q));
  return sum;
}

// The id whose rows hold a place.
__device__ __forceinline__ int id_at(const RowIndex& index, int place) {
  int low = 0, high = index.ids - 1;  // the last id that starts at or before the place
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (index.start[middle] <= place)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

__global__ void __launch_bounds__(kColumnThreads, 1) embedding_backward_pieces(EmbeddingBackward a) {
  const int q = static_cast<int>(blockIdx.y * kColumnThreads + threadIdx.x), quads = a.width / 4;
  const int slot = static_cast<int>(blockIdx.x), place = slot * kEmbeddingPiece;
  if (q >= quads) return;
  const int id = id_at(a.index, place), start = a.index.start[id], end = a.index.start[id + 1];
  const int begin = start + (place - start + kEmbeddingPiece - 1) / kEmbeddingPiece * kEmbeddingPiece;
  if (begin == start || begin >= end) return;  // a first piece, or none
  store_quad(a.partial, int64_t{slot} * quads + q, sum_places(a, begin, min(begin + kEmbeddingPiece, end), q));
}

__global__ void __launch_bounds__(kColumnThreads, 1) embedding_backward_ids(EmbeddingBackward a) {
  const int q = static_cast<int>(blockIdx.y * kColumnThreads + threadIdx.x), quads = a.width / 4,
            id = static_cast<int>(blockIdx.x);
  const int start = a.index.start[id], end = a.index.start[id + 1];
  if (q >= quads || start == end) return;
  const int64_t at = int64_t{id} * quads + q;
  Quad total = load_quad(a.dtable, at);
  add(total, sum_places(a, start, min(start + kEmbeddingPiece, end), q));
  for (int begin = start + kEmbeddingPiece; begin < end; begin += kEmbeddingPiece)
    add(total, load_quad(a.partial, int64_t{begin / kEmbeddingPiece} * quads + q));
  store_quad(a.dtable, at, total);
}

}  // namespace

int embedding_backward(Stream stream, const EmbeddingBackward& a) {
  if (!good_quads(a.rows, a.width) || a.index.ids <= 0) return kInvalid;
  if (a.rows == 0) return 0;
  const unsigned columns = static_cast<unsigned>((a.width / 4 + kColumnThreads - 1) / kColumnThreads);
  const unsigned slots = static_cast<unsigned>((a.rows + kEmbeddingPiece - 1) / kEmbeddingPiece);
  const dim3 block(kColumnThreads);
  int e = 0;
  if (slots > 1) e = GPU_LAUNCH(embedding_backward_pieces, dim3(slots, columns), block, 0, stream, a);
  return e ? e : GPU_LAUNCH(embedding_backward_ids, dim3(static_cast<unsigned>(a.index.ids), columns), block, 0, stream, a);
}

}  // namespace syn::cuda
