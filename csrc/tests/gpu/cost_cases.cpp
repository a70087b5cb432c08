// One call of every op in the proportions of the published shape (width 384, 4 heads of 96, feed-forward 1536, vocabulary 5115,
// context 1024; precision bf16), with as few rows as leave the ratio of traffic to its minimum as it is: whole blocks, records of
// full length. Every kernel is launched once. The names of the sizes are those of the formulas (tests/gpu/cost/formulas.go).
#include "tests/gpu/cost_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ops/attention_decode.h"
#include "tests/gpu/kernel_check.h"

namespace syn::tests {
namespace {

constexpr int32_t kWidth = 384, kFfn = 4 * kWidth, kHeads = 4, kHeadDim = kWidth / kHeads, kVocab = 5115, kContext = 1024;
constexpr int32_t kQkv = 3 * kWidth;
constexpr Precision kBf16 = Precision::kBf16;

struct Size {
  const char* name;
  int64_t value;
};

// Waits for what was queued, and says what it was.
void say(const char* op, int code, const std::vector<Size>& sizes) {
  must(code);
  must(cudaStreamSynchronize(nullptr));
  printf("cost %s", op);
  for (const Size& s : sizes) printf(" %s=%lld", s.name, static_cast<long long>(s.value));
  printf("\n");
}

std::vector<int32_t> cycle(int32_t rows, int32_t period) {
  std::vector<int32_t> out(static_cast<size_t>(rows));
  for (int32_t r = 0; r < rows; ++r) out[static_cast<size_t>(r)] = r % period;
  return out;
}

void embedding_forward_case() {
  const int32_t rows = 512, tokens = 320, positions = 64;
  Buffer<int32_t> token(cycle(rows, tokens)), position(cycle(rows, positions));
  Buffer<float> table(numbers<float>(tokens * kWidth, 1)), places(numbers<float>(positions * kWidth, 2)), x(rows * kWidth);
  say("embedding_forward", cuda::embedding_forward(nullptr, {token, position, table, places, x, rows, kWidth, test_dropout(0.1)}),
      {{"rows", rows}, {"width", kWidth}, {"tokens", tokens}, {"positions", positions}});
}

// One frequent id, whose rows make more than one piece, and ids of one row.
void embedding_backward_case() {
  const int32_t rows = 512, frequent = 300, ids = 1 + rows - frequent;
  std::vector<int32_t> order(static_cast<size_t>(rows)), starts = {0};
  for (int32_t i = 0; i < rows; ++i) order[static_cast<size_t>(i)] = i * 77 % rows;  // rows of an id lie apart
  std::sort(order.begin(), order.begin() + frequent);
  for (int32_t i = 0; i < ids; ++i) starts.push_back(frequent + i);
  Buffer<int32_t> start(starts), sorted(order);
  Buffer<float> dout(numbers<float>(rows * kWidth, 1)), dtable(numbers<float>(ids * kWidth, 2)),
      partial(cuda::embedding_partial(rows, kWidth));
  say("embedding_backward", cuda::embedding_backward(nullptr, {dout, {start, sorted, ids}, dtable, partial, rows, kWidth}),
      {{"rows", rows}, {"width", kWidth}, {"ids", ids}, {"tokens", ids}});
}

void norm_cases() {
  const int32_t rows = 512;
  const int64_t n = int64_t{rows} * kWidth;
  Buffer<float> x(numbers<float>(n, 1)), branch(numbers<float>(n, 2)), weight(numbers<float>(kWidth, 3)),
      bias(numbers<float>(kWidth, 4)), sum(n), mean(rows), rstd(rows);
  TensorBuffer y(kBf16, n), dbranch(kBf16, n);
  const Dropout drop = test_dropout(0.1);
  say("norm_forward",
      cuda::norm_forward(nullptr, {x, branch, sum, weight, bias, y.view(), mean, rstd, rows, kWidth, 1e-5f, drop}),
      {{"rows", rows}, {"width", kWidth}, {"branch", 1}, {"statistics", 1}});

  Buffer<float> dy(numbers<float>(n, 5)), ds(numbers<float>(n, 6)), dweight(numbers<float>(kWidth, 7)),
      dbias(numbers<float>(kWidth, 8)), partial(norm_partial(rows, kWidth));
  say("norm_backward",
      cuda::norm_backward(nullptr,
                          {dy, sum, weight, mean, rstd, ds, dbranch.view(), dweight, dbias, partial, rows, kWidth, drop}),
      {{"rows", rows}, {"width", kWidth}});
}

void activation_cases() {
  const int32_t rows = 128;
  const int64_t n = int64_t{rows} * kFfn;
  TensorBuffer x(kBf16, numbers<float>(n, 1)), y(kBf16, n), dx(kBf16, n);
  Buffer<float> dy(numbers<float>(n, 2));
  say("gelu_forward", cuda::gelu_forward(nullptr, {x.view(), y.view(), n}), {{"count", n}});
  say("gelu_backward", cuda::gelu_backward(nullptr, {x.view(), dy, dx.view(), n}), {{"count", n}});

  TensorBuffer gate_up(kBf16, numbers<float>(2 * n, 3)), dgate_up(kBf16, 2 * n);
  say("swiglu_forward", cuda::swiglu_forward(nullptr, {gate_up.view(), y.view(), rows, kFfn}), {{"rows", rows}, {"ffn", kFfn}});
  say("swiglu_backward", cuda::swiglu_backward(nullptr, {gate_up.view(), dy, dgate_up.view(), rows, kFfn}),
      {{"rows", rows}, {"ffn", kFfn}});
}

void elementwise_cases() {
  const int32_t rows = 512, positions = 64;
  const int64_t n = int64_t{rows} * kWidth;
  Buffer<float> x(numbers<float>(n, 1));
  Buffer<bf16> narrow(n);
  say("dropout", cuda::dropout(nullptr, {x, rows, kWidth, test_dropout(0.1)}), {{"rows", rows}, {"width", kWidth}});
  say("round", cuda::round(nullptr, {x, narrow, n}), {{"count", n}});

  Buffer<float> qkv(numbers<float>(int64_t{rows} * kQkv, 2)), table(numbers<float>(positions * kHeadDim, 3));
  Buffer<int32_t> position(cycle(rows, positions));
  TensorBuffer turned(kBf16, int64_t{rows} * kQkv);
  say("rope", cuda::rope(nullptr, {qkv, turned.view(), kQkv, position, table, rows, 2 * kHeads, kHeadDim, false}),
      {{"rows", rows}, {"stride", kQkv}, {"heads", 2 * kHeads}, {"head_dim", kHeadDim}, {"positions", positions}});
}

void bias_case() {
  const int32_t rows = 512;
  TensorBuffer dy(kBf16, numbers<float>(int64_t{rows} * kFfn, 1));
  Buffer<float> dbias(numbers<float>(kFfn, 2)), partial(cuda::bias_partial(rows, kFfn));
  say("bias_backward", cuda::bias_backward(nullptr, {dy.view(), dbias, partial, kFfn, rows, kFfn}),
      {{"rows", rows}, {"columns", kFfn}});
}

// One record of full length: how often a key is read depends on it.
void attention_cases() {
  const int32_t rows = kContext;
  Buffer<bf16> qkv(to_bf16(numbers<float>(int64_t{rows} * kQkv, 1))), dout(to_bf16(numbers<float>(int64_t{rows} * kWidth, 2))),
      out(int64_t{rows} * kWidth);
  Buffer<int32_t> offsets(std::vector<int32_t>{0, rows});
  Buffer<float> lse(int64_t{kHeads} * rows), delta(int64_t{kHeads} * rows);
  TensorBuffer dqkv(kBf16, int64_t{rows} * kQkv);
  const Segments segments{offsets, nullptr, 1, rows};
  const float scale = 1 / std::sqrt(static_cast<float>(kHeadDim));
  const std::vector<Size> sizes = {{"rows", rows},    {"segments", 1},      {"pairs", int64_t{rows} * (rows + 1) / 2},
                                   {"heads", kHeads}, {"kv_heads", kHeads}, {"head_dim", kHeadDim}};
  say("attention_forward",
      cuda::attention_forward(nullptr, {qkv, segments, rows, kHeads, kHeads, kHeadDim, scale, out, lse, Dropout{}}), sizes);
  say("attention_backward",
      cuda::attention_backward(
          nullptr, {qkv, out, lse, dout, segments, rows, kHeads, kHeads, kHeadDim, scale, dqkv.view(), delta, Dropout{}}),
      sizes);
}

void decode_case() {
  const int32_t rows = 2, at = 512, page = cache_page(kContext), pages = cache_pages(kContext);
  const int64_t page_stride = int64_t{2} * kHeads * page * kHeadDim, slot_stride = pages * page_stride;
  Buffer<bf16> qkv(to_bf16(numbers<float>(int64_t{rows} * kQkv, 1))), cache(to_bf16(numbers<float>(rows * slot_stride, 2))),
      out(int64_t{rows} * kWidth);
  Buffer<int32_t> slot(std::vector<int32_t>{1, 0}), position(std::vector<int32_t>{at, at});
  Buffer<float> partial(cuda::decode_partial(rows, kHeads, pages, kHeadDim));
  say("attention_decode",
      cuda::attention_decode(nullptr, {qkv, slot, position, cache, slot_stride, page_stride, page, pages, rows, kHeads, kHeads,
                                       kHeadDim, 1 / std::sqrt(static_cast<float>(kHeadDim)), out, partial}),
      {{"rows", rows}, {"heads", kHeads}, {"kv_heads", kHeads}, {"head_dim", kHeadDim}, {"position", at}, {"keys", at + 1}});
}

void xent_case() {
  const int32_t rows = 16, stride = (kVocab + 7) / 8 * 8;
  Buffer<float> logits(numbers<float>(int64_t{rows} * stride, 1, 4));
  Buffer<int32_t> target(cycle(rows, rows));
  Buffer<double> nll(rows);
  say("xent", cuda::xent(nullptr, {logits, target, nullptr, nullptr, nullptr, nll, rows, kVocab, stride, true, kBf16}),
      {{"rows", rows}, {"vocab", kVocab}});
}

void optimizer_cases() {
  const int64_t n = 8 * kGradBlock;
  auto squares = numbers<float>(n, 4);
  for (float& x : squares) x *= x;
  Buffer<float> weight(numbers<float>(n, 1)), gradient(numbers<float>(n, 2)), m(numbers<float>(n, 3)), v(squares);
  Buffer<double> partial(grad_blocks(n)), sum(1);
  Buffer<int32_t> skipped(std::vector<int32_t>{0});
  say("grad_norm", cuda::grad_norm(nullptr, {gradient, n, partial, sum}), {{"count", n}});
  say("adamw", cuda::adamw(nullptr, {weight, gradient, m, v, n, 3e-4, 0.9, 0.95, 1e-8, 0.1, 0.5, 0.3, sum, 7, 1, skipped}),
      {{"count", n}});
}

// A grammar of one state and one class, by which every token is legal, and draws without filters, as generation does by default.
void sample_case() {
  const int32_t rows = 8, words = (kVocab + 63) / 64;
  Buffer<uint16_t> token_class(std::vector<uint16_t>(kVocab, 0)), distance(std::vector<uint16_t>{0});
  Buffer<int32_t> order(std::vector<int32_t>(kVocab, 0)), knot_start(std::vector<int32_t>(kVocab + 1, 0));
  Buffer<uint8_t> rule(std::vector<uint8_t>{kRuleFree}), role(std::vector<uint8_t>{kRoleCovariate}),
      forget(std::vector<uint8_t>{0});
  Buffer<int16_t> next(std::vector<int16_t>{0});
  Buffer<int64_t> knots(std::vector<int64_t>{0});
  Buffer<uint64_t> seen(std::vector<uint64_t>(static_cast<size_t>(rows * words), 0));
  Buffer<float> logits(numbers<float>(int64_t{rows} * kVocab, 1, 4));
  std::vector<SampleDraw> records(static_cast<size_t>(rows));
  for (int32_t r = 0; r < rows; ++r) {
    SampleDraw& d = records[static_cast<size_t>(r)];
    d.patient = r;
    d.position = 512;
    d.room = kUnlimited;
    d.memory = {0, kNothingSaid, seen + r * words};
  }
  Buffer<SampleDraw> draws(records);
  const GrammarTables grammar{kVocab, 1,    1,      0,        0,          0,     token_class, order, rule,
                              role,   next, forget, distance, knot_start, knots, nullptr,     0};
  const SampleSettings settings{1, 1.0f, 0, 1.0f, 0.0f, true};
  say("sample", cuda::sample(nullptr, {grammar, settings, logits, draws, nullptr, rows}),
      {{"rows", rows}, {"vocab", kVocab}, {"legal", int64_t{rows} * kVocab}, {"draw", sizeof(SampleDraw)}});
}

// In one strand, as many rows of a have.
void nearest_case() {
  const int32_t queries = 32, references = 512, k = 10;
  Buffer<float> a(numbers<float>(int64_t{queries} * kWidth, 1)), b(numbers<float>(int64_t{references} * kWidth, 2)),
      square_a(queries), square_b(references), distance(queries * k);
  Buffer<double> best(queries * k);
  Buffer<int32_t> row(queries * k), index(queries * k);
  say("nearest",
      cuda::nearest(nullptr,
                    {a, b, queries, references, kWidth, k, 1, 0, 0, false, square_a, square_b, best, row, distance, index}),
      {{"queries", queries}, {"references", references}, {"width", kWidth}, {"neighbours", k}});
}

}  // namespace

bool run_cost_cases() {
  for (const auto& run : {embedding_forward_case, norm_cases, elementwise_cases, activation_cases, attention_cases, xent_case,
                          bias_case, embedding_backward_case, optimizer_cases, decode_case, sample_case, nearest_case})
    run();
  return !testing::UnitTest::GetInstance()->Failed();
}

}  // namespace syn::tests
