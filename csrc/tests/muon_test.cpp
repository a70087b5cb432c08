// Muon. The op against another way to the same numbers: singular values by rotations, of which Newton and Schulz compute a
// polynomial; its backends against the reference; and trainers that use it.
#include <cmath>
#include <map>

#include "model/optimizer.h"
#include "tests/allocations.h"
#include "tests/op_check.h"
#include "tests/trainer_fixture.h"

namespace syn::tests {
namespace {

using Rows = std::vector<std::vector<double>>;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void turn_pair(std::vector<double>& a, std::vector<double>& b, double c, double s) {
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i];
    a[i] = c * x - s * b[i];
    b[i] = s * x + c * b[i];
  }
}

// Rotates pairs of rows until all are orthogonal (M. R. Hestenes); the same rotations of `turn` are the left singular vectors.
// Rows that are nothing but rounding are left alone.
void make_orthogonal(Rows& x, Rows& turn) {
  double total = 0;
  for (const auto& row : x) total += dot(row, row);
  for (int sweep = 0; sweep < 60; ++sweep) {
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i)
      for (size_t j = i + 1; j < x.size(); ++j) {
        const double a = dot(x[i], x[i]), b = dot(x[j], x[j]), ab = dot(x[i], x[j]);
        if (std::fabs(ab) <= 1e-15 * std::sqrt(a * b) || std::min(a, b) <= 1e-26 * total) continue;
        worst = std::max(worst, std::fabs(ab) / std::sqrt(a * b));
        const double zeta = (b - a) / (2 * ab), t = (zeta < 0 ? -1 : 1) / (std::fabs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t);
        turn_pair(x[i], x[j], c, c * t);
        turn_pair(turn[i], turn[j], c, c * t);
      }
    if (worst < 1e-13) return;
  }
  FAIL() << "the rotations do not end";
}

Rows transposed(const Rows& x) {
  Rows out(x[0].size(), std::vector<double>(x.size()));
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t k = 0; k < x[i].size(); ++k) out[k][i] = x[i][k];
  return out;
}

// With fewer rows than columns.
Rows wide(const Rows& x) { return x.size() > x[0].size() ? transposed(x) : x; }

Rows identity(size_t n) {
  Rows out(n, std::vector<double>(n));
  for (size_t i = 0; i < n; ++i) out[i][i] = 1;
  return out;
}

std::vector<double> singular_values(const Rows& of) {
  Rows x = wide(of), turn = identity(x.size());
  make_orthogonal(x, turn);
  std::vector<double> out;
  for (const auto& row : x) out.push_back(std::sqrt(dot(row, row)));
  std::sort(out.begin(), out.end());
  return out;
}

// What Muon makes of u: every singular value s of u / (|u| + 1e-7) goes through five rounds of
// s (3.4445 - 4.775 s^2 + 2.0315 s^4).
Rows expected_direction(const Rows& u) {
  double squares = 0;
  for (const auto& row : u) squares += dot(row, row);
  Rows x = wide(u), turn = identity(x.size());
  for (auto& row : x)
    for (double& v : row) v /= std::sqrt(squares) + 1e-7;
  make_orthogonal(x, turn);
  Rows out(x.size(), std::vector<double>(x[0].size()));
  for (size_t r = 0; r < x.size(); ++r) {
    const double begin = std::sqrt(dot(x[r], x[r]));
    double factor = 1;
    for (int i = 0; i < 5; ++i) {
      const double s = factor * begin;
      factor *= 3.4445 - 4.775 * s * s + 2.0315 * s * s * s * s;
    }
    for (size_t i = 0; i < out.size(); ++i)
      for (size_t k = 0; k < out[i].size(); ++k) out[i][k] += turn[r][i] * factor * x[r][k];
  }
  return u.size() > u[0].size() ? transposed(out) : out;
}

struct Form {
  int32_t rows, columns, ld;
};
constexpr Form kForms[] = {{24, 96, 96}, {96, 24, 24}, {32, 32, 32}, {40, 24, 72}, {23, 51, 60}, {70, 33, 33}, {48, 400, 400}};

std::string name_of(const Form& f) {
  return std::to_string(f.rows) + " x " + std::to_string(f.columns) + " of rows of " + std::to_string(f.ld);
}

// A matrix in a larger one, with all that a step needs.
template <class Real>
class Stepped {
 public:
  static constexpr double kMu = 0.95, kScale = 0.5;

  Stepped(const Ops<Real>& ops, const Form& form, Precision precision, double weights = 1)
      : weight(numbers<Real>(int64_t{form.rows} * form.ld, 1, weights)),
        momentum(numbers<Real>(int64_t{form.rows} * form.ld, 2)),
        gradient(momentum.size()),
        ops_(ops),
        form_(form),
        precision_(precision),
        x_(area()),
        sum_(area()),
        gram_(square()),
        poly_(square()),
        packed_(static_cast<size_t>(muon_packed(form.rows, form.columns, precision, ops.packed_size))),
        partial_(static_cast<size_t>(form.rows)) {}

  void step(Exec& exec, double lr, double decay) {
    ops_.muon(exec, {weight.data(), gradient.data(), momentum.data(), form_.ld, form_.rows, form_.columns, lr, kMu, decay, kScale,
                     precision_, {x_.data(), sum_.data(), gram_.data(), poly_.data(), packed_.data(), partial_.data()}});
  }

  // The matrix in one of the arrays.
  Rows matrix(const std::vector<Real>& of) const {
    Rows out;
    for (int32_t r = 0; r < form_.rows; ++r) {
      const auto begin = of.begin() + int64_t{r} * form_.ld;
      out.emplace_back(begin, begin + form_.columns);
    }
    return out;
  }

  std::vector<Real> weight, momentum, gradient;

 private:
  size_t area() const { return static_cast<size_t>(form_.rows) * static_cast<size_t>(form_.columns); }
  size_t square() const {
    const auto side = static_cast<size_t>(muon_side(form_.rows, form_.columns));
    return side * side;
  }

  const Ops<Real>& ops_;
  const Form form_;
  const Precision precision_;
  std::vector<Real> x_, sum_, gram_, poly_, packed_;
  std::vector<double> partial_;
};

TEST(Muon, the_reference_is_a_polynomial_of_singular_values) {
  Pool pool(1);
  Exec exec{pool, nullptr};
  for (const Form& form : kForms) {
    SCOPED_TRACE(name_of(form));
    Stepped<double> s(ref::table(), form, Precision::kFp32);
    s.gradient = numbers<double>(static_cast<int64_t>(s.weight.size()), 3);
    const Rows before = s.matrix(s.weight), m = s.matrix(s.momentum), g = s.matrix(s.gradient);
    const std::vector<double> gradient = s.gradient, momentum = s.momentum, weight = s.weight;
    s.step(exec, 0.02, 0.1);
    Rows next = m, u = m;
    for (size_t r = 0; r < m.size(); ++r)
      for (size_t c = 0; c < m[r].size(); ++c) {
        next[r][c] = 0.95 * m[r][c] + 0.5 * g[r][c];
        u[r][c] = 0.5 * g[r][c] + 0.95 * next[r][c];
      }
    const Rows o = expected_direction(u), after = s.matrix(s.weight), kept = s.matrix(s.momentum), cleared = s.matrix(s.gradient);
    const double size = 0.2 * std::sqrt(std::max(form.rows, form.columns));
    for (size_t r = 0; r < m.size(); ++r)
      for (size_t c = 0; c < m[r].size(); ++c) {
        ASSERT_NEAR(kept[r][c], next[r][c], 1e-14);
        ASSERT_NEAR(after[r][c], before[r][c] - 0.02 * (0.1 * before[r][c] + size * o[r][c]), 1e-10);
        ASSERT_EQ(cleared[r][c], 0);
      }
    for (size_t i = 0; i < weight.size(); ++i) {
      if (static_cast<int32_t>(i) % form.ld < form.columns) continue;
      ASSERT_EQ(s.weight[i], weight[i]) << "outside of the matrix";
      ASSERT_EQ(s.momentum[i], momentum[i]);
      ASSERT_EQ(s.gradient[i], gradient[i]);
    }
  }
}

// Two steps; a call of a backend for check_op.
auto two_steps(const Form& form, Precision precision) {
  return [form, precision](auto real, const auto& ops, Exec& exec) {
    using Real = decltype(real);
    Stepped<Real> s(ops, form, precision);
    for (uint32_t step = 0; step < 2; ++step) {
      s.gradient = numbers<Real>(static_cast<int64_t>(s.weight.size()), 10 + step);
      s.step(exec, 0.02, 0.1);
    }
    Outputs out;
    out.add("weight", s.weight);
    out.add("momentum", s.momentum);
    out.add("gradient", s.gradient);
    return out;
  };
}

TEST(Muon, MatchesTheReferenceWithAnyThreads) {
  for (const Form& form : kForms) {
    SCOPED_TRACE(name_of(form));
    check_op(two_steps(form, Precision::kFp32), kGradient);
  }
}

// In bf16 the numbers are rounded at the places of the reference: it is much nearer to it than both are to exact numbers.
TEST(Muon, Bf16RoundsWhereTheReferenceDoes) {
  Pool one(1);
  Exec alone{one, nullptr};
  for (const Form& form : kForms) {
    SCOPED_TRACE(name_of(form));
    const auto exact = two_steps(form, Precision::kFp32), rounded = two_steps(form, Precision::kBf16);
    const auto weights = [](const Outputs& out) { return out.all()[0].second; };
    const std::vector<double> a = weights(exact(double{}, ref::table(), alone));
    const std::vector<double> b = weights(rounded(double{}, ref::table(), alone));
    EXPECT_GT(apart(b, a), 1e-5) << "nothing is rounded";
    EXPECT_LE(2 * apart(weights(rounded(float{}, ref::plain_float_table(), alone)), b), apart(b, a));
    for (const auto& [isa, ops] : cpu_tables()) {
      SCOPED_TRACE(isa);
      const Outputs got = rounded(float{}, *ops, alone);
      EXPECT_LE(2 * apart(weights(got), b), apart(b, a));
      for (const int threads : {2, 3, 7}) {
        Pool pool(threads);
        Exec exec{pool, nullptr};
        EXPECT_TRUE(rounded(float{}, *ops, exec) == got) << threads << " threads change the bits";
      }
    }
  }
}

template <class Real>
void expect_orthogonal(const Ops<Real>& ops, const Form& form, Precision precision) {
  Pool pool(2);
  Exec exec{pool, nullptr};
  Stepped<Real> s(ops, form, precision, 0);
  s.gradient = numbers<Real>(static_cast<int64_t>(s.weight.size()), 3);
  std::fill(s.momentum.begin(), s.momentum.end(), Real{0});
  const std::vector<double> before = singular_values(s.matrix(s.gradient));
  ASSERT_GT(before.back(), 2 * before.front()) << "there is nothing to do";
  s.step(exec, 1, 0);
  Rows o = s.matrix(s.weight);
  double squares = 0;
  for (auto& row : o)
    for (double& v : row) {
      squares += v * v;
      v /= -muon_size(form.rows, form.columns);
    }
  const std::vector<double> after = singular_values(o);
  EXPECT_GT(after.front(), 0.6);
  EXPECT_LT(after.back(), 1.25);
  const double elements = static_cast<double>(form.rows) * form.columns;
  EXPECT_NEAR(std::sqrt(squares / elements), 0.2, 0.04) << "the root mean square of a step of AdamW";
}

TEST(Muon, TheDirectionIsOrthogonal) {
  for (const Form& form : {Form{24, 96, 96}, Form{96, 24, 24}, Form{24, 64, 192}})
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      SCOPED_TRACE(name_of(form) + ", precision " + std::to_string(static_cast<int>(precision)));
      expect_orthogonal(ref::table(), form, precision);
      for (const auto& [isa, ops] : cpu_tables()) {
        SCOPED_TRACE(isa);
        expect_orthogonal(*ops, form, precision);
      }
    }
}

TEST(Muon, WithoutAGradientOnlyTheDecayIsLeft) {
  Pool pool(1);
  Exec exec{pool, nullptr};
  const auto check = [&](auto real, const auto& ops) {
    using Real = decltype(real);
    Stepped<Real> s(ops, {24, 40, 40}, Precision::kBf16);
    std::fill(s.momentum.begin(), s.momentum.end(), Real{0});
    const std::vector<Real> before = s.weight;
    s.step(exec, 0.5, 0.5);
    for (size_t i = 0; i < before.size(); ++i) ASSERT_EQ(s.weight[i], static_cast<Real>(0.75) * before[i]);
  };
  check(double{}, ref::table());
  for (const auto& [isa, ops] : cpu_tables()) {
    SCOPED_TRACE(isa);
    check(float{}, *ops);
  }
}

// ---- trainers

constexpr int32_t kVocab = 61, kContext = 40;
constexpr int32_t kPrecisions[] = {SYN_PRECISION_FP32, SYN_PRECISION_BF16};

syn_model_config gpt2(float dropout = 0) {
  syn_model_config c = small_config(SYN_GPT2, kVocab, 64, 2, 2, 2, 32, 96, kContext, true);
  c.dropout = dropout;
  c.init_std = 0.1f;  // livelier than fresh weights
  return c;
}
syn_model_config llama() {
  syn_model_config c = small_config(SYN_LLAMA, kVocab, 48, 2, 4, 2, 16, 72, kContext, false);
  c.init_std = 0.1f;
  return c;
}

const TrainingBatch& ragged() {
  static const TrainingBatch batch({33, 1, 20, 7}, kVocab, Training::kSoftRows);
  return batch;
}

Training muon_training(int32_t backend, const syn_model_config& config, int threads = 1, int32_t precision = SYN_PRECISION_FP32) {
  return Training(backend, config, ragged(), threads, precision, false, SYN_OPTIMIZER_MUON);
}

void train(Training& t, int steps) {
  for (int i = 0; i < steps; ++i) {
    t.accumulate(ragged());
    t.apply();
  }
}

// The tensors that are stepped as matrices, and as how many.
std::map<std::string, int> hidden_of(const syn_model_config& config) {
  std::map<std::string, int> out;
  for (const Tensor& t : layout_of(shape_of(config)).tensors) {
    if (t.hidden) out[t.name] = t.hidden;
  }
  return out;
}

// One step from rest, whose direction is that of the gradient alone: of q, k, v, gate, up and the others each by itself.
TEST(MuonTraining, EveryMatrixIsSteppedByItself) {
  for (const auto& config : {gpt2(), llama()}) {
    const std::map<std::string, int> hidden = hidden_of(config);
    EXPECT_EQ(hidden.size(), config.family == SYN_GPT2 ? 8u : 14u);
    Training t = muon_training(SYN_BACKEND_REF, config);
    t.accumulate(ragged());
    std::vector<std::vector<double>> before, gradient;
    for (int32_t i = 0; i < t.tensors(); ++i) {
      before.push_back(t.weights(i));
      gradient.push_back(t.state(SYN_STATE_GRADIENT, i));
    }
    t.apply(0.01);
    for (int32_t i = 0; i < t.tensors(); ++i) {
      const syn_tensor tensor = t.tensor(i);
      SCOPED_TRACE(tensor.name);
      ASSERT_EQ(tensor.hidden, hidden.count(tensor.name) ? 1 : 0);
      if (!tensor.hidden) continue;
      const auto parts = static_cast<size_t>(hidden.at(tensor.name)), rows = static_cast<size_t>(tensor.shape[0]);
      const size_t ld = static_cast<size_t>(tensor.shape[1]), columns = ld / parts;
      EXPECT_EQ(parts, std::string(tensor.name).find("c_attn") != std::string::npos ? 3u : 1u);
      const std::vector<double> after = t.weights(i);
      for (size_t part = 0; part < parts; ++part) {
        Rows g;
        for (size_t r = 0; r < rows; ++r) {
          const auto* from = gradient[static_cast<size_t>(i)].data() + r * ld + part * columns;
          g.emplace_back(from, from + columns);
        }
        const Rows o = expected_direction(g);
        const double size = 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns)));
        for (size_t r = 0; r < rows; ++r)
          for (size_t c = 0; c < columns; ++c) {
            const size_t at = r * ld + part * columns + c;
            const double w = before[static_cast<size_t>(i)][at];
            ASSERT_NEAR(after[at], w - 0.01 * (0.1 * w + size * o[r][c]), 1e-6) << "part " << part;
          }
      }
    }
  }
}

// Embeddings, norms, biases and the output matrix, whose gradients are the same.
TEST(MuonTraining, TheRestIsSteppedByAdamWToTheBit) {
  for (const auto& config : {gpt2(), llama()}) {
    Training adamw(SYN_BACKEND_CPU, config, ragged()), muon = muon_training(SYN_BACKEND_CPU, config);
    train(adamw, 1);
    train(muon, 1);
    for (int32_t i = 0; i < muon.tensors(); ++i) {
      EXPECT_EQ(muon.weights(i) == adamw.weights(i), muon.tensor(i).hidden == 0) << muon.tensor(i).name;
      if (muon.tensor(i).hidden) continue;
      EXPECT_EQ(muon.state(SYN_STATE_MOMENT1, i), adamw.state(SYN_STATE_MOMENT1, i));
      EXPECT_EQ(muon.state(SYN_STATE_MOMENT2, i), adamw.state(SYN_STATE_MOMENT2, i));
    }
  }
}

TEST(MuonTraining, ThreadsDoNotChangeABit) {
  for (const auto& config : {gpt2(0.1f), llama()})
    for (const int32_t precision : kPrecisions) {
      Training one = muon_training(SYN_BACKEND_CPU, config, 1, precision);
      train(one, 2);
      for (const int threads : {2, 3, 7}) {
        Training many = muon_training(SYN_BACKEND_CPU, config, threads, precision);
        train(many, 2);
        EXPECT_EQ(one.all_weights(), many.all_weights()) << threads << " threads, precision " << precision;
      }
    }
}

// How far two steps took the matrices.
std::vector<double> change(Training& t) {
  const auto matrices = [&] {
    std::vector<double> out;
    for (int32_t i = 0; i < t.tensors(); ++i) {
      const std::vector<double> x = t.weights(i);
      if (t.tensor(i).hidden) out.insert(out.end(), x.begin(), x.end());
    }
    return out;
  };
  const std::vector<double> before = matrices();
  train(t, 2);
  std::vector<double> out = matrices();
  for (size_t i = 0; i < out.size(); ++i) out[i] -= before[i];
  return out;
}

TEST(MuonTraining, TheCpuFollowsTheReferenceInBothPrecisions) {
  for (const auto& config : {gpt2(), llama()}) {
    Training exact = muon_training(SYN_BACKEND_REF, config), cpu = muon_training(SYN_BACKEND_CPU, config);
    Training oracle = muon_training(SYN_BACKEND_REF, config, 1, SYN_PRECISION_BF16);
    Training cpu_bf16 = muon_training(SYN_BACKEND_CPU, config, 1, SYN_PRECISION_BF16);
    const std::vector<double> a = change(exact), b = change(oracle);
    EXPECT_LE(apart(change(cpu), a), 1e-3);
    EXPECT_GT(apart(b, a), 1e-2) << "nothing is rounded";
    EXPECT_LE(apart(change(cpu_bf16), b), 2 * apart(b, a));
  }
}

TEST(MuonTraining, LossFallsWhenTrainedOnOneBatch) {
  for (const int32_t backend : {SYN_BACKEND_CPU, SYN_BACKEND_REF})
    for (const int32_t precision : kPrecisions) {
      if (backend == SYN_BACKEND_REF && precision == SYN_PRECISION_FP32) continue;
      const TrainingBatch batch({30, 20}, kVocab, 0);
      Training t(backend, llama(), batch, 1, precision, false, SYN_OPTIMIZER_MUON);
      const double before = t.accumulate(batch).sum;
      t.apply(1e-2);
      for (int i = 0; i < 20; ++i) {
        t.accumulate(batch);
        t.apply(1e-2);
      }
      EXPECT_LT(t.accumulate(batch).sum, 0.5 * before) << "backend " << backend << ", precision " << precision;
    }
}

TEST(MuonTraining, ResumingFromSavedStateIsBitwise) {
  for (const auto& config : {gpt2(0.1f), llama()}) {
    Training whole = muon_training(SYN_BACKEND_CPU, config, 2), first = muon_training(SYN_BACKEND_CPU, config, 2);
    train(whole, 5);
    train(first, 2);
    Training second = muon_training(SYN_BACKEND_CPU, config, 1);
    second.take_state(first, true);
    train(second, 3);
    EXPECT_EQ(whole.all_weights(), second.all_weights());
  }
}

TEST(MuonTraining, ThereAreNoSecondMomentsOfMatrices) {
  const DeviceHandle device = make_device(SYN_BACKEND_CPU);
  for (const auto& config : {gpt2(), llama()}) {
    syn_trainer_params p = trainer_params(ragged().count(), ragged().segments());
    syn_memory memory[2] = {};
    syn_error e = fresh_error();
    for (const int32_t optimizer : {SYN_OPTIMIZER_ADAMW, SYN_OPTIMIZER_MUON}) {
      p.optimizer = optimizer;
      memory[optimizer].size = sizeof(syn_memory);
      must(syn_trainer_estimate(device.get(), &config, &p, &memory[optimizer], &e), e);
    }
    const int64_t rest = layout_of(shape_of(config)).rest * static_cast<int64_t>(sizeof(float));
    EXPECT_EQ(memory[1].moments, memory[0].moments / 2 + rest);
    EXPECT_LT(memory[1].moments, memory[0].moments);
    EXPECT_GT(memory[1].workspace, memory[0].workspace);
    Training t = muon_training(SYN_BACKEND_CPU, config);
    for (int32_t i = 0; i < t.tensors(); ++i) {
      const syn_tensor tensor = t.tensor(i);
      std::vector<double> x(static_cast<size_t>(tensor.count));
      const syn_status status = syn_trainer_read(t.trainer(), SYN_STATE_MOMENT2, i, SYN_F64, x.data(), tensor.count, &e);
      EXPECT_EQ(status, tensor.hidden ? SYN_INVALID_ARGUMENT : SYN_OK) << tensor.name;
      if (tensor.hidden) {
        EXPECT_EQ(e.message, std::string("tensor ") + tensor.name + " has no second moment, as Muon steps it");
      }
    }
  }
}

TEST(MuonTraining, AGradientThatIsNotFiniteChangesNothing) {
  Training t = muon_training(SYN_BACKEND_CPU, gpt2());
  train(t, 1);
  const int32_t embedding = t.tensors() - 1;
  std::vector<double> broken = t.weights(embedding);
  const double kept = broken[0];
  broken[0] = NAN;
  t.set_weights(embedding, broken);
  std::vector<std::vector<double>> weights, momentum;
  for (int32_t i = 0; i < embedding; ++i) {
    weights.push_back(t.weights(i));
    momentum.push_back(t.state(SYN_STATE_MOMENT1, i));
  }
  t.accumulate(ragged());
  EXPECT_EQ(t.apply().skipped, 1);
  for (int32_t i = 0; i < embedding; ++i) {
    EXPECT_EQ(t.weights(i), weights[static_cast<size_t>(i)]);
    EXPECT_EQ(t.state(SYN_STATE_MOMENT1, i), momentum[static_cast<size_t>(i)]);
  }
  broken[0] = kept;
  t.set_weights(embedding, broken);
  t.accumulate(ragged());
  EXPECT_EQ(t.apply().skipped, 0);
  for (const double w : t.all_weights()) ASSERT_TRUE(std::isfinite(w));
}

TEST(MuonTraining, StepsAllocateNothingAndAreProfiled) {
  for (const int32_t precision : kPrecisions) {
    Training t = muon_training(SYN_BACKEND_CPU, gpt2(), 2, precision);
    train(t, 1);
    syn_error e = fresh_error();
    must(syn_trainer_profile(t.trainer(), 1, &e), e);
    const int64_t before = allocations();
    train(t, 3);
    EXPECT_EQ(allocations() - before, 0);
    syn_op_time op = {};
    op.size = sizeof op;
    must(syn_trainer_profile_op(t.trainer(), syn_trainer_profile_ops(t.trainer()) - 1, &op, &e), e);
    EXPECT_STREQ(op.name, "muon");
    EXPECT_EQ(op.calls, 3 * 2 * 6) << "q, k, v, proj, up and down of two layers";
    // By hand: five times x x^T, a a and p x of 64 x 64 matrices four times, of 64 x 96 ones twice.
    EXPECT_EQ(op.flop, 3 * 2 * 5 * (4 * 6.0 * 64 * 64 * 64 + 2 * (4.0 * 64 * 64 * 96 + 2.0 * 64 * 64 * 64)));
  }
}

TEST(MuonTraining, AnotherOptimizerIsRefused) {
  const DeviceHandle device = make_device(SYN_BACKEND_CPU);
  const ModelHandle model = make_model(device.get(), gpt2());
  syn_trainer_params p = trainer_params(8, 1);
  EXPECT_EQ(p.optimizer, SYN_OPTIMIZER_ADAMW);
  p.optimizer = 2;
  syn_trainer* out = nullptr;
  syn_error e = fresh_error();
  EXPECT_EQ(SYN_INVALID_ARGUMENT, syn_trainer_create(model.get(), &p, &out, &e));
  EXPECT_STREQ(e.message, "optimizer is 2, expected 0 (AdamW) or 1 (Muon)");
}

}  // namespace
}  // namespace syn::tests
