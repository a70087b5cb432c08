// Decoding against the training forward pass, and a row against itself in other company.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/decode.h"
#include "tests/full_forward.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

struct DecodeShape {
  const char* name;
  int32_t family, heads, kv_heads, head_dim, context;
  int32_t window = 0;
};

const DecodeShape kShapes[] = {
    {"GPT-2, heads of 16", SYN_GPT2, 3, 3, 16, 40},      {"GPT-2, heads of 96", SYN_GPT2, 2, 2, 96, 70},
    {"Llama, heads of 96", SYN_LLAMA, 4, 1, 96, 66},     {"Llama, heads of 128", SYN_LLAMA, 4, 2, 128, 33},
    {"Llama, heads of 24", SYN_LLAMA, 6, 3, 24, 40},     {"Llama, heads of 56", SYN_LLAMA, 2, 2, 56, 32},
    {"GPT-2, two pages", SYN_GPT2, 2, 2, 16, 270},       {"Llama, a window of 7", SYN_LLAMA, 4, 2, 24, 270, 7},
    {"GPT-2, a window of 1", SYN_GPT2, 2, 2, 16, 40, 1}, {"Llama, a window of 150", SYN_LLAMA, 2, 1, 16, 300, 150},
};

Shape shape_for(const DecodeShape& d) {
  syn_model_config c;
  syn_model_config_init(&c);
  c.family = d.family;
  c.vocab = 77;
  c.heads = d.heads;
  c.kv_heads = d.kv_heads;
  c.head_dim = d.head_dim;
  c.width = d.family == SYN_GPT2 ? d.heads * d.head_dim : 88;
  c.layers = 2;
  c.ffn = 104;
  c.context = d.context;
  c.tied = d.family == SYN_GPT2;
  c.init_std = 0.15f;
  c.window = d.window;
  return shape_of(c);
}

template <class Real>
std::shared_ptr<ModelOf<Real>> model_for(const Shape& shape, int32_t threads) {
  const int32_t backend = sizeof(Real) == sizeof(float) ? SYN_BACKEND_CPU : SYN_BACKEND_REF;
  return std::static_pointer_cast<ModelOf<Real>>(Model::create(std::make_shared<Device>(backend, threads), shape, 3));
}

std::vector<int32_t> random_tokens(Chance& c, int32_t count, int32_t vocab) {
  std::vector<int32_t> out;
  for (int32_t i = 0; i < count; ++i) out.push_back(c.below(vocab));
  return out;
}

// Feeds several sequences, each in its slot, one token a step, until the last one ends: all the logits of each.
template <class Real>
std::vector<std::vector<Real>> decode_all(const std::shared_ptr<ModelOf<Real>>& model, Decoder<Real>& decoder,
                                          const std::vector<std::vector<int32_t>>& sequences, const std::vector<int32_t>& slots) {
  Exec exec{model->device()->pool, nullptr};
  decoder.refresh(exec);
  const Head<Real> head(model);
  const auto vocab = static_cast<std::ptrdiff_t>(model->shape().vocab);
  std::vector<std::vector<Real>> out(sequences.size());
  for (size_t p = 0;; ++p) {
    std::vector<int32_t> token, slot, position, which;
    for (size_t i = 0; i < sequences.size(); ++i) {
      if (p >= sequences[i].size()) continue;
      token.push_back(sequences[i][p]);
      slot.push_back(slots[i]);
      position.push_back(static_cast<int32_t>(p));
      which.push_back(static_cast<int32_t>(i));
    }
    if (token.empty()) return out;
    const auto rows = static_cast<int32_t>(token.size());
    const auto logits = head.logits(decoder.step(exec, {token.data(), slot.data(), position.data(), rows, rows}), rows);
    for (size_t r = 0; r < token.size(); ++r) {
      auto& to = out[static_cast<size_t>(which[r])];
      const auto from = logits.begin() + static_cast<std::ptrdiff_t>(r) * vocab;
      to.insert(to.end(), from, from + vocab);
    }
  }
}

template <class Real>
void expect_full_forward(double tolerance) {
  for (const DecodeShape& d : kShapes) {
    const Shape shape = shape_for(d);
    const auto model = model_for<Real>(shape, 2);
    Decoder<Real> decoder(model, 3);
    Chance c(8);
    const std::vector<std::vector<int32_t>> sequences = {random_tokens(c, d.context, shape.vocab),
                                                         random_tokens(c, 1, shape.vocab), random_tokens(c, 31, shape.vocab)};
    const auto got = decode_all(model, decoder, sequences, {2, 0, 1});
    for (size_t i = 0; i < sequences.size(); ++i) {
      const std::vector<Real> want = full_forward(*model, sequences[i]);
      double error = 0, most = 0;
      for (size_t j = 0; j < want.size(); ++j) {
        error = std::max(error, std::fabs(static_cast<double>(want[j]) - static_cast<double>(got[i][j])));
        most = std::max(most, std::fabs(static_cast<double>(want[j])));
      }
      EXPECT_LE(error, tolerance * most) << d.name << ", sequence " << i;
      EXPECT_GT(most, 0.1) << "the logits must have something to say";
    }
  }
}

TEST(Decode, logits_are_those_of_the_full_forward_pass_in_ref) { expect_full_forward<double>(1e-9); }
TEST(Decode, logits_are_those_of_the_full_forward_pass_in_cpu) { expect_full_forward<float>(2e-5); }

// The root of the mean square of got - want, as a part of that of want.
template <class Real, class Other>
double distance(const std::vector<Real>& want, const std::vector<Other>& got) {
  double error = 0, size = 0;
  for (size_t j = 0; j < want.size(); ++j) {
    const double difference = static_cast<double>(want[j]) - static_cast<double>(got[j]);
    error += difference * difference;
    size += static_cast<double>(want[j]) * static_cast<double>(want[j]);
  }
  return std::sqrt(error / size);
}

// What fewer bits cost: the distance of their logits from those of the full forward pass.
template <class Real>
double distance_from_full_forward(const DecodeShape& d, Precision precision, CacheNumbers cached) {
  const Shape shape = shape_for(d);
  const auto model = model_for<Real>(shape, 2);
  Decoder<Real> decoder(model, 1, precision, cached);
  Chance c(12);
  const auto sequence = random_tokens(c, std::min(d.context, 40), shape.vocab);
  return distance(full_forward(*model, sequence), decode_all(model, decoder, {sequence}, {0})[0]);
}

template <class Real>
void expect_int8_near_full_forward() {
  const double far = distance_from_full_forward<Real>(kShapes[1], Precision::kInt8, CacheNumbers::kOwn);
  EXPECT_LT(far, 0.05);
  EXPECT_GT(far, 1e-4) << "int8 must have reached the products";
}

TEST(Decode, int8_is_near_the_full_forward_pass_in_ref) { expect_int8_near_full_forward<double>(); }
TEST(Decode, int8_is_near_the_full_forward_pass_in_cpu) { expect_int8_near_full_forward<float>(); }

// A half is rounded by at most 2^-11 of it, here twice, for keys and for values.
template <class Real>
void expect_halves_near_full_forward() {
  for (const DecodeShape& d : kShapes) {
    const double far = distance_from_full_forward<Real>(d, Precision::kFp32, CacheNumbers::kHalf);
    EXPECT_LT(far, 1.0 / 1024) << d.name;
    EXPECT_GT(far, 1e-5) << d.name << ": halves must have reached the cache";
  }
}

TEST(Decode, halves_in_the_cache_are_near_the_full_forward_pass_in_ref) { expect_halves_near_full_forward<double>(); }
TEST(Decode, halves_in_the_cache_are_near_the_full_forward_pass_in_cpu) { expect_halves_near_full_forward<float>(); }

TEST(Decode, halves_in_the_cache_are_those_of_the_reference) {
  for (const DecodeShape& d : kShapes) {
    const Shape shape = shape_for(d);
    const auto exact = model_for<double>(shape, 2);
    const auto model = model_for<float>(shape, 2);
    Decoder<double> oracle(exact, 1, Precision::kFp32, CacheNumbers::kHalf);
    Decoder<float> decoder(model, 1, Precision::kFp32, CacheNumbers::kHalf);
    Chance c(14);
    const auto sequence = random_tokens(c, d.context, shape.vocab);
    const auto want = decode_all(exact, oracle, {sequence}, {0})[0];
    // A number on the edge of two halves may go either way, so that the two are not as near as without halves.
    EXPECT_LT(distance(want, decode_all(model, decoder, {sequence}, {0})[0]), 1e-4) << d.name;
  }
}

TEST(Decode, a_row_has_the_same_bits_alone_and_among_70) {
  for (const DecodeShape& d : kShapes) {
    const Shape shape = shape_for(d);
    Chance c(9);
    std::vector<std::vector<int32_t>> sequences;
    std::vector<int32_t> slots;
    for (int32_t i = 0; i < 70; ++i) {
      sequences.push_back(random_tokens(c, 1 + c.below(d.context), shape.vocab));
      slots.push_back((i * 37 + 5) % 71);
    }
    const auto model = model_for<float>(shape, 1), threaded = model_for<float>(shape, 3);
    for (const CacheNumbers cached : {CacheNumbers::kOwn, CacheNumbers::kHalf}) {
      Decoder<float> alone(model, 1, Precision::kFp32, cached), crowd(threaded, 71, Precision::kFp32, cached);
      const auto together = decode_all(threaded, crowd, sequences, slots);
      for (const size_t i : {size_t{0}, size_t{33}, size_t{69}}) {
        EXPECT_EQ(decode_all(model, alone, {sequences[i]}, {0})[0], together[i]) << d.name << ", row " << i;
      }
    }
  }
}

TEST(Decode, a_window_of_the_context_changes_no_bit_and_a_smaller_one_does) {
  DecodeShape d{"Llama, two pages", SYN_LLAMA, 2, 1, 24, 270};
  Chance c(16);
  const auto sequence = random_tokens(c, d.context, 77);
  for (const CacheNumbers cached : {CacheNumbers::kOwn, CacheNumbers::kHalf}) {
    std::vector<std::vector<float>> logits;
    std::vector<std::vector<double>> oracle;
    for (const int32_t window : {0, 270, 1 << 24, 269}) {
      d.window = window;
      const auto model = model_for<float>(shape_for(d), 2);
      const auto exact = model_for<double>(shape_for(d), 1);
      Decoder<float> decoder(model, 1, Precision::kFp32, cached);
      Decoder<double> reference(exact, 1, Precision::kFp32, cached);
      logits.push_back(decode_all(model, decoder, {sequence}, {0})[0]);
      oracle.push_back(decode_all(exact, reference, {sequence}, {0})[0]);
    }
    for (const size_t i : {size_t{1}, size_t{2}}) {
      EXPECT_EQ(logits[i], logits[0]);
      EXPECT_EQ(oracle[i], oracle[0]);
    }
    EXPECT_NE(logits[3], logits[0]);
    EXPECT_NE(oracle[3], oracle[0]);
  }
}

TEST(Decode, a_slot_forgets_the_record_before) {
  const Shape shape = shape_for(kShapes[2]);
  const auto model = model_for<float>(shape, 1);
  Decoder<float> used(model, 1), fresh(model, 1);
  Chance c(10);
  const auto sequence = random_tokens(c, 40, shape.vocab);
  decode_all(model, used, {random_tokens(c, shape.context, shape.vocab)}, {0});
  EXPECT_EQ(decode_all(model, used, {sequence}, {0}), decode_all(model, fresh, {sequence}, {0}));
}

TEST(Decode, sees_new_weights) {
  const Shape shape = shape_for(kShapes[0]);
  const auto model = model_for<float>(shape, 1);
  Decoder<float> decoder(model, 1);
  const auto before = decode_all(model, decoder, {{1, 2, 3}}, {0});
  const auto tensors = static_cast<int32_t>(model->layout().tensors.size());
  for (int32_t i = 0; i < tensors; ++i) {
    const Tensor& t = model->layout().tensors[static_cast<size_t>(i)];
    std::vector<float> values(static_cast<size_t>(t.count));
    model->read(i, SYN_F32, values.data(), t.count);
    for (float& x : values) x *= 1.5f;
    model->write(i, SYN_F32, values.data(), t.count);
  }
  EXPECT_NE(decode_all(model, decoder, {{1, 2, 3}}, {0}), before);
}

}  // namespace
}  // namespace syn::tests
