// Opening a GPU backend through the real loader: the sentence for every reason why there is no device, and what a device of the
// emulation does.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

#include "core/device.h"
#include "core/status.h"
#include "gpu/open.h"
#include "tests/handles.h"
#include "tests/json.h"
#include "tests/plugins_in.h"

namespace syn::tests {
namespace {

using cuda::bf16;

std::string fake(const char* kind) { return std::string(SYN_FAKE_PLUGINS) + "/" + kind; }

// The sentence with which a device is refused.
std::string refusal(int32_t backend, syn_status expected) {
  syn_device_params params;
  syn_device_params_init(&params);
  params.backend = backend;
  params.threads = 1;
  syn_device* device = nullptr;
  syn_error e = fresh_error();
  EXPECT_EQ(syn_device_create(&params, &device, &e), expected) << e.message;
  EXPECT_EQ(device, nullptr);
  return e.message;
}

Json description() {
  size_t length = 0;
  EXPECT_EQ(syn_describe(nullptr, 0, &length, nullptr), SYN_OK);
  std::string text(length + 1, 0);
  EXPECT_EQ(syn_describe(text.data(), text.size(), &length, nullptr), SYN_OK);
  return JsonReader(text).value();
}

TEST(GpuOpen, without_a_plugin_the_file_is_named) {
  const PluginsIn folder("/nowhere");
  EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_NO_DEVICE), "there is no CUDA plugin: /nowhere/libsynehrgy_cuda.so does not exist");
  EXPECT_EQ(refusal(SYN_BACKEND_HOSTGPU, SYN_NO_DEVICE),
            "there is no hostgpu plugin: /nowhere/libsynehrgy_hostgpu.so does not exist");
}

TEST(GpuOpen, without_a_driver) {
  const PluginsIn folder(fake("no_driver"));
  const char* const sentence = "there is no CUDA device: no NVIDIA driver is installed (libcuda.so.1 was not found)";
  EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_NO_DEVICE), sentence);
  EXPECT_EQ(description().at("cuda").text, sentence);
}

TEST(GpuOpen, a_driver_without_a_device) {
  const PluginsIn folder(fake("no_device"));
  EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_NO_DEVICE), "there is no CUDA device: the driver works and lists none");
}

TEST(GpuOpen, a_device_that_is_too_old_or_cannot_be_opened) {
  {
    const PluginsIn folder(fake("old_device"));
    EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_NO_DEVICE),
              "CUDA device 0 (Fake T4) has compute capability 7.5, expected 8.0; CUDA_VISIBLE_DEVICES takes another");
  }
  {
    const PluginsIn folder(fake("full_device"));
    EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_OUT_OF_MEMORY), "device 0 of cuda cannot be opened: out of memory");
  }
  const PluginsIn folder(fake("busy_device"));
  EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_NO_DEVICE), "device 0 of cuda cannot be opened: all devices are busy");
  EXPECT_EQ(description().at("cuda").text, "Fake T4, compute capability 8.5, 16.0 GiB, fake");
}

TEST(GpuOpen, what_is_no_plugin_of_this_library) {
  const auto said = [](const char* kind) {
    const PluginsIn folder(fake(kind));
    return refusal(SYN_BACKEND_CUDA, SYN_ABI_MISMATCH);
  };
  const auto file = [](const char* kind) { return fake(kind) + "/libsynehrgy_cuda.so"; };
  const std::string size = std::to_string(sizeof(gpu::Backend)), other = std::to_string(sizeof(gpu::Backend) + 8);
  const std::string version = std::to_string(gpu::kBackendAbi);
  EXPECT_EQ(said("no_symbol"), file("no_symbol") + " is no plugin: it has no symbol synehrgy_gpu_backend");
  EXPECT_EQ(said("no_table"), file("no_table") + " has no table of version " + version + "; use the plugin of this library");
  EXPECT_EQ(said("other_size"), file("other_size") + " has a table of version " + version + " and " + other +
                                    " bytes, expected " + version + " and " + size + "; use the plugin of this library");
  const std::string folder = testing::TempDir() + "syn_no_library", text = folder + "/libsynehrgy_cuda.so";
  mkdir(folder.c_str(), 0700);
  ASSERT_TRUE(std::ofstream(text) << "text");
  const PluginsIn there(folder);
  EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_NO_DEVICE).find("the CUDA plugin cannot be opened: " + text), 0u);
}

#if defined(SYN_CUDA_PLUGIN_FOLDER)
TEST(GpuOpen, the_cuda_plugin_is_one_of_this_library) {
  const PluginsIn folder(SYN_CUDA_PLUGIN_FOLDER);
  const gpu::Offer offer = gpu::offer_of(SYN_BACKEND_CUDA);
  if (offer.there) GTEST_SKIP() << "this machine has " << offer.words;
  EXPECT_EQ(offer.words.find("there is no CUDA device: "), 0u) << offer.words;
}
#endif

TEST(GpuOpen, the_folder_of_plugins_is_absolute) {
  const PluginsIn folder("lib");
  EXPECT_EQ(refusal(SYN_BACKEND_CUDA, SYN_INVALID_ARGUMENT), "SYNEHRGY_BACKEND_DIR is \"lib\", expected an absolute path");
}

TEST(GpuOpen, the_emulation_says_what_it_is) {
  const PluginsIn folder(SYN_PLUGIN_FOLDER);
  const Json d = description();
  EXPECT_EQ(d.at("hostgpu").text.find("hostgpu, no GPU, compute capability 8.0, "), 0u) << d.at("hostgpu").text;
  EXPECT_NE(d.at("hostgpu").text.find("an emulation on the processor, for tests"), std::string::npos);
  EXPECT_EQ(d.at("backends").items.back().text, "hostgpu");
  const DeviceHandle device = make_device(SYN_BACKEND_HOSTGPU, 2);
  EXPECT_EQ(syn_device_threads(device.get()), 2);
}

TEST(GpuOpen, neighbours_are_found_on_the_device) {
  const PluginsIn folder(SYN_PLUGIN_FOLDER);
  const DeviceHandle device = make_device(SYN_BACKEND_HOSTGPU);
  const float a[] = {0, 3}, b[] = {1, 5, 2};
  float distance[2];
  int32_t index[2];
  syn_error e = fresh_error();
  must(syn_nearest(device.get(), a, 2, b, 3, 1, 1, 0, distance, index, &e), e);
  EXPECT_EQ(index[0], 0);
  EXPECT_EQ(index[1], 2);
  double seconds, flop;
  EXPECT_EQ(syn_bench(device.get(), SYN_BENCH_GEMM, 8, 8, 8, 0, 1, &seconds, &flop, &e), SYN_UNSUPPORTED);
}

TEST(GpuOpen, a_model_lives_on_the_device_and_reads_as_on_the_cpu) {
  const PluginsIn folder(SYN_PLUGIN_FOLDER);
  const syn_model_config config = small_config(SYN_GPT2, 31, 32, 1, 2, 2, 16, 64, 16, true);
  std::vector<float> weights[2];
  for (const int32_t backend : {SYN_BACKEND_CPU, SYN_BACKEND_HOSTGPU}) {
    const DeviceHandle device = make_device(backend);
    syn_model* made = nullptr;
    syn_error e = fresh_error();
    ASSERT_EQ(syn_model_create(device.get(), &config, 1, &made, &e), SYN_OK) << e.message;
    const ModelHandle model(made);
    auto& read = weights[backend == SYN_BACKEND_HOSTGPU];
    read.resize(32 * 96);  // of the first layer: q, k and v
    ASSERT_EQ(syn_model_read(made, 1, SYN_F32, read.data(), 32 * 96, &e), SYN_OK) << e.message;
  }
  EXPECT_EQ(weights[0], weights[1]);
}

// ---- the table of the emulation

class GpuSession : public testing::Test {
 protected:
  template <class T>
  T* allocate(int64_t count) {
    void* p = nullptr;
    session_->check(table_.allocate(context_, count * static_cast<int64_t>(sizeof(T)), &p), "test");
    return static_cast<T*>(p);
  }
  template <class T>
  T* on_device(const std::vector<T>& x) {
    T* const p = allocate<T>(static_cast<int64_t>(x.size()));
    session_->check(table_.upload(context_, p, x.data(), static_cast<int64_t>(x.size() * sizeof(T))), "test");
    session_->check(table_.wait(context_), "test");
    return p;
  }
  template <class T>
  std::vector<T> download(const T* p, size_t count) {
    std::vector<T> x(count);
    session_->check(table_.download(context_, x.data(), p, static_cast<int64_t>(count * sizeof(T))), "test");
    session_->check(table_.wait(context_), "test");
    return x;
  }

  const PluginsIn folder_{SYN_PLUGIN_FOLDER};
  const std::shared_ptr<gpu::Session> session_ = gpu::open_session(SYN_BACKEND_HOSTGPU);
  const gpu::Backend& table_ = session_->table();
  gpu::Context* const context_ = session_->context();
};

TEST_F(GpuSession, memory_is_zeroed_copied_cleared_and_read_back) {
  EXPECT_STREQ(table_.name, "hostgpu");
  EXPECT_EQ(table_.emulated, 1);
  const std::vector<int32_t> numbers = {1, 2, 3, 4, 5}, zeros(5);
  int32_t *const a = allocate<int32_t>(5), *const b = on_device(numbers);
  EXPECT_EQ(download(a, 5), zeros);
  EXPECT_EQ(table_.copy(context_, a, b + 1, 4 * 4), 0);
  EXPECT_EQ(table_.clear(context_, b, 2 * 4), 0);
  EXPECT_EQ(download(a, 5), (std::vector<int32_t>{2, 3, 4, 5, 0}));
  EXPECT_EQ(download(b, 5), (std::vector<int32_t>{0, 0, 3, 4, 5}));
  int64_t free = 0, less = 0;
  ASSERT_EQ(table_.free_memory(context_, &free), 0);
  char* const large = allocate<char>(1 << 20);
  ASSERT_EQ(table_.free_memory(context_, &less), 0);
  EXPECT_EQ(free - less, 1 << 20);
  table_.release(context_, large);
  void* pinned = nullptr;
  ASSERT_EQ(table_.allocate_pinned(context_, 64, &pinned), 0);
  EXPECT_EQ(static_cast<char*>(pinned)[63], 0);
  void* nothing = pinned;
  EXPECT_EQ(table_.allocate(context_, 0, &nothing), 0);
  EXPECT_EQ(nothing, nullptr);
  table_.release_pinned(context_, pinned);
  table_.release(context_, a);
  table_.release(context_, b);
}

TEST_F(GpuSession, an_error_is_a_sentence_once) {
  int32_t* const a = allocate<int32_t>(5);
  const int code = table_.clear(context_, a, 24);
  ASSERT_NE(code, 0);
  const auto thrown = [&](int what) {
    try {
      session_->check(what, "clearing");
    } catch (const Error& e) {
      return e;
    }
    return Error(SYN_OK, "");
  };
  EXPECT_EQ(thrown(code).code(), SYN_INTERNAL);
  EXPECT_STREQ(thrown(code).what(), "clearing on hostgpu, no GPU: hostgpu: memset of 24 bytes outside every device allocation");
  EXPECT_EQ(table_.wait(context_), 0) << "the error came twice";
  EXPECT_EQ(thrown(gpu::kOutOfMemory).code(), SYN_OUT_OF_MEMORY);
  for (const int lost : {46, 100, 214}) EXPECT_EQ(thrown(lost).code(), SYN_NO_DEVICE) << lost;
  EXPECT_STREQ(thrown(46).what(),
               "hostgpu, no GPU was lost (clearing): an error of the emulation; what was saved before is kept");
  for (const int defect : {1, 700, 719}) EXPECT_EQ(thrown(defect).code(), SYN_INTERNAL) << defect;
  EXPECT_EQ(thrown(0).code(), SYN_OK);
  table_.release(context_, a);
}

bf16 to_bf16(float x) { return {static_cast<uint16_t>(bits_of(round_bf16(x)) >> 16)}; }
float from_bf16(bf16 x) { return float_of(uint32_t{x.bits} << 16); }

// Small multiples of 1/4, so that every order of a sum gives the same number.
std::vector<bf16> quarters(int64_t count, int32_t seed) {
  std::vector<bf16> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(to_bf16(static_cast<float>((i * 7 + seed) % 33 - 16) / 4));
  return out;
}

struct Case {
  int32_t m, n, k;
  bool a_transposed, b_transposed, narrow, bias, add;
};

TEST_F(GpuSession, a_product_is_the_double_loop) {
  std::vector<Case> cases;
  for (int bits = 0; bits < 32; ++bits) {
    const bool narrow = bits & 4, add = bits & 16;
    if (!(narrow && add)) cases.push_back({5, 12, 33, (bits & 1) != 0, (bits & 2) != 0, narrow, (bits & 8) != 0, add});
  }
  cases.push_back({1, 4, 1, false, false, false, true, true});
  for (const Case& c : cases) {
    const int64_t lda = (c.a_transposed ? c.m : c.k) + 3, ldb = (c.b_transposed ? c.k : c.n) + 8, ldc = c.narrow ? c.n : c.n + 4;
    const auto a = quarters(lda * (c.a_transposed ? c.k : c.m), 1), b = quarters(ldb * (c.b_transposed ? c.n : c.k), 2);
    std::vector<float> bias, before(static_cast<size_t>(ldc * c.m), 0.5f);
    for (int32_t j = 0; j < c.n; ++j) bias.push_back(static_cast<float>(j) / 8);
    bf16 *const on_a = on_device(a), *const on_b = on_device(b), *const narrow = on_device(std::vector<bf16>(before.size()));
    float *const on_bias = on_device(bias), *const wide = on_device(before);
    const cuda::Tensor out{c.narrow ? static_cast<void*>(narrow) : wide, c.narrow ? Precision::kBf16 : Precision::kFp32};
    ASSERT_EQ(table_.product(context_, {on_a, on_b, out, c.bias ? on_bias : nullptr, lda, ldb, ldc, c.m, c.n, c.k, c.a_transposed,
                                        c.b_transposed, c.add}),
              0);
    const auto got_wide = download(wide, before.size());
    const auto got_narrow = download(narrow, before.size());
    for (int64_t r = 0; r < c.m; ++r)
      for (int64_t j = 0; j < ldc; ++j) {
        double want = c.add ? 0.5 : 0;
        for (int64_t i = 0; i < c.k && j < c.n; ++i)
          want += static_cast<double>(from_bf16(a[static_cast<size_t>(c.a_transposed ? i * lda + r : r * lda + i)])) *
                  static_cast<double>(from_bf16(b[static_cast<size_t>(c.b_transposed ? j * ldb + i : i * ldb + j)]));
        if (c.bias && j < c.n) want += static_cast<double>(bias[static_cast<size_t>(j)]);
        if (j >= c.n) want = 0.5;  // behind a row nothing is written
        const auto at = static_cast<size_t>(r * ldc + j);
        const double got = static_cast<double>(c.narrow ? from_bf16(got_narrow[at]) : got_wide[at]);
        ASSERT_EQ(got, c.narrow ? round_bf16(want) : want) << r << " " << j << " bits " << &c - cases.data();
      }
    for (void* const p : {static_cast<void*>(on_a), static_cast<void*>(on_b), static_cast<void*>(narrow),
                          static_cast<void*>(on_bias), static_cast<void*>(wide)})
      table_.release(context_, p);
  }
}

// Rounded, GELU, rounded: the bits of a product and then gelu_forward. The emulation adds in one order, whatever follows.
TEST_F(GpuSession, gelu_in_a_product_is_gelu_of_its_rounded_sums) {
  const int32_t m = 5, n = 64, k = 3;
  std::vector<float> bias;
  for (int32_t j = 0; j < n; ++j) bias.push_back(static_cast<float>(j % 7) / 512);
  float* const on_bias = on_device(bias);
  bf16 *const a = on_device(quarters(m * k, 1)), *const b = on_device(quarters(k * n, 2)), *const up = allocate<bf16>(m * n),
              *const want = allocate<bf16>(m * n), *const got = allocate<bf16>(m * n);
  const cuda::Tensor between{up, Precision::kBf16}, apart{want, Precision::kBf16}, fused{got, Precision::kBf16};
  for (const bool with_bias : {true, false}) {
    gpu::Product p{a, b, between, with_bias ? on_bias : nullptr, k, n, n, m, n, k, false, false, false};
    EXPECT_EQ(table_.product(context_, p), 0);
    EXPECT_EQ(table_.gelu_forward(session_->stream(), {between, apart, m * n}), 0);
    p.c = fused;
    p.activation = cuda::Activation::kGelu;
    EXPECT_EQ(table_.product(context_, p), 0);
    const auto x = download(want, m * n), y = download(got, m * n);
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(x[i].bits, y[i].bits) << i;
  }
  table_.release(context_, on_bias);
  for (bf16* const p : {a, b, up, want, got}) table_.release(context_, p);
}

TEST_F(GpuSession, a_product_of_impossible_sizes_is_refused) {
  bf16* const x = allocate<bf16>(64);
  float* const c = allocate<float>(64);
  const gpu::Product fine{x, x, {c, Precision::kFp32}, nullptr, 8, 8, 8, 8, 8, 8, false, false, false};
  const auto refused = [&](auto change) {
    gpu::Product p = fine;
    change(p);
    EXPECT_EQ(table_.product(context_, p), cuda::kInvalid);
  };
  EXPECT_EQ(table_.product(context_, fine), 0);
  refused([](auto& p) { p.k = 0; });
  refused([](auto& p) { p.m = -1; });
  refused([](auto& p) { p.lda = 7; });
  refused([](auto& p) { p.ldb = 7; });
  refused([](auto& p) { p.ldc = 7; });
  refused([](auto& p) { p.a = nullptr; });
  refused([](auto& p) { p.c.precision = Precision::kBf16, p.add = true; });
  refused([](auto& p) { p.activation = cuda::Activation::kGelu; });  // of floats
  refused([](auto& p) { p.activation = static_cast<cuda::Activation>(2), p.c.precision = Precision::kBf16; });
  EXPECT_EQ(table_.wait(context_), 0);
  table_.release(context_, x);
  table_.release(context_, c);
}

// The kernels are in the plugin, and run when somebody waits.
TEST_F(GpuSession, a_kernel_runs_on_the_stream_of_the_context) {
  std::vector<float> numbers;
  for (int i = 0; i < 300; ++i) numbers.push_back(std::sin(static_cast<float>(i)));
  float* const x = on_device(numbers);
  bf16* const y = allocate<bf16>(300);
  ASSERT_EQ(table_.round(session_->stream(), {x, y, 300}), 0);
  const auto got = download(y, 300);
  for (size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(from_bf16(got[i]), round_bf16(numbers[i]));
  EXPECT_EQ(table_.round(session_->stream(), {x, y, 3}), cuda::kInvalid);
  table_.release(context_, x);
  table_.release(context_, y);
}

TEST_F(GpuSession, threads_with_a_device_each_do_not_meet) {
  const auto work = [](int32_t seed, int32_t* wrong) {
    const std::shared_ptr<gpu::Session> own = gpu::open_session(SYN_BACKEND_HOSTGPU);
    const gpu::Backend& t = own->table();
    for (int32_t round = 0; round < 20; ++round) {
      const auto numbers = quarters(64, seed + round);
      std::vector<float> got(64, -1);
      void *a = nullptr, *c = nullptr;
      int code = t.allocate(own->context(), 128, &a) + t.allocate(own->context(), 256, &c);
      code += t.upload(own->context(), a, numbers.data(), 128);
      const auto* const x = static_cast<const bf16*>(a);
      code += t.product(own->context(), {x, x, {c, Precision::kFp32}, nullptr, 1, 64, 64, 1, 64, 1, false, false, false});
      code += t.download(own->context(), got.data(), c, 256) + t.wait(own->context());
      for (size_t i = 0; i < 64; ++i) *wrong += code != 0 || got[i] != from_bf16(numbers[0]) * from_bf16(numbers[i]);
      t.release(own->context(), a);
      t.release(own->context(), c);
    }
  };
  int32_t wrong[3] = {0, 0, 0};
  std::vector<std::thread> threads;
  for (int32_t i = 0; i < 3; ++i) threads.emplace_back(work, 100 * i, wrong + i);
  for (std::thread& t : threads) t.join();
  for (const int32_t w : wrong) EXPECT_EQ(w, 0);
}

}  // namespace
}  // namespace syn::tests
