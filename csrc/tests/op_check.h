// Judging an op of the CPU backend: its distance from the double oracle may be at most a small multiple of the distance of the
// same loops in plain float (twice for outputs, three times for gradients), plus a few units in the last place of the largest
// value; never a hand-tuned number. Every instruction set that this machine runs, and bit for bit the same with 1, 2, 3 and 7
// threads.
#ifndef SYN_TESTS_OP_CHECK_H
#define SYN_TESTS_OP_CHECK_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/machine.h"
#include "cpu/table.h"
#include "ops/table.h"
#include "ref/table.h"

namespace syn::tests {

constexpr double kOutput = 2, kGradient = 3;

// Numbers of about the given size that float holds exactly, the same for every type.
template <class Real>
std::vector<Real> numbers(int64_t count, uint32_t seed, double size = 1) {
  std::vector<Real> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i) {
    const Words w = philox({{static_cast<uint32_t>(i), 0, 0, 0}}, seed, 0);
    double sum = -2;  // four uniforms: nearly normal, variance 1/3
    for (const uint32_t x : w.w) sum += uniform(x);
    out[i] = static_cast<Real>(static_cast<float>(size * 1.732 * sum));
  }
  return out;
}

// Named outputs of an op as double.
class Outputs {
 public:
  template <class Real>
  void add(const std::string& name, const std::vector<Real>& x) {
    named_.emplace_back(name, std::vector<double>(x.begin(), x.end()));
  }
  const std::vector<std::pair<std::string, std::vector<double>>>& all() const { return named_; }
  bool operator==(const Outputs& other) const { return named_ == other.named_; }

 private:
  std::vector<std::pair<std::string, std::vector<double>>> named_;
};

inline double largest_error(const std::vector<double>& x, const std::vector<double>& exact) {
  double worst = x.size() == exact.size() ? 0 : INFINITY;
  for (size_t i = 0; i < x.size() && i < exact.size(); ++i) {
    const double d = std::fabs(x[i] - exact[i]);
    worst = d <= worst ? worst : d;
  }
  return worst;
}

// Largest distance over the largest value.
inline double apart(const std::vector<double>& x, const std::vector<double>& from) {
  double scale = 1e-30;
  for (const double v : from) scale = std::max(scale, std::fabs(v));
  return largest_error(x, from) / scale;
}

inline std::vector<std::pair<std::string, const Ops<float>*>> cpu_tables() {
  std::vector<std::pair<std::string, const Ops<float>*>> out;
  const Isa isa = machine_isa();
  if (isa >= Isa::kAvx2) out.emplace_back("avx2", &cpu::avx2::table());
  if (isa >= Isa::kAvx512) out.emplace_back("avx512", &cpu::avx512::table());
  return out;
}

inline void compare(const Outputs& got, const Outputs& plain, const Outputs& oracle, double factor) {
  ASSERT_EQ(got.all().size(), oracle.all().size());
  for (size_t i = 0; i < oracle.all().size(); ++i) {
    const auto& [name, exact] = oracle.all()[i];
    double scale = 0;
    for (const double x : exact) scale = std::max(scale, std::fabs(x));
    const double allowed = factor * largest_error(plain.all()[i].second, exact) + 4 * 0x1p-24 * scale;
    EXPECT_LE(largest_error(got.all()[i].second, exact), allowed) << name << ", of size " << scale;
  }
}

// op(Real{}, ops, exec) -> Outputs.
template <class Op>
void check_op(Op&& op, double factor) {
  Pool one(1);
  Exec alone{one, nullptr};
  const Outputs oracle = op(double{}, ref::table(), alone), plain = op(float{}, ref::plain_float_table(), alone);
  const auto tables = cpu_tables();
  if (tables.empty()) GTEST_SKIP() << "this CPU has neither AVX2 nor AVX-512";
  for (const auto& [isa, ops] : tables) {
    SCOPED_TRACE(isa);
    const Outputs got = op(float{}, *ops, alone);
    compare(got, plain, oracle, factor);
    for (const int threads : {2, 3, 7}) {
      Pool pool(threads);
      Exec exec{pool, nullptr};
      EXPECT_TRUE(op(float{}, *ops, exec) == got) << threads << " threads change the bits";
    }
  }
}

// A matrix with its panels, for a backend.
template <class Real>
struct TestMatrix {
  std::vector<Real> data, packed, packed_t;
  Matrix<Real> matrix;

  TestMatrix(const Ops<Real>& ops, Exec& exec, int32_t out, int32_t in, bool in_out, uint32_t seed, double size)
      : data(numbers<Real>(int64_t{out} * in, seed, size)),
        packed(static_cast<size_t>(ops.packed_size(out, in, Precision::kFp32))),
        packed_t(static_cast<size_t>(ops.packed_size(in, out, Precision::kFp32))),
        matrix{data.data(), out, in, in_out, packed.data(), packed_t.data()} {
    ops.pack(exec, {matrix, packed.data(), packed_t.data()});
  }
};

// Segments of the given lengths end to end.
struct TestSegments {
  std::vector<int32_t> offsets = {0}, position;
  explicit TestSegments(const std::vector<int32_t>& lengths) {
    for (const int32_t n : lengths) {
      offsets.push_back(offsets.back() + n);
      for (int32_t i = 0; i < n; ++i) position.push_back(i);
    }
  }
  Segments view() const { return {offsets.data(), position.data(), static_cast<int32_t>(offsets.size()) - 1, offsets.back()}; }
};

inline Dropout test_dropout(double p, uint32_t site = 3) { return {0x1234567890abcdefull, site, keep_threshold(p), 1 / (1 - p)}; }

}  // namespace syn::tests

#endif
