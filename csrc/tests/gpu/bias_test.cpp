// cuda/bias.cu against the reference.
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

TEST(GpuBias, backward_matches_the_reference) {
  for (const Precision p : {Precision::kBf16, Precision::kFp32})
    for (const int32_t rows : kSmallOnly ? std::vector<int32_t>{9} : std::vector<int32_t>{1, 255, 257, 520}) {
      SCOPED_TRACE(rows);
      const int32_t columns = 132, stride = 200, first = 8;
      const auto reference = [&](auto real, const auto& ops, Exec& exec, Precision) {
        using Real = decltype(real);
        const auto dy = bf16_numbers<Real>(int64_t{rows} * stride, 1);
        std::vector<Real> dbias(static_cast<size_t>(columns), 1);
        ops.bias_backward(exec, {dy.data() + first, dbias.data(), stride, rows, columns});
        Outputs out;
        out.add("dbias", dbias);
        return out;
      };
      check_kernel(p, kGradient, reference, [&] {
        TensorBuffer dy(p, bf16_numbers<float>(int64_t{rows} * stride, 1));
        Buffer<float> dbias(std::vector<float>(static_cast<size_t>(columns), 1)), partial(cuda::bias_partial(rows, columns));
        const size_t skip = first * (p == Precision::kBf16 ? sizeof(bf16) : sizeof(float));
        const cuda::Tensor range{static_cast<char*>(dy.view().data) + skip, p};
        must(cuda::bias_backward(nullptr, {range, dbias, partial, stride, rows, columns}));
        Outputs out;
        out.add("dbias", dbias.download());
        return out;
      });
    }
}

TEST(GpuBias, refuses_ranges_that_are_no_multiple_of_4) {
  EXPECT_EQ(cuda::bias_backward(nullptr, {{}, nullptr, nullptr, 8, 1, 6}), cuda::kInvalid);
  EXPECT_EQ(cuda::bias_backward(nullptr, {{}, nullptr, nullptr, 4, 1, 8}), cuda::kInvalid);
  EXPECT_EQ(cuda::bias_backward(nullptr, {{}, nullptr, nullptr, 8, 0, 8}), 0);
}

}  // namespace
}  // namespace syn::tests
