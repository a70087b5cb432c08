// CPUID through the compiler's own table, affinity by sched_getaffinity, quota from cgroup v2 or v1.
#include "core/machine.h"

#include <cpuid.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "core/status.h"

namespace syn {
namespace {

constexpr int kMostThreads = 256;

// Conversion of halves, which not every compiler's table has.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

Isa widest() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  return bf16 ? Isa::kAvx512Bf16 : avx512 ? Isa::kAvx512 : avx2 ? Isa::kAvx2 : Isa::kNone;
}

Isa chosen() {
  const Isa widest_here = widest();
  const char* asked = std::getenv("SYNEHRGY_ISA");
  if (!asked || !*asked) return widest_here == Isa::kAvx512Bf16 && !__builtin_cpu_is("amd") ? Isa::kAvx512 : widest_here;
  for (const Isa isa : {Isa::kNone, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16}) {
    if (std::strcmp(asked, isa_name(isa)) != 0) continue;
    if (isa <= widest_here) return isa;
    fail(SYN_UNSUPPORTED, "SYNEHRGY_ISA asks for %s, which this CPU lacks", asked);
  }
  fail(SYN_INVALID_ARGUMENT, "SYNEHRGY_ISA is none of avx512_bf16, avx512, avx2 and none");
}

// CPUs that the container may use, from "quota period" in microseconds; infinite where there is no limit.
double quota() {
  double limit = INFINITY;
  std::string word;
  double period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> word >> period) {
    if (word != "max" && period > 0) limit = std::atof(word.c_str()) / period;
    return limit;
  }
  double microseconds = -1;
  std::ifstream v1("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (v1 >> microseconds && v1_period >> period && microseconds > 0 && period > 0) limit = microseconds / period;
  return limit;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kAvx2: return "avx2";
    case Isa::kAvx512: return "avx512";
    case Isa::kAvx512Bf16: return "avx512_bf16";
    case Isa::kNone: break;
  }
  return "none";
}

Isa machine_isa() {
  static const Isa isa = chosen();
  return isa;
}

std::string cpu_name() {
  unsigned words[12] = {};
  if (__get_cpuid_max(0x80000000u, nullptr) < 0x80000004u) return "unknown";
  for (unsigned i = 0; i < 3; ++i)
    __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
  char text[sizeof words + 1] = {};
  std::memcpy(text, words, sizeof words);
  std::string name(text);
  name.erase(0, name.find_first_not_of(' '));
  name.erase(name.find_last_not_of(' ') + 1);
  return name;
}

std::string cpu_features() {
  std::string list;
  const auto add = [&](bool has, const char* feature) {
    if (has) list += (list.empty() ? "" : " ") + std::string(feature);
  };
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("fma"), "fma");
  add(__builtin_cpu_supports("avx512f"), "avx512f");
  add(__builtin_cpu_supports("avx512bw"), "avx512bw");
  add(__builtin_cpu_supports("avx512dq"), "avx512dq");
  add(__builtin_cpu_supports("avx512vl"), "avx512vl");
  add(__builtin_cpu_supports("avx512bf16"), "avx512bf16");
  return list;
}

int machine_threads() {
  if (const char* asked = std::getenv("SYNEHRGY_THREADS"); asked && *asked) {
    char* end = nullptr;
    const long n = std::strtol(asked, &end, 10);
    if (*end || n < 1 || n > kMostThreads)
      fail(SYN_INVALID_ARGUMENT, "SYNEHRGY_THREADS is not a number from 1 to %d", kMostThreads);
    return static_cast<int>(n);
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  int threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const double limit = quota();
  if (limit < threads) threads = static_cast<int>(std::floor(limit));
  return std::clamp(threads, 1, kMostThreads);
}

}  // namespace syn
