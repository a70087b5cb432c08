// cuda/embedding.cu, and what norm.cu makes of tables, against the reference.
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

// Rows by id, as the trainer sorts them.
struct Sorted {
  std::vector<int32_t> start, order;
  Sorted(const std::vector<int32_t>& id, int32_t ids) : start(static_cast<size_t>(ids) + 1) {
    for (int32_t i = 0; i < ids; ++i) {
      for (size_t r = 0; r < id.size(); ++r)
        if (id[r] == i) order.push_back(static_cast<int32_t>(r));
      start[static_cast<size_t>(i) + 1] = static_cast<int32_t>(order.size());
    }
  }
};

// The norm that makes the embedding (cuda/norm.cu): the residual stream is that of the reference, and the norm that of the same
// stream when it is read, bit for bit, for a backward pass that makes the norm again.
TEST(GpuEmbedding, the_first_norm_begins_with_the_rows_of_the_reference) {
  for (const bool positions : {false, true})
    for (const double p : {0.0, 0.2}) {
      const int32_t rows = kSmallOnly ? 5 : 65, width = 68, ids = 9;
      std::vector<int32_t> token(static_cast<size_t>(rows)), position(token);
      for (int32_t r = 0; r < rows; ++r) {
        token[static_cast<size_t>(r)] = r * 7 % ids;
        position[static_cast<size_t>(r)] = r % 33;
      }
      const Dropout drop = p > 0 ? test_dropout(p) : Dropout{};
      const auto reference = [&](auto real, const auto& ops, Exec& exec, Precision) {
        using Real = decltype(real);
        const auto table = numbers<Real>(ids * width, 1), places = numbers<Real>(33 * width, 2);
        std::vector<Real> x(static_cast<size_t>(rows * width));
        ops.embedding_forward(exec, {token.data(), position.data(), table.data(), positions ? places.data() : nullptr, x.data(),
                                     rows, width, drop});
        Outputs out;
        out.add("x", x);
        return out;
      };
      check_kernel(Precision::kFp32, kOutput, reference, [&] {
        Buffer<int32_t> t(token), at(position);
        Buffer<float> table(numbers<float>(ids * width, 1)), places(numbers<float>(33 * width, 2)), x(rows * width),
            weight(numbers<float>(width, 3)), bias(numbers<float>(width, 4)), mean(rows), rstd(rows), same_mean(rows),
            same_rstd(rows);
        Buffer<bf16> y(rows * width), same(rows * width);
        cuda::NormForward norm = {nullptr, nullptr, x, weight, bias, {y, Precision::kBf16}, mean, rstd, rows, width, 1e-5f, drop};
        norm.embedded = {t, at, table, positions ? places.get() : nullptr};
        must(cuda::norm_forward(nullptr, norm));
        must(cuda::norm_forward(
            nullptr,
            {x, nullptr, nullptr, weight, bias, {same, Precision::kBf16}, same_mean, same_rstd, rows, width, 1e-5f, drop}));
        EXPECT_EQ(from_bf16(y.download()), from_bf16(same.download()));
        EXPECT_EQ(mean.download(), same_mean.download());
        EXPECT_EQ(rstd.download(), same_rstd.download());
        Outputs out;
        out.add("x", x.download());
        return out;
      });
    }
}

// Ids with no row, one row, and counts around the piece of 256 rows, at places that are no multiple of it.
TEST(GpuEmbedding, backward_adds_the_rows_of_an_id_whatever_their_number) {
  const std::vector<int32_t> counts =
      kSmallOnly ? std::vector<int32_t>{3, 0, 258, 1} : std::vector<int32_t>{0, 3, 255, 256, 257, 1, 0, 513, 600, 2, 0};
  std::vector<int32_t> id;
  for (size_t i = 0; i < counts.size(); ++i) id.insert(id.end(), static_cast<size_t>(counts[i]), static_cast<int32_t>(i));
  for (size_t r = id.size(); r > 1; --r) std::swap(id[r - 1], id[r * 2654435761u % r]);  // rows of an id lie apart
  const int32_t rows = static_cast<int32_t>(id.size()), ids = static_cast<int32_t>(counts.size()), width = kSmallOnly ? 8 : 12;
  const Sorted sorted(id, ids);
  const auto reference = [&](auto real, const auto& ops, Exec& exec, Precision) {
    using Real = decltype(real);
    const auto dout = numbers<Real>(int64_t{rows} * width, 1);
    auto dtable = numbers<Real>(int64_t{ids} * width, 2);
    ops.embedding_backward(exec, {dout.data(), {sorted.start.data(), sorted.order.data(), ids}, dtable.data(), width});
    Outputs out;
    out.add("dtable", dtable);
    return out;
  };
  check_kernel(Precision::kFp32, kGradient, reference, [&] {
    Buffer<int32_t> start(sorted.start), order(sorted.order);
    Buffer<float> dout(numbers<float>(int64_t{rows} * width, 1)), dtable(numbers<float>(int64_t{ids} * width, 2)),
        partial(cuda::embedding_partial(rows, width));
    must(cuda::embedding_backward(nullptr, {dout, {start, order, ids}, dtable, partial, rows, width}));
    Outputs out;
    out.add("dtable", dtable.download());
    return out;
  });
}

}  // namespace
}  // namespace syn::tests
