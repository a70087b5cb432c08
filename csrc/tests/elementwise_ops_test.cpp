// Norms, rotation, activations, embedding, cross entropy, dropout, gradient norm and AdamW against the oracle.
#include "tests/op_check.h"

namespace syn::tests {
namespace {

constexpr int32_t kRows = 131;

struct NormForm {
  int32_t width;
  bool layer_norm, branch;
  double dropout;
};

class NormForms : public testing::TestWithParam<NormForm> {};

TEST_P(NormForms, ForwardAndBackwardMatchTheReference) {
  const NormForm f = GetParam();
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    const int64_t n = int64_t{kRows} * f.width;
    const auto x = numbers<Real>(n, 1), branch = numbers<Real>(n, 2), dy = numbers<Real>(n, 3);
    const auto weight = numbers<Real>(f.width, 4), bias = numbers<Real>(f.width, 5);
    const Dropout drop = f.dropout > 0 ? test_dropout(f.dropout) : Dropout{};
    std::vector<Real> sum = x, y(x.size()), mean(kRows), rstd(kRows), ds = numbers<Real>(n, 6), dbranch(x.size());
    std::vector<Real> dweight(weight.size(), 1), dbias(bias.size(), 1),
        partial(static_cast<size_t>(norm_partial(kRows, f.width)));
    ops.norm_forward(
        exec, {x.data(), f.branch ? branch.data() : nullptr, sum.data(), weight.data(), f.layer_norm ? bias.data() : nullptr,
               y.data(), mean.data(), rstd.data(), kRows, f.width, static_cast<Real>(1e-5), drop});
    ops.norm_backward(exec, {dy.data(), sum.data(), weight.data(), f.layer_norm ? mean.data() : nullptr, rstd.data(), ds.data(),
                             f.branch ? dbranch.data() : nullptr, dweight.data(), f.layer_norm ? dbias.data() : nullptr,
                             partial.data(), kRows, f.width, drop});
    Outputs out;
    out.add("sum", sum);
    out.add("y", y);
    out.add("rstd", rstd);
    out.add("ds", ds);
    out.add("dbranch", dbranch);
    out.add("dweight", dweight);
    out.add("dbias", dbias);
    return out;
  };
  check_op(op, kGradient);
}

INSTANTIATE_TEST_SUITE_P(Norm, NormForms,
                         testing::Values(NormForm{384, true, true, 0}, NormForm{48, false, true, 0.25},
                                         NormForm{72, true, false, 0}, NormForm{8, false, false, 0},
                                         NormForm{200, true, true, 0.1}),
                         [](const auto& info) {
                           const NormForm& f = info.param;
                           return std::string(f.layer_norm ? "Layer" : "Rms") + std::to_string(f.width) +
                                  (f.branch ? "Branch" : "") + (f.dropout > 0 ? "Dropout" : "");
                         });

TEST(Rope, TurnsLikeTheReferenceAndBack) {
  const TestSegments s({40, 1, 90});
  for (const int32_t dim : {16, 24, 96, 128}) {
    SCOPED_TRACE(dim);
    const auto op = [&](auto real, const auto& ops, Exec& exec) {
      using Real = decltype(real);
      constexpr int32_t kHeads = 3;
      const int64_t stride = kHeads * dim + 8;
      auto x = numbers<Real>(kRows * stride, 1);
      const auto table = numbers<Real>(128 * dim, 2);
      ops.rope(exec, {x.data(), stride, s.position.data(), table.data(), kRows, kHeads, dim, false});
      Outputs out;
      out.add("turned", x);
      ops.rope(exec, {x.data(), stride, s.position.data(), table.data(), kRows, kHeads, dim, true});
      out.add("inverse", x);
      return out;
    };
    check_op(op, kOutput);
  }
}

TEST(Activations, GeluAndSwigluMatchTheReferenceIntoTheTails) {
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    constexpr int32_t kFfn = 100;
    auto x = numbers<Real>(2 * kRows * kFfn, 1, 3);
    for (int i = 0; i < 40; ++i) x[static_cast<size_t>(i)] = static_cast<Real>(10 * (i - 20));
    const auto dy = numbers<Real>(2 * kRows * kFfn, 2);
    std::vector<Real> gelu(x.size()), dgelu(x.size()), swiglu(x.size() / 2), dswiglu(x.size());
    ops.gelu_forward(exec, {x.data(), gelu.data(), static_cast<int64_t>(x.size())});
    ops.gelu_backward(exec, {x.data(), dy.data(), dgelu.data(), static_cast<int64_t>(x.size())});
    ops.swiglu_forward(exec, {x.data(), swiglu.data(), kRows, kFfn});
    ops.swiglu_backward(exec, {x.data(), dy.data(), dswiglu.data(), kRows, kFfn});
    Outputs out;
    out.add("gelu", gelu);
    out.add("dgelu", dgelu);
    out.add("swiglu", swiglu);
    out.add("dswiglu", dswiglu);
    return out;
  };
  check_op(op, kGradient);
}

TEST(Embedding, ForwardAndBackwardMatchTheReference) {
  constexpr int32_t kIds = 70, kWidth = 72, kMany = 900;
  std::vector<int32_t> token(kMany), position(kMany), start(kIds + 1), order;
  for (int32_t r = 0; r < kMany; ++r) {
    token[static_cast<size_t>(r)] = r % 3 == 0 ? 5 : r * r % kIds;  // one very frequent token: longer than a piece
    position[static_cast<size_t>(r)] = r % 64;
  }
  for (int32_t id = 0; id < kIds; ++id) {
    start[static_cast<size_t>(id)] = static_cast<int32_t>(order.size());
    for (int32_t r = 0; r < kMany; ++r)
      if (token[static_cast<size_t>(r)] == id) order.push_back(r);
  }
  start[kIds] = kMany;
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    const auto table = numbers<Real>(kIds * kWidth, 1), positions = numbers<Real>(64 * kWidth, 2),
               dout = numbers<Real>(kMany * kWidth, 3);
    std::vector<Real> learned(dout.size()), rotary(dout.size()), dtable = numbers<Real>(kIds * kWidth, 4);
    ops.embedding_forward(
        exec, {token.data(), position.data(), table.data(), positions.data(), learned.data(), kMany, kWidth, test_dropout(0.2)});
    ops.embedding_forward(exec, {token.data(), position.data(), table.data(), nullptr, rotary.data(), kMany, kWidth, {}});
    ops.embedding_backward(exec, {dout.data(), {start.data(), order.data(), kIds}, dtable.data(), kWidth});
    Outputs out;
    out.add("learned", learned);
    out.add("rotary", rotary);
    out.add("dtable", dtable);
    return out;
  };
  check_op(op, kGradient);
}

TEST(CrossEntropy, HardSoftAndAbsentTargetsMatchTheReference) {
  constexpr int32_t kMany = kXentRows + 37, kVocab = 101, kWidth = 40, kSoftRows = 5;
  std::vector<int32_t> target(kMany), soft_row(kMany), soft_index(kSoftRows * kSoftTaps);
  std::vector<float> soft_weight(soft_index.size());
  for (int32_t r = 0; r < kMany; ++r) {
    target[static_cast<size_t>(r)] = r % 7 == 3 ? -1 : r * 31 % kVocab;
    soft_row[static_cast<size_t>(r)] = r % 3 == 1 && r % 7 != 3 ? r % kSoftRows : -1;
  }
  for (size_t i = 0; i < soft_index.size(); ++i) {
    soft_index[i] = static_cast<int32_t>(i * 13 % kVocab);
    soft_weight[i] = static_cast<float>(1 + i % kSoftTaps) / 28;
  }
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    TestMatrix<Real> w(ops, exec, kVocab, kWidth, false, 1, 2);
    const auto x = numbers<Real>(int64_t{kMany} * kWidth, 2);
    std::vector<Real> logits(static_cast<size_t>(kXentRows) * kVocab), dx(x.size()), dw(w.data.size());
    std::vector<double> nll(kMany), only_nll(kMany);
    XentArgs<Real> args{x.data(),          w.matrix,           target.data(), soft_row.data(),
                        soft_index.data(), soft_weight.data(), logits.data(), nll.data(),
                        dx.data(),         dw.data(),          kMany};
    ops.xent(exec, args);
    args.dx = args.dw = nullptr;
    args.nll = only_nll.data();
    ops.xent(exec, args);
    EXPECT_EQ(nll, only_nll);
    EXPECT_EQ(nll[3], 0);
    Outputs out;
    out.add("nll", nll);
    out.add("dx", dx);
    out.add("dw", dw);
    return out;
  };
  check_op(op, kGradient);
}

// Logits far below or above zero must neither underflow nor overflow.
TEST(CrossEntropy, AnyShiftOfTheLogitsGivesTheSameLoss) {
  for (const auto& [isa, ops] : cpu_tables()) {
    SCOPED_TRACE(isa);
    for (const float shift : {-3000.0f, 0.0f, 3000.0f}) {
      Pool pool(1);
      Exec exec{pool, nullptr};
      constexpr int32_t kVocab = 9;
      std::vector<float> w(kVocab * 8, 0), packed(static_cast<size_t>(ops->packed_size(kVocab, 8, Precision::kFp32))), x(8, 0),
          logits(kVocab);
      for (int32_t v = 0; v < kVocab; ++v) w[static_cast<size_t>(v * 8)] = shift + static_cast<float>(v);
      x[0] = 1;
      const Matrix<float> matrix{w.data(), kVocab, 8, false, packed.data(), nullptr};
      ops->pack(exec, {matrix, packed.data(), nullptr});
      const int32_t target = 2;
      double nll = 0, sum = 0;
      ops->xent(exec, {x.data(), matrix, &target, nullptr, nullptr, nullptr, logits.data(), &nll, nullptr, nullptr, 1});
      for (int v = 0; v < kVocab; ++v) sum += std::exp(v - 2.0);
      EXPECT_NEAR(nll, std::log(sum), 1e-5);
    }
  }
}

TEST(Dropout, KeepsTheSameElementsOnEveryBackend) {
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    std::vector<Real> x(77 * 53, 1);
    ops.dropout(exec, {x.data(), 77, 53, test_dropout(0.3)});
    Outputs out;
    out.add("x", x);
    return out;
  };
  check_op(op, 0);
}

TEST(Dropout, KeepsTheMeanAndIsTheIdentityWhenOff) {
  for (const auto& [isa, ops] : cpu_tables()) {
    SCOPED_TRACE(isa);
    Pool pool(2);
    Exec exec{pool, nullptr};
    constexpr int32_t kMany = 1000, kWidth = 1000;
    std::vector<float> x(kMany * kWidth, 1);
    ops->dropout(exec, {x.data(), kMany, kWidth, {}});
    EXPECT_EQ(x, std::vector<float>(x.size(), 1));
    ops->dropout(exec, {x.data(), kMany, kWidth, test_dropout(0.1)});
    const auto kept = static_cast<double>(std::count_if(x.begin(), x.end(), [](float v) { return v != 0; })) / 1e6;
    EXPECT_NEAR(kept, 0.9, 5 * std::sqrt(0.09 / 1e6));
    double sum = 0;
    for (const float v : x) sum += static_cast<double>(v);
    EXPECT_NEAR(sum / 1e6, kept / 0.9, 1e-6);
  }
}

TEST(Adamw, MatchesTheReferenceOverThreeSteps) {
  constexpr int64_t kCount = 20011;
  const auto op = [&](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    auto weight = numbers<Real>(kCount, 1);
    std::vector<Real> m(kCount), v(kCount);
    for (int step = 1; step <= 3; ++step) {
      auto gradient = numbers<Real>(kCount, 10 + static_cast<uint32_t>(step));
      ops.adamw(exec, {weight.data(), gradient.data(), m.data(), v.data(), kCount, 1e-2, 0.9, 0.95, 1e-8, 0.1, 0.5,
                       1 - std::pow(0.9, step), 1 - std::pow(0.95, step)});
      EXPECT_EQ(gradient, std::vector<Real>(kCount));
    }
    Outputs out;
    out.add("weight", weight);
    out.add("m", m);
    out.add("v", v);
    return out;
  };
  check_op(op, kGradient);
}

// By hand: one element, one step. m = 0.1 g, v = 0.05 g^2, both corrected to g and g^2, so the step is lr sign(g) and the decay.
TEST(Adamw, TheFirstStepIsTheSignOfTheGradient) {
  Pool pool(1);
  Exec exec{pool, nullptr};
  double weight = 2, gradient = -0.25, m = 0, v = 0;
  ref::table().adamw(exec, {&weight, &gradient, &m, &v, 1, 0.01, 0.9, 0.95, 1e-8, 0.1, 1, 0.1, 0.05});
  EXPECT_NEAR(weight, 2 - 0.01 * (0.1 * 2 - 1), 1e-9);
  EXPECT_NEAR(m, -0.025, 1e-15);
  EXPECT_NEAR(v, 0.05 * 0.0625, 1e-15);
}

TEST(GradientNorm, IntegersAreExactAndTheTailCounts) {
  for (const auto& [isa, ops] : cpu_tables()) {
    SCOPED_TRACE(isa);
    for (const int64_t count : {int64_t{1}, kGradBlock - 1, kGradBlock, 3 * kGradBlock + 77}) {
      std::vector<float> g(static_cast<size_t>(count));
      double expected = 0;
      for (size_t i = 0; i < g.size(); ++i) {
        g[i] = static_cast<float>(i % 5) - 2;
        expected += static_cast<double>(g[i]) * static_cast<double>(g[i]);
      }
      for (const int threads : {1, 3}) {
        Pool pool(threads);
        Exec exec{pool, nullptr};
        std::vector<double> partial(static_cast<size_t>(grad_blocks(count)));
        double sum = 0;
        ops->grad_norm(exec, {g.data(), count, partial.data(), &sum});
        EXPECT_EQ(sum, expected) << count;
      }
    }
  }
}

}  // namespace
}  // namespace syn::tests
