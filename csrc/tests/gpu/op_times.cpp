// An op is timed between two events: from the end of what came before to the end of its last kernel, the gaps between its kernels
// included, the launch of the first one not. Before each repetition the operands are put back as they were, and more memory is
// written than any cache holds, so that they come from memory. The first launch of a call is not timed.
#include "tests/gpu/op_times.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>

#include "tests/gpu/cost_cases.h"
#include "tests/gpu/device_buffer.h"

namespace syn::tests {
namespace {

#if defined(SYN_HOSTGPU)
constexpr int64_t kBeyondCaches = int64_t{1} << 16;  // bytes: the emulation has no cache of its own
double reported_bandwidth() { return 0; }
#else
constexpr int64_t kBeyondCaches = int64_t{256} << 20;
// Two transfers a clock of the memory, each as wide as its bus.
double reported_bandwidth() {
  int kilohertz = 0, bits = 0;
  must(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, 0));
  must(cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, 0));
  return 2e3 * kilohertz * bits / 8;
}
#endif

class Event {
 public:
  Event() { must(cudaEventCreateWithFlags(&event_, cudaEventDefault)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }
  void record() { must(cudaEventRecord(event_, nullptr)); }
  double seconds_since(const Event& start) const {
    float milliseconds = 0;
    must(cudaEventSynchronize(event_));
    must(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return milliseconds / 1e3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

class Clock {
 public:
  explicit Clock(int repeats) : repeats_(repeats), flush_(kBeyondCaches) {}

  // Seconds of each repetition, ascending.
  std::vector<double> times_of(const Queue& launch, const Queue& restore) {
    std::vector<double> seconds;
    must(launch());
    for (int i = 0; i < repeats_; ++i) {
      if (restore) must(restore());
      must(cudaMemsetAsync(flush_, i & 1, flush_.bytes(), nullptr));
      start_.record();
      must(launch());
      end_.record();
      seconds.push_back(end_.seconds_since(start_));
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds;
  }

 private:
  int repeats_;
  Buffer<char> flush_;
  Event start_, end_;
};

}  // namespace

bool time_calls(int repeats) {
  printf("bandwidth %.0f\n", reported_bandwidth());
  Clock clock(repeats);
  for (std::string call; std::getline(std::cin, call);) {
    run_case(call, [&](const Queue& launch, const Queue& restore) {
      const std::vector<double> seconds = clock.times_of(launch, restore);
      printf("time %s median=%.4e least=%.4e\n", call.c_str(), seconds[seconds.size() / 2], seconds.front());
    });
    if (testing::UnitTest::GetInstance()->Failed()) return false;
  }
  return true;
}

}  // namespace syn::tests
