// A call of every op at the sizes of its formula (tests/gpu/cost/formulas.go), in precision bf16. The small sizes have the
// proportions of the published shape (width 384, 4 heads of 96, feed-forward 1536, vocabulary 5115, context 1024), with as few
// rows as leave the ratio of traffic to its minimum as it is: whole blocks, records of full length. A launch runs every kernel of
// its op once, and no other's.
#include "tests/gpu/cost_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "ops/attention_decode.h"
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

constexpr int32_t kContext = 1024;  // of the cache that is decoded from
constexpr Precision kBf16 = Precision::kBf16;
constexpr double kDropped = 0.1;

// "name=value name=value": the sizes of a call.
class Sizes {
 public:
  explicit Sizes(const std::string& text) {
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      const size_t equals = std::min(word.find('='), word.size() - 1);
      value_[word.substr(0, equals)] = std::atoi(word.c_str() + equals + 1);
    }
  }
  int32_t operator[](const char* name) const {
    const auto at = value_.find(name);
    if (at == value_.end()) ADD_FAILURE() << "a call lacks the size " << name;
    return at == value_.end() ? 1 : at->second;
  }

 private:
  std::map<std::string, int32_t> value_;
};

std::vector<int32_t> cycle(int32_t rows, int32_t period) {
  std::vector<int32_t> out(static_cast<size_t>(rows));
  for (int32_t r = 0; r < rows; ++r) out[static_cast<size_t>(r)] = r % period;
  return out;
}

// One frequent id, whose rows make more than one piece, and ids of one row.
void embedding_backward_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], width = s["width"], ids = s["ids"], frequent = rows - (ids - 1);
  std::vector<int32_t> order(static_cast<size_t>(rows)), starts = {0};
  for (int32_t i = 0; i < rows; ++i)
    order[static_cast<size_t>(i)] = static_cast<int32_t>(int64_t{i} * 77 % rows);  // rows of an id lie apart
  std::sort(order.begin(), order.begin() + frequent);
  for (int32_t i = 0; i < ids; ++i) starts.push_back(frequent + i);
  Buffer<int32_t> start(starts), sorted(order);
  Buffer<float> dout(numbers<float>(int64_t{rows} * width, 1)), dtable(numbers<float>(int64_t{ids} * width, 2)),
      partial(cuda::embedding_partial(rows, width));
  run([&] { return cuda::embedding_backward(nullptr, {dout, {start, sorted, ids}, dtable, partial, rows, width}); }, {});
}

// With statistics as training does it, without as decoding does.
void norm_forward_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], width = s["width"];
  const int64_t n = int64_t{rows} * width;
  const bool training = s["statistics"] == 1;
  Buffer<float> x(numbers<float>(n, 1)), branch(numbers<float>(n, 2)), weight(numbers<float>(width, 3)),
      bias(numbers<float>(width, 4)), sum(n), mean(rows), rstd(rows);
  TensorBuffer y(kBf16, n);
  cuda::NormForward a{x, nullptr, sum, weight, bias, y.view(), nullptr, nullptr, rows, width, 1e-5f, Dropout{}};
  if (s["branch"] == 1) a.branch = branch;
  if (training) {
    a.mean = mean;
    a.rstd = rstd;
    a.drop = test_dropout(kDropped);
  }
  run([&] { return cuda::norm_forward(nullptr, a); }, {});
}

void norm_backward_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], width = s["width"];
  const int64_t n = int64_t{rows} * width;
  Buffer<float> dy(numbers<float>(n, 1)), sum(numbers<float>(n, 2)), weight(numbers<float>(width, 3)),
      mean(numbers<float>(rows, 4, 0.1)), rstd(std::vector<float>(static_cast<size_t>(rows), 1.5f)), ds(numbers<float>(n, 5)),
      dweight(numbers<float>(width, 6)), dbias(numbers<float>(width, 7)), partial(norm_partial(rows, width));
  TensorBuffer dbranch(kBf16, n);
  const Dropout drop = test_dropout(kDropped);
  run(
      [&] {
        return cuda::norm_backward(nullptr, {dy, sum, weight, mean, rstd, ds, dbranch.view(), dweight, dbias, partial, rows,
                                             width, drop});
      },
      {});
}

void dropout_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], width = s["width"];
  Buffer<float> x(numbers<float>(int64_t{rows} * width, 1));
  const Dropout drop = test_dropout(kDropped);
  run([&] { return cuda::dropout(nullptr, {x, rows, width, drop}); }, {});
}

void round_case(const Sizes& s, const Run& run) {
  const int64_t n = s["count"];
  Buffer<float> x(numbers<float>(n, 1));
  Buffer<bf16> y(n);
  run([&] { return cuda::round(nullptr, {x, y, n}); }, {});
}

void rope_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], stride = s["stride"], heads = s["heads"], head_dim = s["head_dim"];
  Buffer<float> x(numbers<float>(int64_t{rows} * stride, 1)), table(numbers<float>(int64_t{s["positions"]} * head_dim, 2));
  Buffer<int32_t> position(cycle(rows, s["positions"]));
  TensorBuffer y(kBf16, int64_t{rows} * stride);
  run([&] { return cuda::rope(nullptr, {x, y.view(), stride, position, table, rows, heads, head_dim, false}); }, {});
}

void gelu_forward_case(const Sizes& s, const Run& run) {
  const int64_t n = s["count"];
  TensorBuffer x(kBf16, numbers<float>(n, 1)), y(kBf16, n);
  run([&] { return cuda::gelu_forward(nullptr, {x.view(), y.view(), n}); }, {});
}

void gelu_backward_case(const Sizes& s, const Run& run) {
  const int64_t n = s["count"];
  TensorBuffer x(kBf16, numbers<float>(n, 1)), dx(kBf16, n);
  Buffer<float> dy(numbers<float>(n, 2));
  run([&] { return cuda::gelu_backward(nullptr, {x.view(), dy, dx.view(), n}); }, {});
}

void swiglu_forward_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], ffn = s["ffn"];
  const int64_t n = int64_t{rows} * ffn;
  TensorBuffer gate_up(kBf16, numbers<float>(2 * n, 1)), y(kBf16, n);
  run([&] { return cuda::swiglu_forward(nullptr, {gate_up.view(), y.view(), rows, ffn}); }, {});
}

void swiglu_backward_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], ffn = s["ffn"];
  const int64_t n = int64_t{rows} * ffn;
  TensorBuffer gate_up(kBf16, numbers<float>(2 * n, 1)), dgate_up(kBf16, 2 * n);
  Buffer<float> dy(numbers<float>(n, 2));
  run([&] { return cuda::swiglu_backward(nullptr, {gate_up.view(), dy, dgate_up.view(), rows, ffn}); }, {});
}

void bias_backward_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], columns = s["columns"];
  TensorBuffer dy(kBf16, numbers<float>(int64_t{rows} * columns, 1));
  Buffer<float> dbias(numbers<float>(columns, 2)), partial(cuda::bias_partial(rows, columns));
  run([&] { return cuda::bias_backward(nullptr, {dy.view(), dbias, partial, columns, rows, columns}); }, {});
}

// Records of one length: how often a key is read depends on it. lse, which the backward pass is given, is that of equal scores.
struct AttentionCase {
  int32_t rows, segments, longest, heads, kv_heads, head_dim;
  float scale;
  Buffer<bf16> qkv, dout, out;
  Buffer<int32_t> offsets;
  Buffer<float> lse;

  explicit AttentionCase(const Sizes& s)
      : rows(s["rows"]),
        segments(s["segments"]),
        longest(rows / segments),
        heads(s["heads"]),
        kv_heads(s["kv_heads"]),
        head_dim(s["head_dim"]),
        scale(1 / std::sqrt(static_cast<float>(head_dim))),
        qkv(to_bf16(numbers<float>(int64_t{rows} * (heads + 2 * kv_heads) * head_dim, 1))),
        dout(to_bf16(numbers<float>(int64_t{rows} * heads * head_dim, 2))),
        out(to_bf16(numbers<float>(int64_t{rows} * heads * head_dim, 3))),
        offsets(starts()),
        lse(equal_scores()) {}

  Segments segment_view() const { return {offsets, nullptr, segments, rows}; }

 private:
  std::vector<int32_t> starts() const {
    std::vector<int32_t> at;
    for (int32_t i = 0; i <= segments; ++i) at.push_back(i * longest);
    return at;
  }
  std::vector<float> equal_scores() const {
    std::vector<float> out_;
    for (int32_t i = 0; i < heads * rows; ++i) out_.push_back(std::log(static_cast<float>(i % rows % longest + 1)));
    return out_;
  }
};

void attention_forward_case(const Sizes& s, const Run& run) {
  const AttentionCase c(s);
  run(
      [&] {
        return cuda::attention_forward(nullptr, {c.qkv, c.segment_view(), c.longest, c.heads, c.kv_heads, c.head_dim, c.scale,
                                                 c.out, c.lse, Dropout{}});
      },
      {});
}

void attention_backward_case(const Sizes& s, const Run& run) {
  const AttentionCase c(s);
  TensorBuffer dqkv(kBf16, int64_t{c.rows} * (c.heads + 2 * c.kv_heads) * c.head_dim);
  Buffer<float> delta(int64_t{c.heads} * c.rows);
  run(
      [&] {
        return cuda::attention_backward(nullptr, {c.qkv, c.out, c.lse, c.dout, c.segment_view(), c.longest, c.heads, c.kv_heads,
                                                  c.head_dim, c.scale, dqkv.view(), delta, Dropout{}});
      },
      {});
}

void attention_decode_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], heads = s["heads"], kv_heads = s["kv_heads"], head_dim = s["head_dim"];
  const int32_t page = cache_page(kContext), pages = cache_pages(kContext);
  const int64_t page_stride = int64_t{2} * kv_heads * page * head_dim, slot_stride = pages * page_stride;
  Buffer<float> qkv(numbers<float>(int64_t{rows} * (heads + 2 * kv_heads) * head_dim, 1)),
      partial(cuda::decode_partial(rows, heads, pages, head_dim));
  Buffer<bf16> cache(rows * slot_stride), out(int64_t{rows} * heads * head_dim);
  must(cudaMemset(cache, 0, cache.bytes()));
  std::vector<int32_t> slots = cycle(rows, rows);
  std::reverse(slots.begin(), slots.end());
  Buffer<int32_t> slot(slots), position(std::vector<int32_t>(static_cast<size_t>(rows), s["position"]));
  Buffer<uint32_t> arrived(std::vector<uint32_t>(static_cast<size_t>(cuda::decode_counters(rows, heads)), 0));
  const float scale = 1 / std::sqrt(static_cast<float>(head_dim));
  run(
      [&] {
        return cuda::attention_decode(nullptr, {qkv, slot, position, cache, slot_stride, page_stride, page, pages, rows, heads,
                                                kv_heads, head_dim, scale, nullptr, out, partial, arrived});
      },
      {});
}

// The gradient takes the place of the logits.
void xent_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], vocab = s["vocab"], stride = (vocab + 7) / 8 * 8;
  const std::vector<float> z = numbers<float>(int64_t{rows} * stride, 1, 4);
  Buffer<float> logits(z), fresh(z);
  Buffer<int32_t> target(cycle(rows, std::min(rows, vocab)));
  Buffer<double> nll(rows);
  run([&] { return cuda::xent(nullptr, {logits, target, nullptr, nullptr, nullptr, nll, rows, vocab, stride, true, kBf16}); },
      [&] { return cudaMemcpyAsync(logits, fresh, logits.bytes(), cudaMemcpyDeviceToDevice, nullptr); });
}

void grad_norm_case(const Sizes& s, const Run& run) {
  const int64_t n = s["count"];
  Buffer<float> gradient(numbers<float>(n, 1));
  Buffer<double> partial(grad_blocks(n)), sum(1);
  run([&] { return cuda::grad_norm(nullptr, {gradient, n, partial, sum}); }, {});
}

void adamw_case(const Sizes& s, const Run& run) {
  const int64_t n = s["count"];
  auto squares = numbers<float>(n, 4);
  for (float& x : squares) x *= x;
  Buffer<float> weight(numbers<float>(n, 1)), gradient(numbers<float>(n, 2)), m(numbers<float>(n, 3)), v(squares);
  Buffer<double> sum(std::vector<double>{static_cast<double>(n) / 3});
  Buffer<int32_t> skipped(std::vector<int32_t>{0});
  run(
      [&] {
        return cuda::adamw(nullptr, {weight, gradient, m, v, n, 3e-4, 0.9, 0.95, 1e-8, 0.1, 0.5, 0.3, sum, 7, 1, skipped});
      },
      {});
}

// Every launch of a step once; its products are not here.
void muon_case(const Sizes& s, const Run& run) {
  const int32_t rows = s["rows"], columns = s["columns"];
  const int64_t n = int64_t{rows} * columns;
  Buffer<float> weight(numbers<float>(n, 1)), gradient(numbers<float>(n, 2)), momentum(numbers<float>(n, 3)), sum(n);
  Buffer<bf16> x(n);
  Buffer<double> squares(std::vector<double>{static_cast<double>(n) / 3});
  Buffer<int32_t> skipped(std::vector<int32_t>{0});
  run(
      [&] {
        int e = cuda::muon_momentum(nullptr, {gradient, momentum, columns, sum, rows, columns, 0.95, squares, 7, 1, skipped});
        if (!e) e = cuda::muon_normalise(nullptr, {sum, squares, x, n});
        if (!e) e = cuda::muon_combine(nullptr, {x, sum, x, n, 3.4445f, 1});
        return e ? e : cuda::muon_update(nullptr, {weight, columns, x, rows, columns, 3e-4, 0.1, squares, 7});
      },
      {});
}

// A grammar of one state and one class, by which every token is legal, and draws without filters, as generation does by default.
void sample_case(const Sizes& s, const Run& run) {
  static_assert(sizeof(SampleDraw) == 80, "as the calls say");
  const int32_t rows = s["rows"], vocab = s["vocab"], words = (vocab + 63) / 64;
  const auto entries = static_cast<size_t>(vocab);
  Buffer<uint16_t> token_class(std::vector<uint16_t>(entries, 0)), distance(std::vector<uint16_t>{0});
  Buffer<int32_t> order(std::vector<int32_t>(entries, 0)), knot_start(std::vector<int32_t>(entries + 1, 0));
  Buffer<uint8_t> rule(std::vector<uint8_t>{kRuleFree}), role(std::vector<uint8_t>{kRoleCovariate}),
      forget(std::vector<uint8_t>{0});
  Buffer<int16_t> next(std::vector<int16_t>{0});
  Buffer<int64_t> knots(std::vector<int64_t>{0});
  Buffer<uint64_t> seen(std::vector<uint64_t>(static_cast<size_t>(rows * words), 0));
  Buffer<float> logits(numbers<float>(int64_t{rows} * vocab, 1, 4));
  std::vector<SampleDraw> records(static_cast<size_t>(rows));
  for (int32_t r = 0; r < rows; ++r) {
    SampleDraw& d = records[static_cast<size_t>(r)];
    d.patient = r;
    d.position = 512;
    d.room = kUnlimited;
    d.memory = {0, kNothingSaid, seen + r * words};
  }
  Buffer<SampleDraw> draws(records), fresh(records);
  const GrammarTables grammar{vocab, 1,    1,      0,        0,          0,     token_class, order, rule,
                              role,  next, forget, distance, knot_start, knots, nullptr,     0};
  const SampleSettings settings{1, 1.0f, 0, 1.0f, 0.0f, true};
  run([&] { return cuda::sample(nullptr, {grammar, settings, logits, draws, nullptr, rows}); },
      [&] { return cudaMemcpyAsync(draws, fresh, draws.bytes(), cudaMemcpyDeviceToDevice, nullptr); });
}

// In one strand, as many queries have.
void nearest_case(const Sizes& s, const Run& run) {
  const int32_t queries = s["queries"], references = s["references"], width = s["width"], k = s["neighbours"];
  Buffer<float> a(numbers<float>(int64_t{queries} * width, 1)), b(numbers<float>(int64_t{references} * width, 2)),
      square_a(queries), square_b(references), distance(int64_t{queries} * k);
  Buffer<double> best(int64_t{queries} * k);
  Buffer<int32_t> row(int64_t{queries} * k), index(int64_t{queries} * k);
  run(
      [&] {
        return cuda::nearest(nullptr, {a, b, queries, references, width, k, 1, 0, 0, false, square_a, square_b, best, row,
                                       distance, index});
      },
      {});
}

struct Case {
  const char* op;
  const char* sizes;  // of the small call
  void (*run)(const Sizes&, const Run&);
};

const Case kCases[] = {
    {"norm_forward", "rows=512 width=384 branch=1 statistics=1", norm_forward_case},
    {"norm_backward", "rows=512 width=384", norm_backward_case},
    {"dropout", "rows=512 width=384", dropout_case},
    {"round", "count=196608", round_case},
    {"rope", "rows=512 stride=1152 heads=8 head_dim=96 positions=64", rope_case},
    {"gelu_forward", "count=196608", gelu_forward_case},
    {"gelu_backward", "count=196608", gelu_backward_case},
    {"swiglu_forward", "rows=128 ffn=1536", swiglu_forward_case},
    {"swiglu_backward", "rows=128 ffn=1536", swiglu_backward_case},
    {"attention_forward", "rows=1024 segments=1 pairs=524800 heads=4 kv_heads=4 head_dim=96", attention_forward_case},
    {"attention_backward", "rows=1024 segments=1 pairs=524800 heads=4 kv_heads=4 head_dim=96", attention_backward_case},
    {"xent", "rows=16 vocab=5115", xent_case},
    {"bias_backward", "rows=512 columns=1536", bias_backward_case},
    {"embedding_backward", "rows=512 width=384 ids=213 tokens=213", embedding_backward_case},
    {"grad_norm", "count=131072", grad_norm_case},
    {"adamw", "count=131072", adamw_case},
    {"muon", "rows=128 columns=1024", muon_case},
    {"attention_decode", "rows=2 heads=4 kv_heads=4 head_dim=96 position=512 keys=513", attention_decode_case},
    {"sample", "rows=8 vocab=5115 legal=40920 draw=80", sample_case},
    {"nearest", "queries=32 references=512 width=384 neighbours=10", nearest_case},
};

}  // namespace

void run_case(const std::string& call, const Run& run) {
  const size_t space = std::min(call.find(' '), call.size());
  const std::string op = call.substr(0, space);
  for (const Case& c : kCases) {
    if (op == c.op) return c.run(Sizes(call.substr(space)), run);
  }
  ADD_FAILURE() << "there is no op \"" << op << "\"";
}

bool run_cost_cases() {
  for (const Case& c : kCases) {
    const std::string call = std::string(c.op) + " " + c.sizes;
    run_case(call, [&](const Queue& launch, const Queue&) {
      must(launch());
      must(cudaStreamSynchronize(nullptr));
      printf("cost %s\n", call.c_str());
    });
  }
  return !testing::UnitTest::GetInstance()->Failed();
}

}  // namespace syn::tests
