// The testers tested: the tensor core's layouts entry by entry from the formulas of the PTX ISA, what must be reported and what
// must not, streams that run late, devices that are apart. The same tests hold for the emulation and for ptxsim.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "tests/gpu/device_buffer.h"
#include "tests/gpu/probes.h"

namespace syn::tests {
namespace {

bool on_ptx() { return getenv("HOSTGPU_PTX") != nullptr; }

// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type": of lane l with group g and thread t in the group,
// a_i lies at (row, column), b_i at (row, column), c_i at (row, column).
struct At {
  int row, column;
};
At a_at(int l, int i) { return {l / 4 + (i % 4 < 2 ? 0 : 8), l % 4 * 2 + i % 2 + (i < 4 ? 0 : 8)}; }
At b_at(int l, int i) { return {l % 4 * 2 + i % 2 + (i < 2 ? 0 : 8), l / 4}; }
At c_at(int l, int i) { return {l / 4 + (i < 2 ? 0 : 8), l % 4 * 2 + i % 2}; }

uint32_t pair(float low, float high) { return to_bf16(low).bits | uint32_t{to_bf16(high).bits} << 16; }

TEST(GpuTesters, mma_has_the_documented_layout) {
  float a[16][16], b[16][8], c[16][8];
  uint32_t x = 1;
  const auto small = [&] { return static_cast<float>(static_cast<int>((x = x * 1664525 + 1013904223) >> 27) - 16); };
  for (auto& row : a)
    for (float& v : row) v = small();
  for (auto& row : b)
    for (float& v : row) v = small();
  for (auto& row : c)
    for (float& v : row) v = small();
  std::vector<uint32_t> ra(32 * 4), rb(32 * 2);
  std::vector<float> rc(32 * 4);
  for (int l = 0; l < 32; ++l) {
    const auto va = [&](int i) { return a[a_at(l, i).row][a_at(l, i).column]; };
    const auto vb = [&](int i) { return b[b_at(l, i).row][b_at(l, i).column]; };
    for (int i = 0; i < 4; ++i) ra[static_cast<size_t>(4 * l + i)] = pair(va(2 * i), va(2 * i + 1));
    for (int i = 0; i < 2; ++i) rb[static_cast<size_t>(2 * l + i)] = pair(vb(2 * i), vb(2 * i + 1));
    for (int i = 0; i < 4; ++i) rc[static_cast<size_t>(4 * l + i)] = c[c_at(l, i).row][c_at(l, i).column];
  }
  Buffer<uint32_t> da(ra), db(rb);
  Buffer<float> dc(rc);
  must(probe_mma(nullptr, da, db, dc));
  const auto& got = dc.download();
  for (int l = 0; l < 32; ++l)
    for (int i = 0; i < 4; ++i) {
      const At at = c_at(l, i);
      float want = c[at.row][at.column];
      for (int k = 0; k < 16; ++k) want += a[at.row][k] * b[k][at.column];
      EXPECT_EQ(got[static_cast<size_t>(4 * l + i)], want) << "lane " << l << " element " << i;
    }
}

TEST(GpuTesters, ldmatrix_has_the_documented_layout) {
  std::vector<uint16_t> tile(32 * 8);
  for (size_t i = 0; i < tile.size(); ++i) tile[i] = static_cast<uint16_t>(i);
  for (const bool transposed : {false, true}) {
    Buffer<uint16_t> from(tile);
    Buffer<uint32_t> to(32 * 4);
    must(probe_ldmatrix(nullptr, from, to, transposed));
    const auto& got = to.download();
    for (int l = 0; l < 32; ++l)
      for (int j = 0; j < 4; ++j)
        for (int half = 0; half < 2; ++half) {
          const int row = transposed ? l % 4 * 2 + half : l / 4, column = transposed ? l / 4 : l % 4 * 2 + half;
          EXPECT_EQ(got[static_cast<size_t>(4 * l + j)] >> (16 * half) & 0xffff,
                    static_cast<uint32_t>((8 * j + row) * 8 + column));
        }
  }
}

TEST(GpuTesters, a_copy_that_is_not_valid_is_zeros) {
  std::vector<uint32_t> words(128);
  for (size_t i = 0; i < words.size(); ++i) words[i] = static_cast<uint32_t>(i + 1);
  Buffer<uint32_t> from(words), to(128);
  must(probe_copy(nullptr, from, to));
  const auto& got = to.download();
  for (size_t i = 0; i < words.size(); ++i) EXPECT_EQ(got[i], i / 4 % 2 ? 0 : words[i]) << i;
}

TEST(GpuTesters, rounding_is_that_of_ops_precision) {
  std::vector<float> x = {0.0f,          -0.0f,      1.0f,      1.00390625f, 1.01171875f,       -3.3895314e38f,
                          3.4028235e38f, INFINITY,   -INFINITY, 0x1p-126f,   -0x1.fffffep-127f, 0x1p-149f,
                          0x1.ffp-1f,    0x1.fep-1f, -127.0f,   -126.0f};
  while (x.size() < 64) x.push_back(x[x.size() - 16] * 1.0703125f);
  Buffer<float> numbers(x), power(64);
  Buffer<uint32_t> packed(32);
  must(probe_rounding(nullptr, numbers, packed, power, 64));
  const auto& got = packed.download();
  const auto& powers = power.download();
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(got[i], pair(x[2 * i], x[2 * i + 1])) << x[2 * i] << " and " << x[2 * i + 1];
  for (size_t i = 0; i < 64; ++i) {
    const double want = std::exp2(static_cast<double>(x[i]));
    if (want < 0x1p-126 || want > 3e38)
      EXPECT_TRUE(powers[i] == 0 || std::isinf(powers[i])) << x[i];
    else
      EXPECT_NEAR(powers[i], want, 4e-7 * want) << x[i];
  }
}

// ---- what must be reported ----------------------------------------------------------------------------------------------------

struct Expectation {
  Fault fault;
  // What each layer says, alternatives between bars; null: it does not see the fault.
  const char *emulation, *asan, *tsan, *ptx;
};

// Whether a text holds one of the alternatives.
[[maybe_unused]] bool says(const std::string& text, const std::string& alternatives) {
  for (size_t at = 0; at <= alternatives.size();) {
    const size_t bar = std::min(alternatives.find('|', at), alternatives.size());
    if (text.find(alternatives.substr(at, bar - at)) != std::string::npos) return true;
    at = bar + 1;
  }
  return false;
}

constexpr const char* kByLuck = "found or not, by what lay there before";

constexpr Expectation kFaults[] = {
    {Fault::kNone, nullptr, nullptr, nullptr, nullptr},
    {Fault::kBlocksShareAWord, nullptr, nullptr, "data race", "race on global memory"},
    {Fault::kNoBarrier, nullptr, nullptr, "data race", "uninitialised shared"},
    {Fault::kAcrossBarriers, nullptr, nullptr, "data race", "race on global memory"},
    {Fault::kNoSyncwarp, nullptr, nullptr, "data race", "race on shared"},
    {Fault::kSharedPastTheTile, nullptr, "heap-buffer-overflow", nullptr, nullptr},
    {Fault::kGlobalPastTheEnd, nullptr, "heap-buffer-overflow|use-after-poison", kByLuck, "outside every allocation"},
    {Fault::kUninitialised, nullptr, nullptr, nullptr, "uninitialised shared"},
    {Fault::kEarlyExit, "threads of the block have exited|exits while", nullptr, nullptr, "barrier"},
    {Fault::kDivergentBarrier, "divergent barrier", nullptr, nullptr, "barrier"},
    {Fault::kDivergentShuffle, "deadlock|divergence|exited", nullptr, nullptr, "shfl"},
    {Fault::kMisaligned, "not 16-byte aligned", nullptr, nullptr, "misaligned"},
    {Fault::kNoWait, nullptr, nullptr, nullptr, "uninitialised shared"},
};

// Runs the probe; the text of the error, if one came back.
std::string run_fault(Fault f) {
  Buffer<float> x(std::vector<float>(512, 1));
  cudaError_t e = probe_fault(nullptr, x, f);
  if (!e) e = cudaDeviceSynchronize();
  return e ? cudaGetErrorString(e) : "";
}

#if defined(__SANITIZE_THREAD__)
constexpr const char* kSanitizer = "tsan";
#elif defined(__SANITIZE_ADDRESS__)
constexpr const char* kSanitizer = "asan";
#else
constexpr const char* kSanitizer = "";
#endif

TEST(GpuTesters, faults_are_reported_by_the_layers_that_can_see_them) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (const Expectation& x : kFaults) {
    SCOPED_TRACE(static_cast<int>(x.fault));
    const char* const sanitizer = on_ptx()                            ? nullptr
                                  : std::string(kSanitizer) == "tsan" ? x.tsan
                                  : std::string(kSanitizer) == "asan" ? x.asan
                                                                      : nullptr;
    if (sanitizer == kByLuck) continue;
    if (sanitizer) {
      EXPECT_DEATH(
          {
            run_fault(x.fault);
            exit(0);
          },
          sanitizer);
      continue;
    }
    const char* const want = on_ptx() ? x.ptx : x.emulation;
    const std::string got = run_fault(x.fault);
    if (want)
      EXPECT_TRUE(says(got, want)) << got;
    else
      EXPECT_EQ(got, "");
  }
}

// The sum that the last of two blocks makes, or what went wrong.
std::string run_count(Counting how) {
  Buffer<float> x(128), sum(1);
  Buffer<uint32_t> count(std::vector<uint32_t>{0});
  cudaError_t e = probe_count(nullptr, x, count, sum, how);
  if (!e) e = cudaDeviceSynchronize();
  if (e) return cudaGetErrorString(e);
  EXPECT_EQ(count.download()[0], 0u);
  return std::to_string(static_cast<int>(sum.download()[0]));
}

// Blocks are ordered by a fence, an atomic, and a fence behind an atomic on the same word, and by nothing less.
TEST(GpuTesters, blocks_that_count_themselves_need_both_fences) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EQ(run_count(Counting::kFenced), "8128");
  for (const Counting how : {Counting::kNoFenceBefore, Counting::kNoFenceBehind}) {
    if (on_ptx()) {
      EXPECT_NE(run_count(how).find("race on global memory between blocks"), std::string::npos);
    } else if (std::string(kSanitizer) == "tsan") {
      EXPECT_DEATH(exit(run_count(how).empty()), "data race");
    } else {
      EXPECT_EQ(run_count(how), "8128") << "the host that runs the blocks orders them";
    }
  }
}

// The ops of a step of decoding are one kernel each; that of the draw is the only one of its file.
TEST(GpuTesters, an_op_of_decoding_is_one_launch) {
  Buffer<float> x(std::vector<float>(256, 1)), norm(std::vector<float>(32, 1)), sum(64), partial(2 * (16 + 2));
  Buffer<bf16> y(64), gate_up(std::vector<bf16>(64, to_bf16(1))), cache(2 * 16 * 16);
  Buffer<int32_t> zeros(std::vector<int32_t>{0, 0});
  Buffer<uint32_t> arrived(std::vector<uint32_t>{0, 0});
  const auto launches = [](int code, int64_t before) {
    EXPECT_EQ(code, 0);
    return hostgpu::launches() - before;
  };
  int64_t before = hostgpu::launches();
  EXPECT_EQ(launches(cuda::norm_forward(
                         nullptr, {x, x + 32, sum, norm, norm, {y, Precision::kBf16}, nullptr, nullptr, 1, 32, 1e-5f, Dropout{}}),
                     before),
            1);
  before = hostgpu::launches();
  EXPECT_EQ(launches(cuda::attention_decode(
                         nullptr, {x, zeros, zeros, cache, 512, 512, 16, 2, 1, 1, 1, 16, 0.25f, nullptr, y, partial, arrived}),
                     before),
            1);
  before = hostgpu::launches();
  EXPECT_EQ(launches(cuda::swiglu_forward(nullptr, {{gate_up, Precision::kBf16}, {y, Precision::kBf16}, 1, 32}), before), 1);
  must(cudaDeviceSynchronize());
}

TEST(GpuTesters, launches_that_cuda_refuses_are_refused) {
  Buffer<float> x(std::vector<float>(512, 1));
  EXPECT_NE(probe_too_many_threads(nullptr, x), 0);
  EXPECT_NE(std::string(cudaGetErrorString(cudaGetLastError())).find("2048 threads"), std::string::npos);
  EXPECT_NE(probe_shared_without_asking(nullptr, x), 0);
  EXPECT_NE(std::string(cudaGetErrorString(cudaGetLastError())).find("cudaFuncSetAttribute"), std::string::npos);
}

TEST(GpuTesters, a_copy_outside_every_allocation_is_refused) {
  Buffer<float> x(4);
  std::vector<float> host(8);
  EXPECT_NE(cudaMemcpy(x, host.data(), 32, cudaMemcpyHostToDevice), 0);
  EXPECT_NE(cudaMemcpy(host.data(), x + 1, 16, cudaMemcpyDeviceToHost), 0);
  cudaGetLastError();
}

// ---- streams and devices ------------------------------------------------------------------------------------------------------

float first_of(const float* device) {
  float x;
  must(cudaMemcpy(&x, device, sizeof x, cudaMemcpyDeviceToHost));
  return x;
}

TEST(GpuTesters, a_stream_that_nobody_waits_for_has_not_run) {
  cudaStream_t s;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  Buffer<float> x(std::vector<float>(32, 5));
  must(probe_add(s, x, 32));
  EXPECT_EQ(first_of(x), 5) << "the null stream does not wait for others";
  must(cudaStreamSynchronize(s));
  EXPECT_EQ(first_of(x), 6);
  must(cudaStreamDestroy(s));
}

TEST(GpuTesters, a_copy_reads_its_source_when_the_stream_runs) {
  cudaStream_t s;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  Buffer<float> x(1);
  float source = 1;
  must(cudaMemcpyAsync(x, &source, 4, cudaMemcpyHostToDevice, s));
  source = 2;  // too early: the copy has not been waited for
  must(cudaStreamSynchronize(s));
  EXPECT_EQ(first_of(x), 2);
  must(cudaStreamDestroy(s));
}

TEST(GpuTesters, an_event_orders_two_streams) {
  cudaStream_t first, second;
  cudaEvent_t done;
  must(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
  must(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
  must(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
  Buffer<float> x(std::vector<float>(32, 5)), y(1);
  must(probe_add(first, x, 32));
  must(cudaEventRecord(done, first));
  must(probe_add(first, x, 32));  // behind the event
  must(cudaStreamWaitEvent(second, done, 0));
  must(cudaMemcpyAsync(y, x, 4, cudaMemcpyDeviceToDevice, second));
  must(cudaStreamSynchronize(second));
  EXPECT_EQ(first_of(y), 6);
  EXPECT_EQ(first_of(x), 6);
  must(cudaStreamSynchronize(first));
  EXPECT_EQ(first_of(x), 7);
  must(cudaEventDestroy(done));
  must(cudaStreamDestroy(first));
  must(cudaStreamDestroy(second));
}

TEST(GpuTesters, an_event_knows_when_its_stream_passed_it) {
  cudaEvent_t start, end, untimed;
  must(cudaEventCreateWithFlags(&start, cudaEventDefault));
  must(cudaEventCreateWithFlags(&end, cudaEventDefault));
  must(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
  Buffer<float> x(std::vector<float>(32, 5));
  must(cudaEventRecord(start, nullptr));
  must(probe_add(nullptr, x, 32));
  must(cudaEventRecord(end, nullptr));
  must(cudaEventRecord(untimed, nullptr));
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  must(cudaEventSynchronize(end));
  must(cudaEventElapsedTime(&milliseconds, start, end));
  EXPECT_GT(milliseconds, 0) << "a kernel lies between them";
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, untimed), cudaErrorInvalidResourceHandle);
  for (const cudaEvent_t e : {start, end, untimed}) must(cudaEventDestroy(e));
}

TEST(GpuTesters, a_captured_stream_runs_when_its_graph_is_launched) {
  cudaStream_t s;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  Buffer<float> x(std::vector<float>(32, 5));
  EXPECT_NE(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeThreadLocal), 0);
  cudaGetLastError();
  must(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
  must(probe_add(s, x, 32));
  EXPECT_NE(cudaStreamSynchronize(s), 0) << "nobody can wait for a stream that is captured";
  cudaGetLastError();
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  must(cudaStreamEndCapture(s, &graph));
  must(cudaGraphInstantiate(&ready, graph, 0));
  must(cudaGraphDestroy(graph));
  must(cudaStreamSynchronize(s));
  EXPECT_EQ(first_of(x), 5);
  must(cudaGraphLaunch(ready, s));
  must(cudaGraphLaunch(ready, s));
  EXPECT_EQ(first_of(x), 5);
  must(cudaStreamSynchronize(s));
  EXPECT_EQ(first_of(x), 7);
  must(cudaGraphExecDestroy(ready));
  must(cudaStreamDestroy(s));
}

TEST(GpuTesters, devices_have_streams_of_their_own) {
  int count = 0;
  must(cudaGetDeviceCount(&count));
  ASSERT_EQ(count, 2);
  EXPECT_NE(cudaSetDevice(2), 0);
  cudaGetLastError();
  must(cudaSetDevice(1));
  {
    Buffer<float> x(std::vector<float>(32, 1));
    must(probe_add(nullptr, x, 32));
    must(cudaSetDevice(0));
    must(cudaDeviceSynchronize());  // of the other device: does not wait for this one
    must(cudaSetDevice(1));
    EXPECT_EQ(first_of(x), 2);
  }
  must(cudaSetDevice(0));
}

#if defined(__SANITIZE_ADDRESS__)
TEST(GpuTesters, a_host_that_reads_device_memory_is_reported) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Buffer<float> x(std::vector<float>(32, 1));
  EXPECT_DEATH(exit(static_cast<int>(*static_cast<volatile float*>(x.get()))), "use-after-poison");
}

TEST(GpuTesters, a_kernel_that_reaches_into_another_device_is_reported) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Buffer<float> x(std::vector<float>(32, 1));
  EXPECT_DEATH(
      {
        cudaSetDevice(1);
        probe_add(nullptr, x, 32);
        cudaDeviceSynchronize();
        exit(0);
      },
      "use-after-poison");
}
#endif

}  // namespace
}  // namespace syn::tests
