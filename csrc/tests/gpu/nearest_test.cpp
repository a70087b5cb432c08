// cuda/nearest.cu and gpu/nearest.h against the reference, to the bit: sizes around the edges of a tile, ties, copies, numbers
// whose products in float say little or nothing, and rows in chunks.
#include <algorithm>
#include <cmath>

#include "core/status.h"
#include "gpu/nearest.h"
#include "ref/decode.h"
#include "tests/gpu/host_backend.h"
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

struct Neighbours {
  std::vector<float> distance;
  std::vector<int32_t> index;

  explicit Neighbours(int64_t entries) : distance(static_cast<size_t>(entries), -1), index(static_cast<size_t>(entries), -2) {}
};

// A question: the k nearest of m rows for each of n.
struct Search {
  std::vector<float> a, b;
  int32_t n, m, d, k;
  bool exclude_self = false;

  NearestArgs args(Neighbours& to) const {
    return {a.data(), n, b.data(), m, d, k, exclude_self, to.distance.data(), to.index.data(), nullptr};
  }
  Neighbours blank() const { return Neighbours(int64_t{n} * k); }
};

Neighbours by_reference(const Search& s) {
  Pool one(1);
  Exec exec{one, nullptr};
  Neighbours out = s.blank();
  ref::nearest(exec, s.args(out));
  return out;
}

// By the launcher, some rows of a and of b at a time.
Neighbours by_kernel(const Search& s, int32_t rows_a, int32_t rows_b, int32_t strands = 1) {
  const int64_t lists = int64_t{strands} * std::min(rows_a, s.n) * s.k;
  Buffer<float> a(s.a), b(s.b), square_a(s.n), square_b(s.m), distance(int64_t{s.n} * s.k);
  Buffer<double> best(lists);
  Buffer<int32_t> row(lists), index(int64_t{s.n} * s.k);
  for (int32_t i = 0; i < s.n; i += rows_a) {
    const int64_t entry = int64_t{i} * s.k;
    int32_t j = 0;
    do {
      const int32_t n = std::min(rows_a, s.n - i), m = std::min(rows_b, s.m - j);
      must(cuda::nearest(nullptr, {a + int64_t{i} * s.d, b + int64_t{j} * s.d, n, m, s.d, s.k, strands, i, j, s.exclude_self,
                                   square_a + i, square_b + j, best, row, distance + entry, index + entry}));
      j += m;
    } while (j < s.m);
  }
  Neighbours out = s.blank();
  out.distance = distance.download();
  out.index = index.download();
  return out;
}

void expect_same(const Neighbours& got, const Neighbours& want, const char* what) {
  for (size_t i = 0; i < want.index.size(); ++i)
    ASSERT_TRUE(got.index[i] == want.index[i] && got.distance[i] == want.distance[i])
        << what << ", entry " << i << ": row " << got.index[i] << " at " << got.distance[i] << ", expected row " << want.index[i]
        << " at " << want.distance[i];
}

void check_search(const Search& s) {
  const auto word = [](int32_t x) { return std::to_string(x); };
  SCOPED_TRACE(word(s.n) + " among " + word(s.m) + ", d " + word(s.d) + ", k " + word(s.k));
  const Neighbours want = by_reference(s);
  expect_same(by_kernel(s, s.n, s.m), want, "at once");
  const int32_t strands = cuda::nearest_strands(s.n, s.m);
  if (strands > 1) expect_same(by_kernel(s, s.n, s.m, strands), want, "in strands");
}

enum class Kind { kSmooth, kBinary, kFar };

std::vector<float> rows_of(Kind kind, int32_t rows, int32_t d, uint32_t seed) {
  std::vector<float> out = numbers<float>(int64_t{rows} * d, seed);
  for (float& x : out) {
    if (kind == Kind::kBinary) x = x > 0.5f ? 1 : 0;
    if (kind == Kind::kFar) x = 1000 + x / 16;  // |x|^2 + |y|^2 - 2 x.y has lost its last bits
  }
  return out;
}

Search search(Kind kind, int32_t n, int32_t m, int32_t d, int32_t k) {
  return {rows_of(kind, n, d, 1), rows_of(kind, m, d, 2), n, m, d, k};
}

TEST(GpuNearest, sizes_around_the_edges_of_a_tile_match_the_reference) {
  if (kSmallOnly) return check_search(search(Kind::kBinary, 9, 150, 36, 3));
  for (const Kind kind : {Kind::kSmooth, Kind::kBinary, Kind::kFar})
    for (const int32_t d : {4, 12, 16, 20, 32, 36, 100}) check_search(search(kind, 9, 70, d, 5));
  for (const int32_t n : {1, 7, 8, 9, 31, 32, 33}) check_search(search(Kind::kBinary, n, 40, 8, 3));
  for (const int32_t m : {1, 31, 32, 33, 127, 128, 129, 257}) check_search(search(Kind::kFar, 3, m, 8, 4));
}

TEST(GpuNearest, lists_of_every_length_match_the_reference) {
  if (kSmallOnly) return check_search(search(Kind::kBinary, 1, 40, 4, 34));
  for (const int32_t k : {1, 2, 3, 4, 5, 6, 7, 8, 31, 32, 33, 34, 64, 65, 66, 140, 141, 200})
    for (const Kind kind : {Kind::kSmooth, Kind::kBinary}) check_search(search(kind, 2, 140, 8, k));
}

// Every row comes nearer than all before it, so that each enters at the front and shifts the whole list; then the other way
// round.
TEST(GpuNearest, rows_in_descending_and_ascending_order_match_the_reference) {
  for (const bool descending : {true, false})
    for (const int32_t k : {1, 40, 70}) {
      if (kSmallOnly && !(descending && k == 40)) continue;
      Search s{std::vector<float>(8, 0), {}, 2, kSmallOnly ? 72 : 200, 4, k};
      for (int32_t j = 0; j < s.m; ++j) s.b.insert(s.b.end(), 4, static_cast<float>(descending ? s.m - j : j + 1));
      check_search(s);
    }
}

TEST(GpuNearest, copies_are_at_exactly_0_and_the_lowest_index_wins) {
  Search s = search(Kind::kFar, 1, 300, 36, 5);
  for (const int32_t copy : {255, 40, 128, 127}) std::copy(s.a.begin(), s.a.end(), s.b.begin() + copy * s.d);
  const Neighbours got = by_kernel(s, 1, s.m);
  EXPECT_EQ(std::vector<int32_t>(got.index.begin(), got.index.begin() + 4), (std::vector<int32_t>{40, 127, 128, 255}));
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(got.distance[i], 0);
  expect_same(got, by_reference(s), "copies");
}

// Products in float overflow, vanish, or are infinite on one side alone; two rows near each other among rows far away.
TEST(GpuNearest, numbers_that_products_in_float_say_nothing_of_match_the_reference) {
  if (kSmallOnly) return;
  for (const float size : {1e-38f, 1e-30f, 1e-22f, 3e18f, 1e25f, 3e38f}) {
    SCOPED_TRACE(size);
    Search s = search(Kind::kSmooth, 6, 70, 8, 3);
    for (auto* const rows : {&s.a, &s.b})
      for (float& x : *rows) x = std::clamp(x * size, -3e38f, 3e38f);
    for (size_t i = 0; i < 8; ++i) s.b[60 * 8 + i] = s.a[2 * 8 + i];
    s.b[61 * 8] = 3e38f;
    s.b[62 * 8] = -3e38f;
    check_search(s);
  }
}

// A copy behind rows that are almost one, where squares lose bits below 2^-126, vanish, or overflow when two are added.
TEST(GpuNearest, a_copy_among_numbers_at_either_end_of_float_is_the_nearest) {
  for (const float size : {1.2e-22f, 1e-30f, 6.55e18f}) {
    SCOPED_TRACE(size);
    Search s{std::vector<float>(4, size), std::vector<float>(4 * 40, 0.99f * size), 1, 41, 4, 1};
    s.b.insert(s.b.end(), 4, size);
    check_search(s);
    EXPECT_EQ(by_kernel(s, 1, s.m).index[0], 40);
  }
  // Two squares overflow when they are added, twice the product does not.
  Search s{{1.3e19f, 0, 0, 0}, {}, 1, 41, 4, 1};
  for (int32_t j = 0; j < s.m; ++j) s.b.insert(s.b.end(), {1.3e19f, j < 40 ? 4e18f : 3e18f, 0, 0});
  check_search(s);
}

// In double 2^60 + 100 is 2^60, and 700 + 2^60 is more.
TEST(GpuNearest, the_order_of_the_sums_of_a_distance_is_the_reference_s) {
  Search s{std::vector<float>(8, 0), std::vector<float>(16, 10), 1, 2, 8, 2};
  s.b[7] = s.b[8] = 0x1p30f;
  check_search(s);
  EXPECT_EQ(by_kernel(s, 1, 2).index, (std::vector<int32_t>{1, 0}));
}

TEST(GpuNearest, the_largest_width_matches_the_reference) {
  if (!kSmallOnly) check_search(search(Kind::kFar, 1, 3, 1 << 16, 2));
}

TEST(GpuNearest, a_row_is_not_its_own_neighbour_unless_a_copy_is) {
  Search s = search(Kind::kBinary, 40, 40, 12, 2);
  s.b = s.a;
  std::copy_n(s.b.begin() + 10 * 12, 12, s.b.begin() + 33 * 12);
  s.a = s.b;
  s.exclude_self = true;
  const Neighbours want = by_reference(s);
  for (const int32_t rows_a : {40, 17})
    for (const int32_t rows_b : {40, 9})
      if (!kSmallOnly || rows_a + rows_b == 57) expect_same(by_kernel(s, rows_a, rows_b, 2), want, "without itself");
  EXPECT_EQ(want.distance[2 * 10], 0);
}

TEST(GpuNearest, chunks_and_strands_leave_no_trace) {
  const Search s = search(Kind::kBinary, kSmallOnly ? 9 : 37, 261, 20, 34);
  const Neighbours want = by_reference(s);
  for (const int32_t rows_a : {37, 5})
    for (const int32_t rows_b : {261, 150, 100})
      for (const int32_t strands : {1, 2, 16})
        if (!kSmallOnly || (rows_a == 37 && rows_b == 150 && strands == 2))
          expect_same(by_kernel(s, rows_a, rows_b, strands), want, "in chunks");
}

TEST(GpuNearest, strands_are_dealt_out_where_rows_are_few) {
  EXPECT_EQ(cuda::nearest_strands(0, 0), 1);
  EXPECT_EQ(cuda::nearest_strands(1, 0), 1);
  EXPECT_EQ(cuda::nearest_strands(1, 129), 2);
  EXPECT_EQ(cuda::nearest_strands(1, 1 << 20), 16);
  EXPECT_EQ(cuda::nearest_strands(1024, 5000), 4);
  EXPECT_EQ(cuda::nearest_strands(4097, 5000), 1);
  EXPECT_EQ(cuda::nearest_strands(INT32_MAX, INT32_MAX), 1);
}

TEST(GpuNearest, refuses_sizes_that_the_kernels_do_not_take) {
  cuda::Nearest none = {};
  none.m = 5;
  none.d = 8;
  none.k = none.strands = 1;
  EXPECT_EQ(cuda::nearest(nullptr, none), 0);
  const auto refused = [&](auto change) {
    cuda::Nearest a = none;
    change(a);
    EXPECT_EQ(cuda::nearest(nullptr, a), cuda::kInvalid);
  };
  refused([](auto& a) { a.n = -1; });
  refused([](auto& a) { a.m = -1; });
  refused([](auto& a) { a.d = 0; });
  refused([](auto& a) { a.d = 6; });
  refused([](auto& a) { a.d = (1 << 20) + 4; });
  refused([](auto& a) { a.k = 0; });
  refused([](auto& a) { a.k = (1 << 16) + 1; });
  refused([](auto& a) { a.strands = 0; });
  refused([](auto& a) { a.strands = 17; });
  refused([](auto& a) { a.first_a = -1; });
  refused([](auto& a) { a.m = cuda::kNearestRows + 1; });
  refused([](auto& a) { a.m = 2, a.first_b = INT32_MAX - 1; });
}

// ---- through the session, rows of any width

syn_status ask(syn_device* device, const Search& s, Neighbours& to, syn_error& e) {
  return syn_nearest(device, s.a.data(), s.n, s.b.data(), s.m, s.d, s.k, s.exclude_self, to.distance.data(), to.index.data(), &e);
}

Neighbours by_device(syn_device* device, const Search& s) {
  Neighbours out = s.blank();
  syn_error e = fresh_error();
  must(ask(device, s, out, e), e);
  return out;
}

TEST(GpuNearest, a_device_answers_as_the_reference_does) {
  const DeviceHandle device = host_gpu_device();
  const int64_t before = device_memory().calls;
  for (const int32_t d : {1, 3, 8, 37}) {
    const Search s = search(d == 37 ? Kind::kFar : Kind::kBinary, 11, kSmallOnly ? 20 : 140, d, 3);
    expect_same(by_device(device.get(), s), by_reference(s), "the device");
  }
  EXPECT_EQ(device_memory().calls, before + 4) << "a search takes its memory at once";
  EXPECT_EQ(device_memory().bytes(), 0);
  const Neighbours none = by_device(device.get(), {{1, 2}, {}, 1, 0, 2, 2});
  EXPECT_EQ(none.index, (std::vector<int32_t>{-1, -1}));
  EXPECT_EQ(none.distance, std::vector<float>(2, INFINITY));
  EXPECT_TRUE(by_device(device.get(), {{}, {1, 2}, 0, 1, 2, 1}).index.empty());
}

TEST(GpuNearest, a_device_with_little_memory_answers_the_same) {
  const auto device = host_gpu();
  Search s = search(Kind::kBinary, kSmallOnly ? 2 : 9, kSmallOnly ? 3 : 20, 5, 4);
  s.exclude_self = true;
  const Neighbours want = by_reference(s);
  for (const int64_t chunk : {int64_t{1}, int64_t{200}, int64_t{300}, gpu::kNearestBytes}) {
    Neighbours got = s.blank();
    gpu::nearest(device->gpu, s.args(got), chunk);
    expect_same(got, want, "in chunks");
  }
}

TEST(GpuNearest, what_cannot_be_searched_is_a_sentence) {
  const DeviceHandle device = host_gpu_device();
  const auto said = [&](const Search& s, syn_status status) {
    Neighbours out = s.blank();
    syn_error e = fresh_error();
    EXPECT_EQ(ask(device.get(), s, out, e), status);
    return std::string(e.message);
  };
  EXPECT_EQ(said({{1, 2, NAN, 4}, {1, 2}, 2, 1, 2, 1}, SYN_NUMERIC), "row 1, column 0 of a is not a finite number");
  EXPECT_EQ(said({{1, 2}, {1, INFINITY}, 1, 1, 2, 1}, SYN_NUMERIC), "row 0, column 1 of b is not a finite number");

  gpu::Backend full = plugin_table();
  full.allocate = [](gpu::Context*, int64_t, void** out) {
    *out = nullptr;
    return gpu::kOutOfMemory;
  };
  const Search s = search(Kind::kSmooth, 2, 3, 8, 1);
  Neighbours out = s.blank();
  try {
    gpu::nearest(std::make_shared<gpu::Session>(full, 0), s.args(out));
    ADD_FAILURE() << "memory that is not there was used";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), SYN_OUT_OF_MEMORY);
    EXPECT_NE(std::string(e.what()).find("nearest neighbours on the device"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace syn::tests
