// The thread pool's protocol. The owner writes the job while it is closed and nobody has joined, opens it by one store, works
// along, closes it, and waits for those who joined. A worker joins by compare-and-swap on the very word it read, so it either
// joins the open job whose fields it will read, or none.
#include "core/pool.h"

#include <immintrin.h>

namespace syn {
namespace {
constexpr int kSpins = 2000;  // pauses before sleeping: some 50 microseconds, longer than the gap between two ops of a step
}

Pool::Pool(int threads) : shares_(static_cast<size_t>(threads)) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker(i); });
}

Pool::~Pool() {
  stop_.store(true);
  { std::lock_guard<std::mutex> lock(mutex_); }
  wake_.notify_all();
  for (std::thread& t : workers_) t.join();
}

void Pool::work(int thread) {
  const size_t shares = shares_.size();
  for (size_t i = 0; i < shares; ++i) {
    Share& share = shares_[(static_cast<size_t>(thread) + i) % shares];
    // A share that is used up is only read: many threads may look at it at once.
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      const int64_t tile = share.next.fetch_add(1, std::memory_order_relaxed);
      if (tile < share.end) body_(context_, tile, thread);
    }
  }
}

void Pool::run(int64_t tiles, Body body, void* context) {
  if (workers_.empty() || tiles <= 1) {
    for (int64_t tile = 0; tile < tiles; ++tile) body(context, tile, 0);
    return;
  }
  body_ = body;
  context_ = context;
  const auto shares = static_cast<int64_t>(shares_.size());
  for (int64_t i = 0; i < shares; ++i) {
    shares_[static_cast<size_t>(i)].next.store(tiles * i / shares, std::memory_order_relaxed);
    shares_[static_cast<size_t>(i)].end = tiles * (i + 1) / shares;
  }
  const uint64_t generation = (state_.load(std::memory_order_relaxed) & ~(kOpen | kJoined)) + kGeneration;
  state_.store(generation | kOpen);
  if (sleeping_.load() > 0) {
    {
      std::lock_guard<std::mutex> lock(mutex_);  // a worker between its check and its sleep holds the mutex
    }
    wake_.notify_all();
  }
  work(0);
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int spins = 0; (state_.load(std::memory_order_acquire) & kJoined) != 0; ++spins) {
    if (spins < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void Pool::worker(int thread) {
  uint64_t done = 0;  // generation of the last job joined
  const auto joinable = [&](uint64_t s) { return (s & kOpen) && (s & ~(kOpen | kJoined)) != done; };
  for (int spins = 0; !stop_.load();) {
    uint64_t s = state_.load();
    if (joinable(s)) {
      if (!state_.compare_exchange_strong(s, s + 1)) continue;
      done = s & ~(kOpen | kJoined);
      work(thread);
      state_.fetch_sub(1, std::memory_order_release);
      spins = 0;
    } else if (++spins < kSpins) {
      _mm_pause();
    } else {
      std::unique_lock<std::mutex> lock(mutex_);
      sleeping_.fetch_add(1);
      wake_.wait(lock, [&] { return stop_.load() || joinable(state_.load()); });
      sleeping_.fetch_sub(1);
      spins = 0;
    }
  }
}

}  // namespace syn
