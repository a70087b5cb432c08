// cuda/attention_decode.cu against the reference, over contexts of one and several pages and heads of every size.
#include <cmath>

#include "ref/decode.h"
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

struct DecodeCase {
  int32_t context, heads, kv_heads, dim;
  std::vector<int32_t> position;  // of each row; row r has slot rows - 1 - r
  int32_t window = 0;
};

// The cache of two layers, of which the second is used; what no record has written is NaN.
struct DecodeCache {
  int32_t page, pages, slots;
  int64_t layer, page_stride, slot_stride;
  std::vector<double> cache;

  explicit DecodeCache(const DecodeCase& c)
      : page(cache_page(c.context)),
        pages(cache_pages(c.context)),
        slots(static_cast<int32_t>(c.position.size())),
        layer(int64_t{2} * c.kv_heads * page * c.dim),
        page_stride(2 * layer),
        slot_stride(pages * page_stride),
        cache(static_cast<size_t>(slots * slot_stride), NAN) {}
};

AttentionDecode<double> arguments(const DecodeCase& c, DecodeCache& k, const std::vector<double>& qkv,
                                  const std::vector<int32_t>& slot, const std::vector<int32_t>& position,
                                  std::vector<double>& out, std::vector<double>& scores) {
  return {qkv.data(),
          slot.data(),
          position.data(),
          k.cache.data() + k.layer,
          k.slot_stride,
          k.page_stride,
          cached_positions(c.context),
          k.page,
          static_cast<int32_t>(slot.size()),
          c.heads,
          c.kv_heads,
          c.dim,
          1 / std::sqrt(static_cast<double>(c.dim)),
          out.data(),
          scores.data(),
          c.window};
}

void check_decode(const DecodeCase& c) {
  SCOPED_TRACE(std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " heads of " + std::to_string(c.dim) + ", window " +
               std::to_string(c.window));
  DecodeCache k(c);
  Pool one(1);
  Exec exec{one, nullptr};
  const int64_t width = int64_t{c.heads + 2 * c.kv_heads} * c.dim;
  const int32_t rows = k.slots;
  std::vector<double> scores(static_cast<size_t>(c.heads / c.kv_heads * cached_positions(c.context)));
  // The reference fills each cache by decoding, token after token.
  for (int32_t r = 0; r < rows; ++r)
    for (int32_t t = 0; t < c.position[static_cast<size_t>(r)]; ++t) {
      const auto qkv = bf16_numbers<double>(width, static_cast<uint32_t>(1000 * r + t + 1));
      std::vector<double> out(static_cast<size_t>(c.heads * c.dim));
      ref::attention_decode(exec, arguments(c, k, qkv, {rows - 1 - r}, {t}, out, scores));
    }
  const auto before = k.cache;
  std::vector<int32_t> slot;
  for (int32_t r = 0; r < rows; ++r) slot.push_back(rows - 1 - r);
  const auto qkv = bf16_numbers<double>(rows * width, 77);
  std::vector<double> want(static_cast<size_t>(rows * c.heads * c.dim));
  ref::attention_decode(exec, arguments(c, k, qkv, slot, c.position, want, scores));

  constexpr size_t kGuard = 128;  // NaN behind out, which must stay
  const std::vector<bf16> nothing = to_bf16(std::vector<float>(want.size() + kGuard, NAN));
  Buffer<bf16> cache(to_bf16(before)), out(nothing), again(nothing);
  Buffer<int32_t> slots(slot), positions(c.position);
  Buffer<float> q(std::vector<float>(qkv.begin(), qkv.end())), partial(cuda::decode_partial(rows, c.heads, k.pages, c.dim));
  Buffer<uint32_t> arrived(std::vector<uint32_t>(static_cast<size_t>(cuda::decode_counters(rows, c.heads)), 0));
  for (const Buffer<bf16>* to : {&out, &again})
    must(cuda::attention_decode(
        nullptr, {q, slots, positions, cache + k.layer, k.slot_stride, k.page_stride, k.page, k.pages, rows, c.heads, c.kv_heads,
                  c.dim, 1 / std::sqrt(static_cast<float>(c.dim)), nullptr, to->get(), partial, arrived, c.window}));
  Outputs oracle, plain, got;
  oracle.add("out", want);
  plain.add("out", from_bf16(to_bf16(want)));
  std::vector<float> written = from_bf16(out.download());
  const std::vector<float> twice = from_bf16(again.download());
  for (size_t i = 0; i < want.size(); ++i) ASSERT_EQ(written[i], twice[i]) << "a launch after another, at " << i;
  for (const uint32_t count : arrived.download()) EXPECT_EQ(count, 0u) << "the workspace must be left as it was";
  for (size_t i = want.size(); i < written.size(); ++i) EXPECT_TRUE(std::isnan(written[i])) << "written behind the last row";
  written.resize(want.size());
  got.add("out", written);
  compare(got, plain, oracle, kOutput);
  const std::vector<bf16> appended = cache.download();
  for (size_t i = 0; i < appended.size(); ++i) {
    const auto now = static_cast<double>(from_bf16(appended[i]));
    EXPECT_TRUE(now == k.cache[i] || (std::isnan(now) && std::isnan(k.cache[i]))) << now << ", not " << k.cache[i] << " at " << i;
  }
}

TEST(GpuAttentionDecode, matches_the_reference_and_appends) {
  if (kSmallOnly) return check_decode({300, 2, 1, 16, {161}});
  check_decode({40, 2, 1, 64, {0, 1, 31, 32, 39}});
  check_decode({300, 1, 1, 96, {0, 159, 160, 161, 299}});
  check_decode({70, 8, 1, 64, {63, 64}});
  check_decode({50, 4, 1, 128, {48}});
  check_decode({50, 3, 1, 64, {1, 2}});
  check_decode({600, 2, 1, 24, {415, 599}});
}

TEST(GpuAttentionDecode, heads_of_every_size_match_the_reference) {
  if (kSmallOnly) return check_decode({20, 2, 2, 24, {17}});
  constexpr int32_t kHeads[] = {2, 3, 4, 8};
  for (int32_t dim = 16; dim <= 128; dim += 8) check_decode({40, kHeads[dim / 8 % 4], 1, dim, {0, 35}});
  check_decode({300, 4, 2, 40, {159, 161}});
  check_decode({300, 1, 1, 120, {160}});
}

// Windows that begin before a page, in it and with it; the cache begins with pages of 160.
TEST(GpuAttentionDecode, a_window_matches_the_reference) {
  ASSERT_EQ(cache_page(300), 160);
  if (kSmallOnly) return check_decode({300, 2, 1, 16, {161, 170}, 7});
  check_decode({300, 2, 1, 16, {0, 6, 7, 159, 160, 161, 166, 170, 299}, 7});
  check_decode({300, 2, 2, 24, {0, 1, 160, 200}, 1});
  check_decode({300, 4, 1, 64, {63, 64, 161, 223, 224, 290}, 64});
  check_decode({600, 8, 1, 32, {100, 415, 599}, 200});
  check_decode({40, 1, 1, 96, {39}, 400});
}

// The bits of no window, from one of as many positions as there are.
TEST(GpuAttentionDecode, a_window_of_the_whole_record_changes_no_bit) {
  const int32_t heads = 2, dim = 16, page = 48, position = kSmallOnly ? 30 : 90;
  const int64_t page_stride = int64_t{2} * page * dim;
  Buffer<float> x(numbers<float>((heads + 2) * dim, 1)), partial(cuda::decode_partial(1, heads, 2, dim));
  Buffer<int32_t> slot(std::vector<int32_t>{0}), positions(std::vector<int32_t>{position});
  Buffer<uint32_t> arrived(std::vector<uint32_t>(static_cast<size_t>(cuda::decode_counters(1, heads)), 0));
  std::vector<std::vector<float>> out;
  for (const int32_t window : {0, position + 1, 1 << 24, position}) {
    Buffer<bf16> cache(to_bf16(numbers<float>(2 * page_stride, 3))), to(int64_t{heads} * dim);
    must(cuda::attention_decode(nullptr, {x, slot, positions, cache, 2 * page_stride, page_stride, page, 2, 1, heads, 1, dim,
                                          0.25f, nullptr, to, partial, arrived, window}));
    out.push_back(from_bf16(to.download()));
  }
  EXPECT_EQ(out[1], out[0]);
  EXPECT_EQ(out[2], out[0]);
  EXPECT_NE(out[3], out[0]);
}

// With a table q and k are turned on their way in: the bits of cuda/rope.cu and then no table.
TEST(GpuAttentionDecode, turns_q_and_k_as_rope_does) {
  const int32_t rows = 2, heads = kSmallOnly ? 2 : 6, kv_heads = 2, dim = kSmallOnly ? 16 : 96, page = 48;
  const int64_t stride = (heads + 2 * kv_heads) * dim, slot_stride = int64_t{2} * kv_heads * page * dim;
  const float scale = 1 / std::sqrt(static_cast<float>(dim));
  Buffer<float> x(numbers<float>(rows * stride, 1)), table(numbers<float>(page * dim, 2)), turned(rows * stride),
      partial(cuda::decode_partial(rows, heads, 1, dim));
  Buffer<int32_t> slot(std::vector<int32_t>{1, 0}), position(std::vector<int32_t>{0, 33});
  Buffer<uint32_t> arrived(std::vector<uint32_t>(static_cast<size_t>(cuda::decode_counters(rows, heads)), 0));
  must(cuda::rope(nullptr, {x, {turned, Precision::kFp32}, stride, position, table, rows, heads + kv_heads, dim, false}));
  std::vector<std::vector<float>> out, cached;
  for (const bool here : {true, false}) {
    Buffer<bf16> cache(to_bf16(numbers<float>(rows * slot_stride, 3))), to(rows * heads * dim);
    must(cuda::attention_decode(nullptr, {here ? x : turned, slot, position, cache, slot_stride, slot_stride, page, 1, rows,
                                          heads, kv_heads, dim, scale, here ? table.get() : nullptr, to, partial, arrived}));
    out.push_back(from_bf16(to.download()));
    cached.push_back(from_bf16(cache.download()));
  }
  EXPECT_EQ(out[0], out[1]);
  EXPECT_EQ(cached[0], cached[1]);
}

TEST(GpuAttentionDecode, refuses_pages_and_heads_that_the_kernels_do_not_take) {
  cuda::AttentionDecode a{};
  a.rows = a.heads = a.kv_heads = a.pages = 1;
  a.head_dim = 64;
  for (const int32_t page : {0, 20, 512}) {
    a.page = page;
    EXPECT_EQ(cuda::attention_decode(nullptr, a), cuda::kInvalid) << page;
  }
  a.page = 16;
  for (const int32_t dim : {0, 8, 20, 136}) {
    a.head_dim = dim;
    EXPECT_EQ(cuda::attention_decode(nullptr, a), cuda::kInvalid) << dim;
  }
  a.head_dim = 64;
  a.window = -1;
  EXPECT_EQ(cuda::attention_decode(nullptr, a), cuda::kInvalid);
}

}  // namespace
}  // namespace syn::tests
