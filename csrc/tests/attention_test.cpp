// Attention: against the oracle for every head size and ragged segments, and the properties that packing promises.
#include "tests/attention_run.h"

namespace syn::tests {
namespace {

class AttentionShapes : public testing::TestWithParam<Heads> {};

TEST_P(AttentionShapes, MatchesTheReferenceOnRaggedSegments) {
  check_attention(GetParam(), TestSegments({1, 2, 63, 64, 65, 129}));
}

// Every head size that there is; 1 to 8 heads to a key/value head, of which there are 1 or 2; every third with dropout.
std::vector<Heads> every_head_size() {
  std::vector<Heads> out;
  for (int32_t i = 0; i < 15; ++i) {
    const int32_t group = i % 8 + 1, kv_heads = group <= 2 ? 2 : 1;
    out.push_back({group * kv_heads, kv_heads, 16 + 8 * i, i % 3 == 1 ? 0.2 : 0});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Attention, AttentionShapes, testing::ValuesIn(every_head_size()), [](const auto& info) {
  return "heads" + std::to_string(info.param.heads) + "over" + std::to_string(info.param.kv_heads) + "of" +
         std::to_string(info.param.dim) + (info.param.dropout > 0 ? "dropout" : "");
});

// Every length up to a tile and a bit, and those around the edges of the next four tiles.
TEST(Attention, every_length_matches_the_reference) {
  std::vector<int32_t> lengths;
  for (int32_t n = 1; n <= 300; ++n)
    if (n <= 66 || n % 64 <= 1 || n % 64 == 63 || n >= 299) lengths.push_back(n);
  check_attention({1, 1, 16, 0.1}, TestSegments(lengths));
}

TEST(Attention, SegmentsPackedOrAloneHaveTheSameBits) {
  if (cpu_tables().empty()) GTEST_SKIP() << "no CPU backend here";
  const Heads h{2, 1, 96, 0};
  const TestSegments packed({130, 1, 65, 200});
  const Tensors<float> all = run_cpu(h, packed, Tensors<float>(h, packed.view().rows), 2);
  const int64_t qkv = (h.heads + 2 * h.kv_heads) * h.dim, out = h.heads * h.dim;
  for (size_t s = 0; s + 1 < packed.offsets.size(); ++s) {
    const int32_t begin = packed.offsets[s], end = packed.offsets[s + 1];
    const TestSegments one({end - begin});
    Tensors<float> t(h, end - begin);
    t.qkv = rows_of(all.qkv, qkv, begin, end);
    t.dout = rows_of(all.dout, out, begin, end);
    t = run_cpu(h, one, t, 1);
    EXPECT_EQ(t.out, rows_of(all.out, out, begin, end)) << "segment " << s;
    EXPECT_EQ(t.dqkv, rows_of(all.dqkv, qkv, begin, end)) << "segment " << s;
  }
}

// One thread goes through the tiles once, many threads and one segment go through them twice: the sums must not notice.
TEST(Attention, OnePassAndTwoPassesHaveTheSameBits) {
  if (cpu_tables().empty()) GTEST_SKIP() << "no CPU backend here";
  for (const double p : {0.0, 0.3}) {
    const Heads h{4, 2, 64, p};
    const TestSegments long_one({333});
    const Tensors<float> input(h, 333);
    const Tensors<float> one_pass = run_cpu(h, long_one, input, 1), two_passes = run_cpu(h, long_one, input, 3);
    EXPECT_EQ(one_pass.dqkv, two_passes.dqkv);
  }
}

TEST(Attention, NoSegmentSeesAnotherNorTheFuture) {
  if (cpu_tables().empty()) GTEST_SKIP() << "no CPU backend here";
  const Heads h{2, 2, 32, 0};
  const TestSegments s({70, 80});
  Tensors<float> t(h, 150);
  const Tensors<float> before = run_cpu(h, s, t, 1);
  const int64_t qkv = 3 * h.heads * h.dim, out = h.heads * h.dim;
  for (int64_t i = 100 * qkv; i < 101 * qkv; ++i) t.qkv[static_cast<size_t>(i)] += 1;  // row 30 of the second segment
  const Tensors<float> after = run_cpu(h, s, t, 1);
  EXPECT_EQ(rows_of(before.out, out, 0, 100), rows_of(after.out, out, 0, 100));
  EXPECT_NE(rows_of(before.out, out, 100, 101), rows_of(after.out, out, 100, 101));
  EXPECT_NE(rows_of(before.out, out, 149, 150), rows_of(after.out, out, 149, 150));
  EXPECT_EQ(rows_of(before.dqkv, qkv, 0, 70), rows_of(after.dqkv, qkv, 0, 70));
}

TEST(Attention, TheFirstRowIsItsOwnValue) {
  if (cpu_tables().empty()) GTEST_SKIP() << "no CPU backend here";
  const Heads h{1, 1, 16, 0};
  const TestSegments s({3});
  const Tensors<float> t = run_cpu(h, s, Tensors<float>(h, 3), 1);
  for (int32_t i = 0; i < h.dim; ++i) EXPECT_EQ(t.out[static_cast<size_t>(i)], t.qkv[static_cast<size_t>(2 * h.dim + i)]);
}

}  // namespace
}  // namespace syn::tests
