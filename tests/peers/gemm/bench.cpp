// Matrix products of the reference model by libraries that a program could link, on weights packed once where the library
// offers it: y[m][n] = sum_k x[m][k] w[n][k], fp32, rows contiguous, as `synehrgy bench gemm` times ours.
//
//   bench THREADS REPEATS MxNxK[,MxNxK…] libxsmm
//   bench THREADS REPEATS MxNxK[,MxNxK…] mkl FILE.so
//   bench THREADS REPEATS MxNxK[,MxNxK…] openblas FILE.so      (symbols may have the prefix scipy_; it packs on each call)
//
// On two threads each library is tried both ways, with its own threads (libxsmm has none) and with one product on each half of
// the rows on two threads of ours, which are pinned. Prints one JSON object a shape and way: the best of the repeats, of which
// fewer rows have as many more.
#include <dlfcn.h>
#include <libxsmm.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "gemm: %s\n", why.c_str());
  std::exit(1);
}

struct Aligned {
  explicit Aligned(size_t count) : data(static_cast<float*>(std::aligned_alloc(4096, (count * 4 + 4095) / 4096 * 4096))) {}
  ~Aligned() { std::free(data); }
  float* data;
};

struct Product {
  int m, n, k;
  const float* x;
  float* y;
};

// One library: pack is called once for a w[n][k], run for a product with it.
struct Library {
  virtual ~Library() = default;
  virtual void pack(const float* w, const Product& p) = 0;
  virtual void run(const Product& p) = 0;
  virtual bool has_threads() { return true; }
  virtual void threads(int) {}
};

// Generated kernels on panels of 64 columns, rows in steps of 32.
class Libxsmm : public Library {
 public:
  Libxsmm() { libxsmm_init(); }
  bool has_threads() override { return false; }

  void pack(const float* w, const Product& p) override {
    const int panels = (p.n + kColumns - 1) / kColumns;
    packed_ = std::make_unique<Aligned>(static_cast<size_t>(panels) * kColumns * p.k);
    float* to = packed_->data;
    for (int j = 0; j < panels * kColumns; j += kColumns)
      for (int k = 0; k < p.k; ++k)
        for (int c = j; c < j + kColumns; ++c) *to++ = c < p.n ? w[static_cast<size_t>(c) * p.k + k] : 0;
  }

  void run(const Product& p) override {
    for (int top = 0; top < p.m; top += kBlock) {
      const int end = std::min(p.m, top + kBlock);
      for (int j = 0; j < p.n; j += kColumns)
        for (int i = top; i < end; i += kRows) tile(p, i, j, std::min(kRows, end - i));
    }
  }

 private:
  static constexpr int kColumns = 64, kDepth = 384, kRows = 32, kBlock = 256;

  void tile(const Product& p, int i, int j, int rows) {
    const int columns = std::min(kColumns, p.n - j);
    for (int k = 0; k < p.k; k += kDepth) {
      const int depth = std::min(kDepth, p.k - k), ldb = kColumns, lda = p.k, ldc = p.n, flags = 0;
      const float one = 1, beta = k > 0 ? 1 : 0;
      const libxsmm_smmfunction f = libxsmm_smmdispatch(columns, rows, depth, &ldb, &lda, &ldc, &one, &beta, &flags, nullptr);
      f(packed_->data + static_cast<size_t>(j) * p.k + static_cast<size_t>(k) * kColumns, p.x + static_cast<size_t>(i) * p.k + k,
        p.y + static_cast<size_t>(i) * p.n + j);
    }
  }

  std::unique_ptr<Aligned> packed_;
};

class Loaded : public Library {
 protected:
  explicit Loaded(const char* file) : handle_(dlopen(file, RTLD_NOW | RTLD_GLOBAL)) {
    if (!handle_) fail(dlerror());
  }
  template <class F>
  F symbol(const char* name) {
    for (const char* prefix : {"", "scipy_"})
      if (void* found = dlsym(handle_, (std::string(prefix) + name).c_str())) return reinterpret_cast<F>(found);
    fail(std::string("no symbol ") + name);
  }

 private:
  void* handle_;
};

constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112, kPacked = 151, kMatrixB = 162;

class Mkl : public Loaded {
 public:
  explicit Mkl(const char* file) : Loaded(file) {}
  void threads(int n) override { symbol<void (*)(int)>("MKL_Set_Num_Threads")(n); }

  void pack(const float* w, const Product& p) override {
    const auto size = symbol<size_t (*)(int, int, int, int)>("cblas_sgemm_pack_get_size")(kMatrixB, p.m, p.n, p.k);
    packed_ = std::make_unique<Aligned>(size / 4 + 16);
    using Pack = void (*)(int, int, int, int, int, int, float, const float*, int, float*);
    symbol<Pack>("cblas_sgemm_pack")(kRowMajor, kMatrixB, kTrans, p.m, p.n, p.k, 1, w, p.k, packed_->data);
  }

  void run(const Product& p) override {
    compute_(kRowMajor, kNoTrans, kPacked, p.m, p.n, p.k, p.x, p.k, packed_->data, p.k, 0, p.y, p.n);
  }

 private:
  using Compute = void (*)(int, int, int, int, int, int, const float*, int, const float*, int, float, float*, int);
  Compute compute_ = symbol<Compute>("cblas_sgemm_compute");
  std::unique_ptr<Aligned> packed_;
};

class OpenBlas : public Loaded {
 public:
  explicit OpenBlas(const char* file) : Loaded(file) {}
  void threads(int n) override { symbol<void (*)(int)>("openblas_set_num_threads")(n); }
  void pack(const float* w, const Product&) override { w_ = w; }
  void run(const Product& p) override {
    gemm_(kRowMajor, kNoTrans, kTrans, p.m, p.n, p.k, 1, p.x, p.k, w_, p.k, 0, p.y, p.n);
  }

 private:
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  Gemm gemm_ = symbol<Gemm>("cblas_sgemm");
  const float* w_ = nullptr;
};

// Two pinned threads, the caller and another one that waits spinning: the scheduler may leave both on one core for seconds.
class Pair {
 public:
  Pair() {
    sched_getaffinity(0, sizeof all_, &all_);
    other_ = std::thread([this] { wait(); });
    pin(0);
  }
  ~Pair() {
    stop_ = true;
    other_.join();
    sched_setaffinity(0, sizeof all_, &all_);
  }
  void run(const std::function<void(int)>& f) {
    f_ = &f;
    const int turn = go_ + 1;
    go_.store(turn, std::memory_order_release);
    f(0);
    while (done_.load(std::memory_order_acquire) != turn) {
    }
  }

 private:
  void wait() {
    pin(1);
    for (int seen = 0; !stop_;) {
      const int turn = go_.load(std::memory_order_acquire);
      if (turn == seen) continue;
      (*f_)(1);
      done_.store(seen = turn, std::memory_order_release);
    }
  }
  void pin(int index) {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &all_) && index-- == 0) CPU_SET(cpu, &one);
    if (CPU_COUNT(&one) == 1) sched_setaffinity(0, sizeof one, &one);
  }

  cpu_set_t all_;
  std::atomic<int> go_{0}, done_{0};
  std::atomic<bool> stop_{false};
  const std::function<void(int)>* f_ = nullptr;
  std::thread other_;
};

double seconds_of(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The largest error of some elements, as a part of the sum of the absolute products.
double error_of(const Product& p, const float* w) {
  double worst = 0;
  for (int i = 0; i < 49; ++i) {
    const int row = static_cast<int>(static_cast<int64_t>(i / 7) * (p.m - 1) / 6), column = i % 7 * (p.n - 1) / 6;
    double sum = 0, size = 0;
    for (int k = 0; k < p.k; ++k) {
      const double term = static_cast<double>(p.x[static_cast<size_t>(row) * p.k + k]) * w[static_cast<size_t>(column) * p.k + k];
      sum += term;
      size += std::fabs(term);
    }
    worst = std::max(worst, std::fabs(sum - p.y[static_cast<size_t>(row) * p.n + column]) / size);
  }
  return worst;
}

void numbers(Aligned& to, size_t count) {
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    to.data[i] = static_cast<float>(static_cast<int32_t>(state >> 8) - (1 << 23)) / static_cast<float>(1 << 23);
  }
}

constexpr int kMostRows = 8192;  // that are timed no more than `repeats` times

void time_shape(const char* name, Library& library, int m, int n, int k, int threads, int repeats) {
  const auto count = [](int a, int b) { return static_cast<size_t>(a) * static_cast<size_t>(b); };
  Aligned x(count(m, k)), w(count(n, k)), y(count(m, n));
  numbers(x, count(m, k));
  numbers(w, count(n, k));
  std::memset(y.data, 0, count(m, n) * 4);
  const Product whole{m, n, k, x.data, y.data};
  library.pack(w.data, whole);
  for (const bool halves : {false, true}) {
    if (halves ? threads != 2 : threads == 2 && !library.has_threads()) continue;
    library.threads(halves ? 1 : threads);
    const auto pair = halves ? std::make_unique<Pair>() : nullptr;
    const std::function<void(int)> half = [&](int which) {
      const int middle = (m + 1) / 2, from = which ? middle : 0;
      library.run({which ? m - middle : middle, n, k, x.data + count(from, k), y.data + count(from, n)});
    };
    const auto once = [&] { halves ? pair->run(half) : library.run(whole); };
    once();
    double best = seconds_of(once);
    for (int i = 1; i < repeats * std::max(1, kMostRows / m); ++i) best = std::min(best, seconds_of(once));
    if (!(error_of(whole, w.data) < 1e-5)) fail(std::string(name) + " computes something else");
    std::printf("{\"library\":\"%s\",\"way\":\"%s\",\"shape\":\"%dx%dx%d\",\"threads\":%d,\"seconds\":%.9f}\n", name,
                halves ? "halves" : "whole", m, n, k, threads, best);
  }
}

std::unique_ptr<Library> open_library(const std::string& name, const char* file) {
  if (name == "libxsmm") return std::make_unique<Libxsmm>();
  if (name == "mkl" && file) return std::make_unique<Mkl>(file);
  if (name == "openblas" && file) return std::make_unique<OpenBlas>(file);
  fail("the library is libxsmm, mkl FILE or openblas FILE");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) fail("see the head of bench.cpp");
  const int threads = std::atoi(argv[1]), repeats = std::atoi(argv[2]);
  if (threads < 1 || threads > 2 || repeats < 1) fail("expected 1 or 2 threads and a repeat or more");
  const auto library = open_library(argv[4], argc > 5 ? argv[5] : nullptr);
  for (const char* at = argv[3]; at;) {
    int m = 0, n = 0, k = 0;
    if (std::sscanf(at, "%dx%dx%d", &m, &n, &k) != 3 || m < 2 || n < 1 || k < 1) fail("a shape is MxNxK");
    time_shape(argv[4], *library, m, n, k, threads, repeats);
    at = std::strchr(at, ',');
    if (at) ++at;
  }
  return 0;
}
