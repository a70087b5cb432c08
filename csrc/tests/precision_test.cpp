// bf16: the rounding itself, that what an op stores is the rounding of what it computes, and how far the CPU backend may be from
// the reference: at most twice as far as bf16 itself moves the reference.
#include "ops/precision.h"

#include <array>

#include "tests/op_check.h"
#include "tests/trainer_fixture.h"

namespace syn::tests {
namespace {

constexpr Precision kBf16 = Precision::kBf16;

std::vector<float> rounded(std::vector<float> x) {
  for (float& v : x) v = round_bf16(v);
  return x;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Precision, round_bf16_is_nearest_even_without_subnormals) {
  EXPECT_EQ(round_bf16(1.0f), 1.0f);
  EXPECT_EQ(round_bf16(1.0f + 0x1p-8f), 1.0f);                // a tie goes to the even one
  EXPECT_EQ(round_bf16(1.0f + 3 * 0x1p-8f), 1.0f + 0x1p-6f);  // and upwards where that is even
  EXPECT_EQ(round_bf16(1.0f + 0x1p-8f + 0x1p-20f), 1.0f + 0x1p-7f);
  EXPECT_EQ(round_bf16(-0x1p-126f), -0x1p-126f);
  EXPECT_EQ(round_bf16(0x1.fffffcp-127f), 0.0f);  // subnormal, though it would round to a normal number
  EXPECT_TRUE(std::signbit(round_bf16(-0x1p-140f)));
  EXPECT_EQ(round_bf16(0x1.fep127f), 0x1.fep127f);
  EXPECT_EQ(round_bf16(0x1.ffp127f), INFINITY);
  EXPECT_EQ(round_bf16(-INFINITY), -INFINITY);
  EXPECT_TRUE(std::isnan(round_bf16(NAN)));
  EXPECT_TRUE(std::isnan(round_bf16(static_cast<double>(NAN))));
  // Of a double directly: through float it would be rounded twice.
  EXPECT_EQ(round_bf16(1.0 + 0x1p-8 + 0x1p-40), 1.0 + 0x1p-7);
  EXPECT_EQ(round_bf16(1e300), static_cast<double>(INFINITY));
  EXPECT_EQ(round_bf16(-1e-300), 0.0);
}

// Every exponent, sign and kind of mantissa. Of a row without heads RoPE only rounds it.
TEST(Precision, every_kernel_rounds_alike) {
  std::vector<float> x;
  for (uint32_t high = 0; high < 1u << 12; ++high)
    for (const uint32_t low : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu, 0x18000u, 0x18001u, 0x7FFFFu, 0xFFFFFu})
      x.push_back(float_of(high << 20 | low));
  const int32_t position = 0;
  for (const float v : x) {
    const double wide = round_bf16(static_cast<double>(v));
    const float narrow = round_bf16(v);
    ASSERT_TRUE(std::isnan(v) ? std::isnan(wide) && std::isnan(narrow) : wide == static_cast<double>(narrow)) << v;
  }
  for (const auto& [isa, ops] : cpu_tables()) {
    Pool pool(1);
    Exec exec{pool, nullptr};
    std::vector<float> got = x;
    ops->rope(exec, {got.data(), static_cast<int64_t>(got.size()), &position, nullptr, 1, 0, 16, false, kBf16});
    EXPECT_TRUE(same_bits(got, rounded(x))) << isa;
  }
}

// Runs an op once for either precision of its result.
template <class Op>
void expect_rounded(Op&& op) {
  for (const auto& [isa, ops] : cpu_tables())
    for (const int threads : {1, 2, 3, 7}) {
      Pool pool(threads);
      Exec exec{pool, nullptr};
      EXPECT_TRUE(same_bits(op(*ops, exec, kBf16), rounded(op(*ops, exec, Precision::kFp32)))) << isa << ", threads " << threads;
    }
}

constexpr int32_t kRows = 70, kWidth = 72;
constexpr int64_t kCount = int64_t{kRows} * kWidth;

TEST(Precision, what_an_op_stores_is_what_it_computes_rounded) {
  const auto x = numbers<float>(kCount, 1), dy = numbers<float>(kCount, 2), w = numbers<float>(kWidth, 3);
  for (const double p : {0.0, 0.2}) {
    const Dropout drop = p > 0 ? test_dropout(p) : Dropout{};
    expect_rounded([&](const Ops<float>& ops, Exec& exec, Precision result) {  // y of a norm
      std::vector<float> sum(x.size()), y(x.size());
      ops.norm_forward(exec, {x.data(), dy.data(), sum.data(), w.data(), w.data(), y.data(), nullptr, nullptr, kRows, kWidth,
                              1e-5f, drop, result});
      return y;
    });
    expect_rounded([&](const Ops<float>& ops, Exec& exec, Precision result) {  // the gradient of its branch
      std::vector<float> ds = dy, dbranch(x.size()), rstd(kRows, 1.5f), dw(kWidth),
                         partial(static_cast<size_t>(norm_partial(kRows, kWidth)));
      ops.norm_backward(exec, {dy.data(), x.data(), w.data(), nullptr, rstd.data(), ds.data(), dbranch.data(), dw.data(), nullptr,
                               partial.data(), kRows, kWidth, drop, result});
      return dbranch;
    });
  }
  expect_rounded([&](const Ops<float>& ops, Exec& exec, Precision result) {
    std::vector<float> out(x.size());
    ops.gelu_forward(exec, {x.data(), out.data(), kCount, result});
    return out;
  });
  expect_rounded([&](const Ops<float>& ops, Exec& exec, Precision result) {
    std::vector<float> out(x.size());
    ops.gelu_backward(exec, {x.data(), dy.data(), out.data(), kCount, result});
    return out;
  });
  expect_rounded([&](const Ops<float>& ops, Exec& exec, Precision result) {
    std::vector<float> out(x.size() / 2);
    ops.swiglu_forward(exec, {x.data(), out.data(), kRows, kWidth / 2, result});
    return out;
  });
  expect_rounded([&](const Ops<float>& ops, Exec& exec, Precision result) {
    std::vector<float> out(x.size());
    ops.swiglu_backward(exec, {x.data(), dy.data(), out.data(), kRows, kWidth / 2, result});
    return out;
  });
  expect_rounded([&](const Ops<float>& ops, Exec& exec, Precision result) {  // q and k are turned, v is only rounded
    std::vector<float> out = x;
    const std::vector<int32_t> position(kRows, 1);
    ops.rope(exec, {out.data(), kWidth, position.data(), w.data(), kRows, 2, 24, false, result});
    return out;
  });
}

TEST(Precision, a_product_in_bf16_is_that_of_rounded_weights) {
  constexpr int32_t kOut = 100;
  const auto x = rounded(numbers<float>(kCount, 1)), dy = rounded(numbers<float>(int64_t{kRows} * kOut, 2)),
             bias = numbers<float>(kOut, 3), data = numbers<float>(int64_t{kOut} * kWidth, 4);
  for (const auto& [isa, ops] : cpu_tables()) {
    SCOPED_TRACE(isa);
    Pool pool(2);
    Exec exec{pool, nullptr};
    const auto run = [&](const std::vector<float>& of, Precision precision, Precision result) {
      std::vector<float> packed(static_cast<size_t>(ops->packed_size(kOut, kWidth, Precision::kFp32))),
          packed_t(static_cast<size_t>(ops->packed_size(kWidth, kOut, Precision::kFp32))), y(dy.size()), gelu(dy.size()),
          dx(x.size());
      const Matrix<float> w{of.data(), kOut, kWidth, false, packed.data(), packed_t.data(), precision};
      ops->pack(exec, {w, packed.data(), packed_t.data()});
      ops->linear_forward(exec, {x.data(), w, bias.data(), y.data(), gelu.data(), kRows, Activation::kGelu, result});
      ops->linear_backward_input(exec, {dy.data(), w, dx.data(), kRows, result});
      return std::array<std::vector<float>, 3>{y, gelu, dx};
    };
    const auto plain = run(rounded(data), Precision::kFp32, Precision::kFp32), sums = run(data, kBf16, Precision::kFp32),
               stored = run(data, kBf16, kBf16);
    for (const int i : {0, 2}) {
      const auto at = static_cast<size_t>(i);
      for (size_t j = 0; j < plain[at].size(); ++j)
        ASSERT_NEAR(sums[at][j], plain[at][j], 1e-4f);  // of some 10, in another order
      EXPECT_TRUE(same_bits(stored[at], rounded(sums[at])));
    }
    std::vector<float> gelu(dy.size());
    ops->gelu_forward(exec, {stored[0].data(), gelu.data(), static_cast<int64_t>(gelu.size()), kBf16});
    EXPECT_TRUE(same_bits(stored[1], gelu)) << "the activation is that of the rounded sum";
  }
}

// The part of the elements that are the same to the last bit.
double same_share(const std::vector<double>& x, const std::vector<double>& y) {
  size_t same = 0;
  for (size_t i = 0; i < x.size(); ++i) same += x[i] == y[i];
  return static_cast<double>(same) / static_cast<double>(x.size());
}

struct Attended {
  std::vector<double> out, lse, dqkv;
};

template <class Real>
Attended attend(const Ops<Real>& ops, int threads, const TestSegments& segments, double dropout, Precision precision) {
  constexpr int32_t kHeads = 4, kKvHeads = 2, kDim = 24;
  Pool pool(threads);
  Exec exec{pool, nullptr};
  const Segments s = segments.view();
  const Dropout drop = dropout > 0 ? test_dropout(dropout) : Dropout{};
  auto qkv = numbers<Real>(int64_t{s.rows} * (kHeads + 2 * kKvHeads) * kDim, 1, 1.5),
       dout = numbers<Real>(int64_t{s.rows} * kHeads * kDim, 2);
  for (Real& v : qkv) v = round_bf16(v);
  for (Real& v : dout) v = round_bf16(v);
  std::vector<Real> out(dout.size()), lse(static_cast<size_t>(s.rows) * kHeads), dqkv(qkv.size()), delta(lse.size());
  const Real scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(kDim)));
  ops.attention_forward(exec, {qkv.data(), s, kHeads, kKvHeads, kDim, scale, out.data(), lse.data(), drop, precision});
  ops.attention_backward(exec, {qkv.data(), out.data(), lse.data(), dout.data(), s, kHeads, kKvHeads, kDim, scale, dqkv.data(),
                                delta.data(), drop, precision, precision});
  return {{out.begin(), out.end()}, {lse.begin(), lse.end()}, {dqkv.begin(), dqkv.end()}};
}

TEST(Precision, attention_in_bf16_follows_the_reference) {
  const TestSegments ragged({1, 63, 64, 65, 129, 200}), whole({300});
  for (const double dropout : {0.0, 0.2}) {
    const Attended exact = attend(ref::table(), 1, ragged, dropout, Precision::kFp32),
                   oracle = attend(ref::table(), 1, ragged, dropout, kBf16);
    EXPECT_GT(apart(oracle.dqkv, exact.dqkv), 1e-3);
    for (const auto& [isa, ops] : cpu_tables()) {
      const Attended got = attend(*ops, 1, ragged, dropout, kBf16);
      EXPECT_LE(apart(got.out, oracle.out), 2 * apart(oracle.out, exact.out)) << isa;
      EXPECT_LE(apart(got.lse, oracle.lse), 1e-6) << isa;
      EXPECT_LE(apart(got.dqkv, oracle.dqkv), 2 * apart(oracle.dqkv, exact.dqkv)) << isa;
      // What is rounded is the same number but for its last bits, so nearly all of it rounds to the same.
      EXPECT_GT(same_share(got.out, oracle.out), 0.99) << isa;
      EXPECT_GT(same_share(got.dqkv, oracle.dqkv), 0.98) << isa;
      for (const TestSegments* segments : {&ragged, &whole}) {  // many threads go through the tiles of one record twice
        const Attended one = attend(*ops, 1, *segments, dropout, kBf16);
        for (const int threads : {2, 3, 7}) EXPECT_EQ(attend(*ops, threads, *segments, dropout, kBf16).dqkv, one.dqkv) << isa;
      }
    }
  }
}

TEST(Precision, the_gradient_of_the_logits_is_rounded) {
  constexpr int32_t kVocab = 101;
  const int32_t target[2] = {7, -1};
  for (const auto& [isa, ops] : cpu_tables()) {
    Pool pool(1);
    Exec exec{pool, nullptr};
    std::vector<float> packed(static_cast<size_t>(ops->packed_size(kVocab, kWidth, Precision::kFp32))),
        packed_t(static_cast<size_t>(ops->packed_size(kWidth, kVocab, Precision::kFp32))), logits(2 * kVocab), dx(2 * kWidth),
        dw(kVocab * kWidth);
    const auto data = numbers<float>(kVocab * kWidth, 1, 0.1), x = rounded(numbers<float>(2 * kWidth, 2));
    const Matrix<float> w{data.data(), kVocab, kWidth, false, packed.data(), packed_t.data(), kBf16};
    ops->pack(exec, {w, packed.data(), packed_t.data()});
    double nll[2];
    ops->xent(exec, {x.data(), w, target, nullptr, nullptr, nullptr, logits.data(), nll, dx.data(), dw.data(), 2});
    EXPECT_TRUE(same_bits(logits, rounded(logits))) << isa;
    double sum = 0;
    for (int32_t v = 0; v < kVocab; ++v) sum += static_cast<double>(logits[static_cast<size_t>(v)]);
    EXPECT_NEAR(sum, 0, 0.01) << isa;
    EXPECT_EQ(std::vector<float>(logits.begin() + kVocab, logits.end()), std::vector<float>(kVocab)) << isa;
  }
}

TEST(Precision, a_step_in_bf16_follows_the_reference) {
  const TrainingBatch batch({65, 1, 64, 30}, 131, Training::kSoftRows);
  syn_model_config gpt2 = small_config(SYN_GPT2, 131, 96, 2, 3, 3, 32, 128, 70, true);
  syn_model_config llama = small_config(SYN_LLAMA, 131, 64, 2, 4, 2, 24, 96, 70, false);
  gpt2.dropout = llama.dropout = 0.2f;
  gpt2.init_std = llama.init_std = 0.1f;  // livelier than fresh weights
  for (const auto& config : {gpt2, llama}) {
    Training exact(SYN_BACKEND_REF, config, batch), oracle(SYN_BACKEND_REF, config, batch, 1, SYN_PRECISION_BF16),
        cpu(SYN_BACKEND_CPU, config, batch, 2, SYN_PRECISION_BF16);
    const double loss = exact.accumulate(batch).sum, rounded_loss = oracle.accumulate(batch).sum, got = cpu.accumulate(batch).sum;
    EXPECT_NE(loss, rounded_loss);
    EXPECT_NEAR(got, rounded_loss, 2 * std::fabs(rounded_loss - loss) + 1e-5 * loss);
    EXPECT_NEAR(rounded_loss / loss, 1, 2e-3);
    const auto a = exact.all_gradients(), b = oracle.all_gradients(), c = cpu.all_gradients();
    EXPECT_LE(apart(c, b), 2 * apart(b, a)) << "family " << config.family;
    EXPECT_LE(apart(b, a), 5e-2);
  }
}

}  // namespace
}  // namespace syn::tests
