// Linear layers and the products under them.
#include "tests/op_check.h"

namespace syn::tests {
namespace {

struct Form {
  int32_t rows, out, in;
  bool in_out;
};

class LinearForms : public testing::TestWithParam<Form> {};

TEST_P(LinearForms, AllDirectionsMatchTheReference) {
  const Form f = GetParam();
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    TestMatrix<Real> w(ops, exec, f.out, f.in, f.in_out, 1, 0.05);
    const auto x = numbers<Real>(int64_t{f.rows} * f.in, 2), dy = numbers<Real>(int64_t{f.rows} * f.out, 3),
               bias = numbers<Real>(f.out, 4);
    std::vector<Real> y(dy.size()), gelu(dy.size()), dx(x.size()), dw = numbers<Real>(int64_t{f.out} * f.in, 5),
                                                                   dbias(bias.size());
    ops.linear_forward(exec, {x.data(), w.matrix, bias.data(), y.data(), gelu.data(), f.rows, Activation::kGelu});
    ops.linear_backward_input(exec, {dy.data(), w.matrix, dx.data(), f.rows});
    ops.linear_backward_weight(exec, {x.data(), dy.data(), dw.data(), f.rows, f.out, f.in, f.in_out});
    ops.bias_backward(exec, {dy.data() + f.out / 2, dbias.data() + f.out / 2, f.out, f.rows, f.out - f.out / 2});
    Outputs out;
    out.add("y", y);
    out.add("gelu", gelu);
    out.add("dx", dx);
    out.add("dw", dw);
    out.add("dbias", dbias);
    return out;
  };
  check_op(op, kGradient);
}

INSTANTIATE_TEST_SUITE_P(Linear, LinearForms,
                         testing::Values(Form{1, 64, 64, false}, Form{33, 48, 16, true}, Form{64, 211, 192, false},
                                         Form{130, 72, 500, true}, Form{300, 97, 48, false}, Form{31, 1000, 8, false}),
                         [](const auto& info) {
                           const Form& f = info.param;
                           return std::to_string(f.rows) + "x" + std::to_string(f.in) + "to" + std::to_string(f.out) +
                                  (f.in_out ? "conv" : "");
                         });

// A row's bits depend on that row alone: what makes a patient the same patient in any batch.
TEST(Linear, ARowAloneHasTheBitsOfTheRowInABatch) {
  constexpr int32_t kRows = 64, kOut = 211, kIn = 500;
  for (const auto& [isa, ops] : cpu_tables()) {
    SCOPED_TRACE(isa);
    Pool pool(2);
    Exec exec{pool, nullptr};
    TestMatrix<float> w(*ops, exec, kOut, kIn, false, 1, 0.1);
    const auto x = numbers<float>(kRows * kIn, 2), bias = numbers<float>(kOut, 3);
    std::vector<float> batch(kRows * kOut), dx_batch(kRows * kIn), alone(kOut), dx_alone(kIn);
    ops->linear_forward(exec, {x.data(), w.matrix, bias.data(), batch.data(), nullptr, kRows});
    ops->linear_backward_input(exec, {batch.data(), w.matrix, dx_batch.data(), kRows});
    for (int32_t r = 0; r < kRows; ++r) {
      ops->linear_forward(exec, {x.data() + r * kIn, w.matrix, bias.data(), alone.data(), nullptr, 1});
      ops->linear_backward_input(exec, {batch.data() + r * kOut, w.matrix, dx_alone.data(), 1});
      ASSERT_EQ(0, std::memcmp(alone.data(), batch.data() + r * kOut, sizeof(float) * kOut)) << "row " << r;
      ASSERT_EQ(0, std::memcmp(dx_alone.data(), dx_batch.data() + r * kIn, sizeof(float) * kIn)) << "row " << r;
    }
  }
}

// Inputs that are small integers have exact sums in any order: every product must be exact, tails and padding included.
TEST(Linear, IntegersAreExact) {
  for (const auto& [isa, ops] : cpu_tables()) {
    SCOPED_TRACE(isa);
    Pool pool(2);
    Exec exec{pool, nullptr};
    for (const int32_t rows : {1, 31, 32, 33, 257, 300}) {
      constexpr int32_t kOut = 130, kIn = 389;
      std::vector<float> x(static_cast<size_t>(rows) * kIn), dy(static_cast<size_t>(rows) * kOut), dw(kOut * kIn, 1),
          y(dy.size());
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 7 % 11) - 5);
      for (size_t i = 0; i < dy.size(); ++i) dy[i] = static_cast<float>(static_cast<int>(i * 5 % 7) - 3);
      ops->linear_backward_weight(exec, {x.data(), dy.data(), dw.data(), rows, kOut, kIn, false});
      for (int32_t o = 0; o < kOut; o += 13)
        for (int32_t i = 0; i < kIn; i += 7) {
          float sum = 1;
          for (int32_t r = 0; r < rows; ++r) sum += dy[static_cast<size_t>(r * kOut + o)] * x[static_cast<size_t>(r * kIn + i)];
          ASSERT_EQ(sum, dw[static_cast<size_t>(o * kIn + i)]) << rows << " rows";
        }
    }
  }
}

}  // namespace
}  // namespace syn::tests
