// Nearest neighbours of rows of the host (ops/nearest.h), found on a device by cuda/nearest.cu.
//
// Rows go out in chunks of a and of b that fit into a fixed piece of its memory, padded with zeros to a multiple of 4 columns;
// every chunk of a meets every chunk of b, in order. Determinism: the bits of every other backend, whatever the chunks. Bus
// traffic: a once, b once for every chunk of a, 8 bytes back for each neighbour.
#ifndef SYN_GPU_NEAREST_H
#define SYN_GPU_NEAREST_H

#include <memory>

#include "gpu/open.h"
#include "ops/nearest.h"

namespace syn::gpu {

constexpr int64_t kNearestBytes = int64_t{256} << 20;

// args are of the host and need no workspace; d at most Transfer::kPiece; the device is held. chunk: bytes of the device for a
// chunk of a with its neighbours, and as many for one of b; a row is taken at least. Throws SYN_OUT_OF_MEMORY with the bytes.
// Returns when the neighbours are there.
void nearest(const std::shared_ptr<const Session>& session, const NearestArgs& args, int64_t chunk = kNearestBytes);

}  // namespace syn::gpu

#endif
