// cuda/dropout.cu, activation.cu and rope.cu against the reference.
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

constexpr Precision kBothPrecisions[] = {Precision::kBf16, Precision::kFp32};

TEST(GpuDropout, keeps_what_every_backend_keeps) {
  for (const int32_t rows : kSmallOnly ? std::vector<int32_t>{3} : std::vector<int32_t>{1, 63, 65}) {
    const int32_t width = 132;
    const auto x = numbers<float>(int64_t{rows} * width, 1);
    std::vector<float> want = x;
    Pool one(1);
    Exec alone{one, nullptr};
    ref::plain_float_table().dropout(alone, {want.data(), rows, width, test_dropout(0.3)});
    Buffer<float> got(x);
    must(cuda::dropout(nullptr, {got, rows, width, test_dropout(0.3)}));
    EXPECT_EQ(got.download(), want);
  }
}

TEST(GpuRound, gives_the_bits_of_the_definition) {
  auto x = numbers<float>(kSmallOnly ? 12 : 4 * 300, 1);
  x[0] = 0x1p-127f, x[1] = -0x1p-140f, x[2] = 3.3961775e38f, x[3] = 1.00390625f;  // below the least normal, overflow, a tie
  Buffer<float> from(x);
  Buffer<bf16> to(static_cast<int64_t>(x.size()));
  must(cuda::round(nullptr, {from, to, static_cast<int64_t>(x.size())}));
  to.download();
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(to.host()[i].bits, to_bf16(static_cast<double>(x[i])).bits) << x[i];
  EXPECT_EQ(cuda::round(nullptr, {from, to, 6}), cuda::kInvalid);
}

// Rounded, GELU, rounded: what two ops would do, bit for bit. Between numbers of bf16 the first rounding is seen.
TEST(GpuRound, gelu_on_the_way_is_gelu_of_the_rounded_numbers) {
  const int64_t n = kSmallOnly ? 300 : 4 * 1000;
  const auto x = numbers<float>(n, 1, 3);
  Buffer<float> from(x);
  Buffer<bf16> rounded(n), want(n), got(n);
  must(cuda::round(nullptr, {from, rounded, n}));
  must(cuda::gelu_forward(nullptr, {{rounded, Precision::kBf16}, {want, Precision::kBf16}, n}));
  must(cuda::round(nullptr, {from, got, n, cuda::Activation::kGelu}));
  EXPECT_EQ(from_bf16(got.download()), from_bf16(want.download()));
}

TEST(GpuActivation, gelu_matches_the_reference) {
  const int64_t n = kSmallOnly ? 300 : 65 * 68;
  for (const Precision p : kBothPrecisions) {
    const auto reference = [&](auto real, const auto& ops, Exec& exec, Precision rounding) {
      using Real = decltype(real);
      const auto x = bf16_numbers<Real>(n, 1, 3), dy = numbers<Real>(n, 2);
      std::vector<Real> y(x.size()), dx(x.size());
      ops.gelu_forward(exec, {x.data(), y.data(), n, rounding});
      ops.gelu_backward(exec, {x.data(), dy.data(), dx.data(), n, rounding});
      Outputs out;
      out.add("y", y);
      out.add("dx", dx);
      return out;
    };
    check_kernel(p, kOutput, reference, [&] {
      TensorBuffer x(p, bf16_numbers<float>(n, 1, 3)), y(p, n);
      Buffer<float> dy(numbers<float>(n, 2));
      must(cuda::gelu_forward(nullptr, {x.view(), y.view(), n}));
      must(cuda::gelu_backward(nullptr, {x.view(), dy, x.view(), n}));
      Outputs out;
      out.add("y", y.download());
      out.add("dx", x.download());
      return out;
    });
  }
}

TEST(GpuActivation, swiglu_matches_the_reference) {
  const int32_t rows = kSmallOnly ? 3 : 65, ffn = 68;
  const int64_t n = int64_t{rows} * ffn;
  for (const Precision p : kBothPrecisions) {
    const auto reference = [&](auto real, const auto& ops, Exec& exec, Precision rounding) {
      using Real = decltype(real);
      const auto gate_up = bf16_numbers<Real>(2 * n, 1, 3), dy = numbers<Real>(n, 2);
      std::vector<Real> y(static_cast<size_t>(n)), dgate_up(gate_up.size());
      ops.swiglu_forward(exec, {gate_up.data(), y.data(), rows, ffn, rounding});
      ops.swiglu_backward(exec, {gate_up.data(), dy.data(), dgate_up.data(), rows, ffn, rounding});
      Outputs out;
      out.add("y", y);
      out.add("dgate_up", dgate_up);
      return out;
    };
    check_kernel(p, kOutput, reference, [&] {
      TensorBuffer gate_up(p, bf16_numbers<float>(2 * n, 1, 3)), y(p, n);
      Buffer<float> dy(numbers<float>(n, 2));
      must(cuda::swiglu_forward(nullptr, {gate_up.view(), y.view(), rows, ffn}));
      must(cuda::swiglu_backward(nullptr, {gate_up.view(), dy, gate_up.view(), rows, ffn}));
      Outputs out;
      out.add("y", y.download());
      out.add("dgate_up", gate_up.download());
      return out;
    });
  }
}

TEST(GpuRope, turns_like_the_reference_and_back) {
  struct Form {
    int32_t heads, kv_heads, dim;
  };
  for (const Form f : kSmallOnly ? std::vector<Form>{{1, 1, 8}} : std::vector<Form>{{2, 1, 64}, {3, 3, 96}, {1, 1, 8}})
    for (const bool inverse : {false, true})
      for (const Precision p : kBothPrecisions) {
        const TestSegments s(kSmallOnly ? std::vector<int32_t>{3, 1} : std::vector<int32_t>{63, 1, 66});
        const int32_t rows = s.view().rows, turned = f.heads + f.kv_heads;
        const int64_t stride = int64_t{turned + f.kv_heads} * f.dim, n = rows * stride;
        const auto table = numbers<float>(66 * f.dim, 7);
        const auto reference = [&](auto real, const auto& ops, Exec& exec, Precision rounding) {
          using Real = decltype(real);
          auto x = numbers<Real>(n, 1);
          const std::vector<Real> turn(table.begin(), table.end());
          ops.rope(exec, {x.data(), stride, s.position.data(), turn.data(), rows, turned, f.dim, inverse, rounding});
          Outputs out;
          out.add("x", x);
          return out;
        };
        check_kernel(p, kOutput, reference, [&] {
          Buffer<float> x(numbers<float>(n, 1)), turn(table);
          Buffer<int32_t> position(s.position);
          TensorBuffer y(p, n);
          const cuda::Tensor to = p == Precision::kFp32 ? cuda::Tensor{x.get(), p} : y.view();  // float: in place
          must(cuda::rope(nullptr, {x, to, stride, position, turn, rows, turned, f.dim, inverse}));
          Outputs out;
          out.add("x", p == Precision::kFp32 ? x.download() : y.download());
          return out;
        });
      }
}

TEST(GpuElementwise, refuses_widths_that_are_no_multiple_of_4) {
  EXPECT_EQ(cuda::dropout(nullptr, {nullptr, 1, 6, {}}), cuda::kInvalid);
  EXPECT_EQ(cuda::gelu_forward(nullptr, {{}, {}, 6}), cuda::kInvalid);
  EXPECT_EQ(cuda::swiglu_forward(nullptr, {{}, {}, 1, 6}), cuda::kInvalid);
  EXPECT_EQ(cuda::rope(nullptr, {nullptr, {}, 24, nullptr, nullptr, 1, 2, 12, false}), cuda::kInvalid);
}

TEST(GpuElementwise, nothing_to_do_is_no_launch) {
  EXPECT_EQ(cuda::dropout(nullptr, {nullptr, 0, 8, {}}), 0);
  EXPECT_EQ(cuda::gelu_backward(nullptr, {{}, nullptr, {}, 0}), 0);
  EXPECT_EQ(cuda::swiglu_backward(nullptr, {{}, nullptr, {}, 0, 8}), 0);
  EXPECT_EQ(cuda::rope(nullptr, {nullptr, {}, 24, nullptr, nullptr, 0, 2, 8, false}), 0);
}

}  // namespace
}  // namespace syn::tests
