// XGBoost through its C interface: dense matrices in, probabilities out.
//
// Determinism: histogram trees on a fixed number of threads; the seed goes through Philox because XGBoost keeps 31 bits of it.
// Memory traffic: XGBoost copies both matrices; nothing of ours is copied.
#include "core/boost.h"

#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/machine.h"
#include "core/status.h"
#include "math/philox.h"

namespace syn {
namespace {

// The part of xgboost/c_api.h that is used, unchanged since 1.0.
using Object = void*;
struct Library {
  const char* (*last_error)() = nullptr;
  void (*version)(int*, int*, int*) = nullptr;
  int (*matrix_create)(const float*, uint64_t rows, uint64_t columns, float missing, Object*, int threads) = nullptr;
  int (*matrix_set)(Object, const char* field, const float*, uint64_t) = nullptr;
  int (*matrix_free)(Object) = nullptr;
  int (*booster_create)(const Object*, uint64_t, Object*) = nullptr;
  int (*booster_free)(Object) = nullptr;
  int (*booster_set)(Object, const char* name, const char* value) = nullptr;
  int (*booster_update)(Object, int round, Object matrix) = nullptr;
  int (*booster_predict)(Object, Object matrix, int options, unsigned trees, int training, uint64_t* count,
                         const float**) = nullptr;
  std::string absent;  // why it cannot be used; empty when it can
};

template <class F>
void find(void* handle, const char* name, F& f, std::string& absent) {
  void* const address = dlsym(handle, name);
  if (!address && absent.empty()) absent = std::string("libxgboost has no ") + name;
  std::memcpy(&f, &address, sizeof f);
}

Library open_library() {
  Library x;
  // Its OpenMP threads would otherwise spin between calls and starve the process; read once, when libgomp is loaded.
  setenv("OMP_WAIT_POLICY", "passive", 0);
  void* handle = nullptr;
  for (const char* name : {"libxgboost.so.0", "libxgboost.so"}) {
    if (!handle) handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  if (!handle) {
    const char* why = dlerror();
    x.absent = std::string("XGBoost is not installed (Debian and Ubuntu: apt-get install libxgboost0): ") + (why ? why : "");
    return x;
  }
  find(handle, "XGBGetLastError", x.last_error, x.absent);
  find(handle, "XGBoostVersion", x.version, x.absent);
  find(handle, "XGDMatrixCreateFromMat_omp", x.matrix_create, x.absent);
  find(handle, "XGDMatrixSetFloatInfo", x.matrix_set, x.absent);
  find(handle, "XGDMatrixFree", x.matrix_free, x.absent);
  find(handle, "XGBoosterCreate", x.booster_create, x.absent);
  find(handle, "XGBoosterFree", x.booster_free, x.absent);
  find(handle, "XGBoosterSetParam", x.booster_set, x.absent);
  find(handle, "XGBoosterUpdateOneIter", x.booster_update, x.absent);
  find(handle, "XGBoosterPredict", x.booster_predict, x.absent);
  return x;
}

// Opened once a process and never closed: libgomp's threads outlive every call.
const Library& library() {
  static const Library opened = open_library();
  return opened;
}

// XGBoost keeps its error text per thread; it is fetched here, in the same call.
void check(const Library& x, int result) {
  if (result != 0) fail(SYN_INTERNAL, "XGBoost: %s", x.last_error());
}

using Owned = std::unique_ptr<void, int (*)(Object)>;

Owned matrix(const Library& x, const float* values, int64_t rows, int64_t columns, int threads) {
  Object handle = nullptr;
  check(x, x.matrix_create(values, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), std::nanf(""), &handle, threads));
  return Owned(handle, x.matrix_free);
}

std::string text(double v) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", v);
  return buffer;
}

void configure(const Library& x, Object booster, const syn_boost_params& p, int threads) {
  const uint32_t seed = draw_words(p.seed, Purpose::kSubsample, 0, 0, 0).w[0] >> 1;
  const std::pair<const char*, std::string> settings[] = {
      {"verbosity", "0"},
      {"objective", "binary:logistic"},
      {"tree_method", "hist"},
      {"nthread", std::to_string(threads)},
      {"seed", std::to_string(seed)},
      {"max_depth", std::to_string(p.depth)},
      {"learning_rate", text(p.learning_rate)},
      {"min_child_weight", text(p.min_child_weight)},
      {"subsample", text(p.subsample)},
      {"colsample_bytree", text(p.colsample)},
  };
  for (const auto& [name, value] : settings) check(x, x.booster_set(booster, name, value.c_str()));
}

}  // namespace

std::string boost_description() {
  const Library& x = library();
  if (!x.absent.empty()) return x.absent;
  int major = 0, minor = 0, patch = 0;
  x.version(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

void boost_fit_predict(const syn_boost_params& p, const float* features, const float* y, int64_t n, int64_t columns,
                       const float* t, int64_t m, float* probability) {
  const Library& x = library();
  if (!x.absent.empty()) fail(SYN_UNSUPPORTED, "%s", x.absent.c_str());
  const int threads = p.threads > 0 ? p.threads : machine_threads();
  const Owned train = matrix(x, features, n, columns, threads);
  check(x, x.matrix_set(train.get(), "label", y, static_cast<uint64_t>(n)));
  Object handle = nullptr;
  const Object cached[] = {train.get()};
  check(x, x.booster_create(cached, 1, &handle));
  const Owned booster(handle, x.booster_free);
  configure(x, booster.get(), p, threads);
  for (int round = 0; round < p.rounds; ++round) check(x, x.booster_update(booster.get(), round, train.get()));
  if (m == 0) return;
  const Owned test = matrix(x, t, m, columns, threads);
  uint64_t count = 0;
  const float* out = nullptr;
  check(x, x.booster_predict(booster.get(), test.get(), 0, 0, 0, &count, &out));
  if (count != static_cast<uint64_t>(m))
    fail(SYN_INTERNAL, "XGBoost predicted %llu rows of %lld", static_cast<unsigned long long>(count), static_cast<long long>(m));
  std::memcpy(probability, out, static_cast<size_t>(m) * sizeof(float));
}

}  // namespace syn
