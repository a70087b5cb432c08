// Threads that stay. Each begins with its own share of a job's tiles, so that ops over the same rows find them in its caches,
// then takes from the shares of the others. Which thread does which tile is chance in the end; what a tile computes is not: a
// caller must make every tile's result independent of the thread and of the number of threads. A thread that the machine has
// put aside never holds up the others: only threads that have joined a job are waited for. Waiting spins briefly, then sleeps,
// so that a shared machine is not burnt by idle threads.
#ifndef SYN_CORE_POOL_H
#define SYN_CORE_POOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace syn {

class Pool {
 public:
  using Body = void (*)(void* context, int64_t tile, int thread);

  explicit Pool(int threads);  // threads >= 1, the calling one included
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // body(context, tile, thread) for every tile in [0, tiles), thread in [0, threads()). Returns when all are done. The body may
  // not throw and may not call run. One run at a time.
  void run(int64_t tiles, Body body, void* context);

  // The same for anything callable as f(tile, thread), without allocation.
  template <class F>
  void each(int64_t tiles, F&& f) {
    run(
        tiles, [](void* context, int64_t tile, int thread) { (*static_cast<F*>(context))(tile, thread); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  // Tiles [next, end) that nobody has taken; on a cache line of its own.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  void work(int thread);
  void worker(int thread);

  // One word: generation of the job (upper half) | open to joiners | number of threads that joined and have not finished.
  static constexpr uint64_t kOpen = uint64_t{1} << 31;
  static constexpr uint64_t kJoined = kOpen - 1;
  static constexpr uint64_t kGeneration = uint64_t{1} << 32;
  std::atomic<uint64_t> state_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stop_{false};
  std::vector<Share> shares_;  // one a thread
  Body body_ = nullptr;
  void* context_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

}  // namespace syn

#endif
