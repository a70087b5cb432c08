// The number of live handles of all kinds.
#include "core/handle.h"

#include <atomic>

namespace syn {
namespace {
std::atomic<int64_t> live{0};
}

int64_t live_handles() noexcept { return live.load(); }
void count_handle(int change) noexcept { live.fetch_add(change); }

}  // namespace syn
