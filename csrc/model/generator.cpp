// The loop of generation. A step: free slots begin the next patients; every slot feeds one token (its last draw, or the next of a
// chunk's header and replay); those that fed the last they had draw the next, rows that may say the same things side by side, so
// that the product of a tile skips what none of them may; a record that ends goes to the ready ring, and one
// that has filled the context begins a new chunk. The last token of a full chunk is not fed, as nothing is drawn from it: what
// follows it is drawn from the new chunk.
//
// A GPU takes several steps at a time, a burst: what a record draws in one it feeds in the next, until it ends or its chunk is
// full; then its slot idles to the end of the burst. The bookkeeping is made here for every backend, step by step behind a burst.
//
// Determinism: see generator.h; only the sums of the statistics are added in slot order. Nothing is allocated in a step.
#include "model/generator.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/arena.h"
#include "core/status.h"
#include "math/int8.h"
#include "math/philox.h"
#include "model/generator_queue.h"
#include "model/step_decoder.h"

namespace syn {
namespace {

constexpr int32_t kMostSlots = 1 << 16;
constexpr int64_t kMostTokens = int64_t{1} << 31;  // a position is 32 bits of the counter

void check_vocabulary(const GrammarTables& tables, const Shape& shape) {
  require(tables.vocab == shape.vocab, "the grammar has %d tokens, the model %d", tables.vocab, shape.vocab);
}

struct Slot {
  bool active = false;
  bool closed = false;  // the length limit has had a say
  bool idle = false;    // until the end of the burst
  GeneratorRecord record;
  GrammarMemory memory = {};
  int32_t* feed = nullptr;  // [context] tokens to be fed
  int32_t fed = 0, to_feed = 0;
  int32_t position = 0;  // in the chunk, of the next token to be fed

  int32_t given() const { return to_feed - fed; }  // tokens to be fed that it has not drawn since
  bool wants_draw() const { return given() == 1; }
};

}  // namespace

GeneratorSettings generator_settings(const syn_generator_params& p) {
  require_size(p.size, sizeof p, "syn_generator_params");
  require(p.slots >= 1 && p.slots <= kMostSlots, "slots is %d, expected 1 to %d", p.slots, kMostSlots);
  require(p.max_tokens >= 2 && p.max_tokens <= kMostTokens, "max_tokens is %lld, expected 2 to %lld",
          static_cast<long long>(p.max_tokens), static_cast<long long>(kMostTokens));
  require(p.temperature > 0 && std::isfinite(p.temperature), "temperature is %g, expected above 0",
          static_cast<double>(p.temperature));
  require(p.top_k >= 0, "top_k is %d, expected 0 or more", p.top_k);
  require(p.top_p > 0 && p.top_p <= 1, "top_p is %g, expected above 0 to 1", static_cast<double>(p.top_p));
  require(p.min_p >= 0 && p.min_p <= 1, "min_p is %g, expected 0 to 1", static_cast<double>(p.min_p));
  require(p.mask == 0 || p.mask == 1, "mask is %d, expected 0 or 1", p.mask);
  require(p.report_mass == 0 || p.report_mass == 1, "report_mass is %d, expected 0 or 1", p.report_mass);
  require(p.precision == SYN_PRECISION_FP32 || p.precision == SYN_PRECISION_INT8,
          "precision is %d, generation knows %d (fp32) and %d (int8)", p.precision, SYN_PRECISION_FP32, SYN_PRECISION_INT8);
  require(p.cache == SYN_CACHE_OWN || p.cache == SYN_CACHE_FP16, "cache is %d, expected %d (the backend's own numbers) or %d (fp16)",
          p.cache, SYN_CACHE_OWN, SYN_CACHE_FP16);
  return {p.slots,
          p.max_tokens,
          p.report_mass != 0,
          static_cast<Precision>(p.precision),
          static_cast<CacheNumbers>(p.cache),
          {p.seed, p.temperature, p.top_k, p.top_p, p.min_p, p.mask != 0},
          kBurstSteps};
}

class SlotGenerator final : public Generator {
 public:
  SlotGenerator(std::shared_ptr<Model> model, std::shared_ptr<Grammar> grammar, const GeneratorSettings& settings);

  static void estimate(const Device&, const Shape&, const Grammar*, const GeneratorSettings&, syn_memory& out);
  void submit(int64_t first, int64_t count) override;
  void run(int64_t max_steps, syn_generator_stats& stats) override;
  void take(int32_t* tokens, int64_t* numbers, int64_t capacity, syn_record& out) override;

 private:
  // Arrays of a burst, laid out twice as core/arena.h explains.
  struct Buffers {
    int32_t *token, *slot, *position, *given, *limit;  // [slots] the rows
    const int32_t** feed_of;                           // [slots]
    SampleDraw* draw;                                  // [steps, slots]
    int32_t* feed;                                     // [slots, context]
    uint64_t* seen;                                    // [slots, words]
  };
  static Buffers lay_out(const Shape&, int32_t slots, int32_t steps, Arena& arena);

  void refill();
  void begin_chunk(Slot& slot);
  void burst(Exec& exec, int32_t steps, syn_generator_stats& stats);
  DecodeRows gather(int32_t steps);
  int32_t steps_without_host(const Slot& slot, int32_t most) const;
  void accept(Slot& slot, const SampleDraw& d, syn_generator_stats& stats);
  void finish(Slot& slot);
  void finish_without_model(Slot& slot);
  bool measured(const Slot& slot) const;
  SampleDraw next_draw(const Slot& slot) const;
  bool limited(int32_t state, int32_t room) const;

  const std::shared_ptr<Model> model_;
  const std::shared_ptr<Grammar> grammar_;
  const GeneratorSettings settings_;
  const GrammarTables tables_;
  const int32_t most_steps_;  // of a burst
  const std::unique_ptr<StepDecoder> decoder_;
  ReadyRing ready_;
  PatientQueue queue_;
  std::vector<Slot> slots_;
  Arena arena_{"generator"};
  Buffers b_;
};

SlotGenerator::Buffers SlotGenerator::lay_out(const Shape& s, int32_t slots, int32_t steps, Arena& arena) {
  Buffers b;
  b.token = arena.take<int32_t>(slots);
  b.slot = arena.take<int32_t>(slots);
  b.position = arena.take<int32_t>(slots);
  b.given = arena.take<int32_t>(slots);
  b.limit = arena.take<int32_t>(slots);
  b.feed_of = arena.take<const int32_t*>(slots);
  b.draw = arena.take<SampleDraw>(int64_t{steps} * slots);
  b.feed = arena.take<int32_t>(int64_t{slots} * s.context);
  b.seen = arena.take<uint64_t>(int64_t{slots} * ((s.vocab + 63) / 64));
  return b;
}

SlotGenerator::SlotGenerator(std::shared_ptr<Model> model, std::shared_ptr<Grammar> grammar, const GeneratorSettings& settings)
    : model_(std::move(model)),
      grammar_(std::move(grammar)),
      settings_(settings),
      tables_(grammar_->tables()),
      most_steps_(most_steps(*model_->device(), settings)),
      decoder_(make_step_decoder(model_, tables_, settings)),
      ready_(settings.slots, settings.max_tokens),
      slots_(static_cast<size_t>(settings.slots)) {
  const Shape& s = model_->shape();
  lay_out(s, settings.slots, most_steps_, arena_);
  arena_.reserve();
  b_ = lay_out(s, settings.slots, most_steps_, arena_);
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].feed = b_.feed + i * static_cast<size_t>(s.context);
    slots_[i].memory.seen = b_.seen + i * static_cast<size_t>((s.vocab + 63) / 64);
  }
}

void SlotGenerator::estimate(const Device& device, const Shape& s, const Grammar* grammar, const GeneratorSettings& settings,
                             syn_memory& out) {
  Arena arena("generator");
  lay_out(s, settings.slots, most_steps(device, settings), arena);
  const GrammarTables tables = grammar ? grammar->tables() : GrammarTables{};
  estimate_step_decoder(device, s, grammar ? &tables : nullptr, settings, out);
  out.workspace += arena.bytes() + ReadyRing::bytes(settings.slots, settings.max_tokens);
}

void SlotGenerator::submit(int64_t first, int64_t count) {
  const auto most = static_cast<long long>(kPhiloxItems);
  require(first >= 0 && count >= 0 && first <= kPhiloxItems - count, "patients %lld and %lld more, expected within 0 to %lld",
          static_cast<long long>(first), static_cast<long long>(count), most - 1);
  queue_.add(first, count);
}

void SlotGenerator::run(int64_t max_steps, syn_generator_stats& stats) {
  std::lock_guard<std::mutex> lock(model_->device()->busy);
  Exec exec{model_->device()->pool, &cancelled_};
  const auto active = [&] {
    int32_t n = 0;
    for (const Slot& slot : slots_) n += slot.active;
    return n;
  };
  const struct Forget {  // a cancel that this call has heeded or outrun
    std::atomic<bool>& flag;
    ~Forget() { flag.store(false); }
  } forget{cancelled_};
  decoder_->refresh(exec);
  while (stats.steps < max_steps && !ready_.half_full()) {
    exec.poll();
    refill();
    if (active() == 0) break;
    const auto steps = static_cast<int32_t>(std::min<int64_t>(most_steps_, max_steps - stats.steps));
    burst(exec, steps, stats);
    stats.steps += steps;
  }
  stats.active = active();
  stats.queued = queue_.size();
  stats.ready = ready_.size();
}

void SlotGenerator::refill() {
  const Shape& s = model_->shape();
  for (Slot& slot : slots_) {
    if (slot.active || queue_.size() == 0) continue;
    slot.active = true;
    slot.closed = false;
    slot.record.begin(*grammar_, queue_.take(), ready_.buffer());
    slot.memory.state = tables_.start;
    slot.memory.last_order = kNothingSaid;
    for (int32_t i = 0; i < (s.vocab + 63) / 64; ++i) slot.memory.seen[i] = 0;
    slot.feed[0] = tables_.start_token;
    slot.fed = slot.position = 0;
    slot.to_feed = 1;
  }
}

// How many steps, of so many at the most, a slot takes before its chunk is full or its record as long as it may be.
int32_t SlotGenerator::steps_without_host(const Slot& slot, int32_t most) const {
  const int64_t chunk = std::max(1, model_->shape().context - 1 - slot.position);
  const int64_t record = slot.given() - 1 + settings_.max_tokens - slot.record.length();
  return static_cast<int32_t>(std::min({int64_t{most}, chunk, record}));
}

// The rows of a burst: those that draw in it first, ordered by what decides which tokens are legal, measured draws before all.
DecodeRows SlotGenerator::gather(int32_t steps) {
  DecodeRows rows{b_.token, b_.slot, b_.position, 0, 0, steps, b_.feed_of, b_.given, b_.limit};
  for (const bool wanted : {true, false}) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].active && (slots_[i].given() <= steps) == wanted) b_.slot[rows.rows++] = static_cast<int32_t>(i);
    }
    if (wanted) rows.wanted = rows.rows;
  }
  std::sort(b_.slot, b_.slot + rows.wanted, [&](int32_t i, int32_t j) {
    const Slot &a = slots_[static_cast<size_t>(i)], &b = slots_[static_cast<size_t>(j)];
    const bool first = measured(a), second = measured(b);
    if (first != second) return first;
    if (a.memory.state != b.memory.state) return a.memory.state < b.memory.state;
    return a.memory.last_order != b.memory.last_order ? a.memory.last_order < b.memory.last_order : i < j;
  });
  for (int32_t r = 0; r < rows.rows; ++r) {
    Slot& slot = slots_[static_cast<size_t>(b_.slot[r])];
    slot.idle = false;
    b_.feed_of[r] = slot.feed + slot.fed;
    b_.token[r] = slot.feed[slot.fed];
    b_.position[r] = slot.position;
    b_.given[r] = slot.given();
    b_.limit[r] = steps_without_host(slot, steps);
    if (r < rows.wanted) b_.draw[r] = next_draw(slot);
  }
  return rows;
}

void SlotGenerator::burst(Exec& exec, int32_t steps, syn_generator_stats& stats) {
  const DecodeRows rows = gather(steps);
  decoder_->step(exec, rows, b_.draw);
  for (int32_t i = 0; i < steps; ++i) {
    for (int32_t r = 0; r < rows.rows; ++r) {
      Slot& slot = slots_[static_cast<size_t>(rows.slot[r])];
      if (slot.idle) continue;
      const bool drew = slot.wants_draw();
      ++slot.fed;
      ++slot.position;
      if (drew) accept(slot, b_.draw[int64_t{i} * rows.wanted + r], stats);
    }
  }
}

bool SlotGenerator::measured(const Slot& slot) const {
  return is_measured(settings_.rules(), slot.record.patient(), slot.record.length());
}

SampleDraw SlotGenerator::next_draw(const Slot& slot) const {
  SampleDraw d = {};
  d.patient = slot.record.patient();
  d.position = static_cast<uint32_t>(slot.record.length());
  d.memory = slot.memory;
  ask(settings_.rules(), d);
  return d;
}

// Whether the length limit takes a choice away in a state.
bool SlotGenerator::limited(int32_t state, int32_t room) const {
  bool any = false;
  for (int32_t c = 0; room != kUnlimited && c < tables_.classes; ++c) {
    const auto id = static_cast<uint16_t>(c);
    any |= class_open(tables_, state, id, kUnlimited) && !class_open(tables_, state, id, room);
  }
  return any;
}

// Takes a draw into the record, and decides how it goes on.
void SlotGenerator::accept(Slot& slot, const SampleDraw& d, syn_generator_stats& stats) {
  const auto patient = static_cast<long long>(d.patient);
  if (d.patient != slot.record.patient() || d.position != slot.record.length())
    fail(SYN_INTERNAL, "a draw is of token %u of patient %lld, expected token %lld of patient %lld", d.position, patient,
         static_cast<long long>(slot.record.length()), static_cast<long long>(slot.record.patient()));
  if (d.status == kNothingLegal)
    fail(SYN_FORMAT, "the vetoes of the grammar leave no token in state %d after %u tokens of patient %lld", slot.memory.state,
         d.position, patient);
  slot.memory = d.memory;
  slot.closed |= settings_.sample.mask && limited(slot.memory.state, d.room);
  slot.record.say(*grammar_, d.token, d.number, d.memory.state);
  if (d.measured) slot.record.measure(d.removed);
  ++stats.tokens;
  stats.measured += d.measured;
  stats.masked_mass += d.removed;
  stats.logp_model += d.logp_model;
  stats.logp_masked += d.logp_masked;
  stats.no_legal_logit += d.status == kNoLegalLogit;

  if (ends(tables_, settings_.sample, d)) return finish(slot);
  if (slot.record.length() == settings_.max_tokens) {
    if (settings_.sample.mask)
      fail(SYN_FORMAT, "the vetoes of the grammar keep the record of patient %lld open at its limit of %u tokens", patient,
           d.position + 1);
    slot.closed = true;
    return finish(slot);
  }
  slot.feed[0] = d.token;
  slot.fed = 0;
  slot.to_feed = 1;
  if (slot.position + 1 >= model_->shape().context) begin_chunk(slot);
}

void SlotGenerator::begin_chunk(Slot& slot) {
  slot.idle = true;
  slot.to_feed = slot.record.next_chunk(*grammar_, model_->shape().context, slot.feed);
  slot.fed = slot.position = 0;
  if (slot.to_feed == 0) finish_without_model(slot);
}

void SlotGenerator::finish(Slot& slot) {
  const GeneratorRecord& r = slot.record;
  ready_.add({r.buffer(), r.patient(), r.length(), r.chunks(), slot.closed, r.measured(), r.removed()});
  slot.active = false;
  slot.idle = true;
}

// No chunk with room for another token can begin: the grammar's shortest way out, without asking the model.
void SlotGenerator::finish_without_model(Slot& slot) {
  slot.closed = true;
  while (settings_.sample.mask && slot.memory.state != tables_.done) {
    SampleDraw d = next_draw(slot);
    d.room = tables_.distance[slot.memory.state] - 1;
    d.measured = false;
    decoder_->way_out(d);
    const bool nearer = d.status == kNoLegalLogit && tables_.distance[d.memory.state] < tables_.distance[slot.memory.state];
    if (!nearer || slot.record.length() == settings_.max_tokens)
      fail(SYN_FORMAT, "the vetoes of the grammar keep the record of patient %lld open", static_cast<long long>(d.patient));
    slot.memory = d.memory;
    slot.record.say(*grammar_, d.token, d.number, d.memory.state);
  }
  finish(slot);
}

void SlotGenerator::take(int32_t* tokens, int64_t* numbers, int64_t capacity, syn_record& out) {
  if (ready_.size() == 0) return;
  const FinishedRecord& r = ready_.front();
  out.closed = r.closed;
  out.patient = r.patient;
  out.tokens = r.length;
  out.chunks = r.chunks;
  out.masked_mass = r.removed;
  out.measured = r.measured;
  require(r.length <= capacity, "the record has %lld tokens, the caller's arrays %lld", static_cast<long long>(r.length),
          static_cast<long long>(capacity));
  require(tokens && numbers, "tokens and numbers may not be NULL");
  for (int64_t i = 0; i < r.length; ++i) {
    tokens[i] = r.buffer.tokens[i];
    numbers[i] = r.buffer.numbers[i];
  }
  ready_.drop_front();
}

std::shared_ptr<Generator> Generator::create(std::shared_ptr<Model> model, std::shared_ptr<Grammar> grammar,
                                             const GeneratorSettings& s) {
  const GrammarTables tables = grammar->tables();
  check_vocabulary(tables, model->shape());
  const int32_t ffn = model->shape().ffn;
  require(s.precision != Precision::kInt8 || ffn <= kInt8Terms, "ffn is %d, sums of int8 products hold %d terms", ffn,
          kInt8Terms);
  const int32_t least = 1 + tables.distance[tables.start];
  require(!s.sample.mask || s.max_tokens >= least, "max_tokens is %lld, the shortest record has %d",
          static_cast<long long>(s.max_tokens), least);
  return std::make_shared<SlotGenerator>(std::move(model), std::move(grammar), s);
}

void Generator::estimate(const Device& device, const Shape& shape, const Grammar* grammar, const GeneratorSettings& s,
                         syn_memory& out) {
  if (grammar) check_vocabulary(grammar->tables(), shape);
  SlotGenerator::estimate(device, shape, grammar, s, out);
  out.total = out.parameters + out.gradients + out.moments + out.activations + out.workspace + out.kv_cache;
}

}  // namespace syn
