// The thread pool and the arena under everything else.
#include "core/pool.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/arena.h"
#include "core/machine.h"
#include "core/status.h"

namespace syn::tests {
namespace {

TEST(Pool, EveryTileIsDoneOnceByAThreadThatExists) {
  for (const int threads : {1, 2, 5}) {
    Pool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int64_t tiles : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(tiles));
      std::atomic<int> strangers{0};
      pool.each(tiles, [&](int64_t tile, int thread) {
        seen[static_cast<size_t>(tile)].fetch_add(1);
        if (thread < 0 || thread >= threads) strangers.fetch_add(1);
      });
      for (const auto& n : seen) EXPECT_EQ(n.load(), 1);
      EXPECT_EQ(strangers.load(), 0);
    }
  }
}

// Plain, unguarded memory is handed from job to job: the pool's own ordering must be enough (a data race would show under tsan).
TEST(Pool, AJobSeesWhatTheJobBeforeItWrote) {
  Pool pool(4);
  std::vector<int64_t> x(64, 0);
  for (int round = 0; round < 3000; ++round)
    pool.each(64, [&](int64_t i, int) { x[static_cast<size_t>(i)] += x[static_cast<size_t>(i)] == round ? 1 : 1000000; });
  EXPECT_EQ(std::accumulate(x.begin(), x.end(), int64_t{0}), 64 * 3000);
}

TEST(Pool, SleepingThreadsWakeForTheNextJob) {
  Pool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than they spin
    std::atomic<int> done{0};
    pool.each(100, [&](int64_t, int) { done.fetch_add(1); });
    EXPECT_EQ(done.load(), 100);
  }
}

// One thread stays in its first tile until all the other tiles are done: its own share must go to the others.
TEST(Pool, AThreadThatIsHeldUpKeepsNoTileOfItsShare) {
  constexpr int64_t kTiles = 100;
  Pool pool(3);
  std::atomic<int64_t> done{0};
  pool.each(kTiles, [&](int64_t, int thread) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (thread == 0 && done.load() < kTiles - 1 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    done.fetch_add(1);
    if (thread == 0) {
      EXPECT_EQ(done.load(), kTiles);
    }
  });
  EXPECT_EQ(done.load(), kTiles);
}

TEST(Pool, PoolsComeAndGo) {
  for (int i = 0; i < 50; ++i) {
    Pool pool(3);
    if (i % 2) pool.each(4, [](int64_t, int) {});
  }
}

TEST(Arena, TheSecondRunIsAlignedZeroedAndHoldsExactlyTheFirst) {
  Arena arena("a test");
  const auto plan = [&] { return std::make_pair(arena.take<float>(3), arena.take<double>(1 << 20)); };
  EXPECT_EQ(plan().first, nullptr);
  const int64_t planned = arena.bytes();
  arena.reserve();
  const auto [a, b] = plan();
  EXPECT_EQ(arena.bytes(), planned);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % Arena::kAlignment, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b) % Arena::kAlignment, 0u);
  for (int64_t i = 0; i < 1 << 20; i += 511) ASSERT_EQ(b[i], 0);
  b[(1 << 20) - 1] = 1;
  EXPECT_THROW(arena.take<float>(1000), Error);
}

TEST(Arena, TooMuchIsAnErrorWithTheBytesWanted) {
  Arena arena("a test");
  arena.take<char>(int64_t{1} << 50);
  try {
    arena.reserve();
    FAIL() << "a petabyte was had";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), SYN_OUT_OF_MEMORY);
    EXPECT_EQ(e.wanted(), int64_t{1} << 50);
  }
  Arena overflow("a test");
  EXPECT_THROW(overflow.take<double>(INT64_MAX / 4), Error);
  EXPECT_THROW(overflow.take<double>(-1), Error);
}

TEST(Machine, ThreadsAreAtLeastOneAndAsTheVariableSays) {
  EXPECT_GE(machine_threads(), 1);
  setenv("SYNEHRGY_THREADS", "7", 1);
  EXPECT_EQ(machine_threads(), 7);
  setenv("SYNEHRGY_THREADS", "many", 1);
  EXPECT_THROW(machine_threads(), Error);
  unsetenv("SYNEHRGY_THREADS");
}

}  // namespace
}  // namespace syn::tests
