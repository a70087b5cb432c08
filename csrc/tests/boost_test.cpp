// Boosted trees: they learn, they treat NaN as missing, and a seed is a result.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/boost.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

struct Table {
  std::vector<float> x, y;
  int64_t rows, columns = 5;
};

// y follows columns 0 and 1 and whether column 2 is missing; columns 3 and 4 are noise.
Table rule(uint64_t seed, int64_t rows) {
  Chance c(seed);
  Table t{{}, {}, rows};
  for (int64_t i = 0; i < rows; ++i) {
    const double a = c.unit(), b = c.unit();
    const bool missing = c.often(0.4);
    const bool yes = (a > 0.5) != (b > 0.3) || missing;
    for (const double v : {a, b, missing ? std::nan("") : c.unit(), c.unit(), c.often(0.2) ? std::nan("") : c.unit()})
      t.x.push_back(static_cast<float>(v));
    t.y.push_back(yes != c.often(0.02) ? 1.0f : 0.0f);
  }
  return t;
}

syn_boost_params boost_params() {
  syn_boost_params p;
  syn_boost_params_init(&p);
  p.rounds = 40;
  p.depth = 4;
  p.threads = 2;
  p.subsample = 0.8;
  p.colsample = 0.8;
  p.seed = 7;
  return p;
}

std::vector<float> fit_predict(const syn_boost_params& p, const Table& train, const Table& test) {
  std::vector<float> out(static_cast<size_t>(test.rows), -1);
  syn_error error = {};
  error.size = sizeof error;
  EXPECT_EQ(syn_boost_fit_predict(&p, train.x.data(), train.y.data(), train.rows, train.columns, test.x.data(), test.rows,
                                  out.data(), &error),
            SYN_OK)
      << error.message;
  return out;
}

double auc(const std::vector<float>& score, const std::vector<float>& y) {
  double above = 0, pairs = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    for (size_t j = 0; j < y.size(); ++j) {
      if (y[i] <= y[j]) continue;
      ++pairs;
      above += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
    }
  }
  return above / pairs;
}

bool absent() { return !std::isdigit(static_cast<unsigned char>(boost_description()[0])); }

TEST(Boost, learns_a_rule_with_missing_values) {
  if (absent() && !std::getenv("CI")) GTEST_SKIP() << boost_description();
  const Table train = rule(1, 2000), test = rule(2, 500);
  const auto p = fit_predict(boost_params(), train, test);
  EXPECT_TRUE(std::all_of(p.begin(), p.end(), [](float x) { return x > 0 && x < 1; }));
  EXPECT_GT(auc(p, test.y), 0.9);
}

TEST(Boost, the_same_seed_gives_the_same_bits_and_another_one_does_not) {
  if (absent() && !std::getenv("CI")) GTEST_SKIP() << boost_description();
  const Table train = rule(1, 800), test = rule(2, 200);
  syn_boost_params p = boost_params();
  const auto first = fit_predict(p, train, test);
  EXPECT_EQ(first, fit_predict(p, train, test));
  p.seed += uint64_t{1} << 32;  // the upper half counts too
  EXPECT_NE(first, fit_predict(p, train, test));
}

TEST(Boost, nonsense_is_a_sentence) {
  const Table train = rule(1, 20);
  float out[20];
  syn_error error = {};
  error.size = sizeof error;
  const auto call = [&](const syn_boost_params& p, const std::vector<float>& x, const std::vector<float>& y) {
    return syn_boost_fit_predict(&p, x.data(), y.data(), 20, 5, x.data(), 20, out, &error);
  };
  syn_boost_params p = boost_params();
  auto x = train.x, y = train.y;
  x[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(call(p, x, y), SYN_NUMERIC);
  EXPECT_STREQ(error.message, "row 1, column 2 of x is infinite");
  y[3] = 0.5f;
  EXPECT_EQ(call(p, train.x, y), SYN_INVALID_ARGUMENT);
  p.rounds = 0;
  EXPECT_EQ(call(p, train.x, train.y), SYN_INVALID_ARGUMENT);
  p = boost_params();
  p.learning_rate = std::nan("");
  EXPECT_EQ(call(p, train.x, train.y), SYN_INVALID_ARGUMENT);
  p = boost_params();
  p.size = 0;
  EXPECT_EQ(call(p, train.x, train.y), SYN_ABI_MISMATCH);
  EXPECT_EQ(syn_boost_fit_predict(nullptr, nullptr, nullptr, 1, 1, nullptr, 0, nullptr, nullptr), SYN_INVALID_ARGUMENT);
  syn_boost_params_init(nullptr);
}

}  // namespace
}  // namespace syn::tests
