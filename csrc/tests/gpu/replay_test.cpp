// Whole patients against the samplers of the host. The table of the emulation is wrapped so that every draw that a generator asks
// for, ways out of the grammar with it, is made again by ref and cpu: from the logits, the memory and the chance that the device
// had. What a draw leaves (token, number, state, what was said, reports) must have the same bits, and it is what the next draw of
// the record begins with. So given equal logits the patients are those of every other backend, from the first token to the end.
#include <utility>
#include <vector>

#include "tests/generator_fixture.h"
#include "tests/gpu/decoding_fixture.h"
#include "tests/sample_rows.h"

namespace syn::tests {
namespace {

struct Replay {
  GrammarTables tables;  // of the host
  std::vector<SampleFunction> hosts = host_samplers();
  int64_t draws = 0, numbers = 0, ways_out = 0;
};
Replay* replay = nullptr;  // of the test at work

// A row that draws in this step: what it is asked for, and where its draw will be found.
struct Drawing {
  size_t row;
  SampleDraw asked;
  const SampleDraw* drawn;
};
std::vector<Drawing> rows_that_draw(const cuda::Sample& s) {
  std::vector<Drawing> out;
  const cuda::Burst& b = s.burst;
  const auto step = from_device(b.step, s.rows), given = from_device(b.given, s.rows), limit = from_device(b.limit, s.rows);
  for (int32_t r = 0; r < s.rows; ++r) {
    const auto at = static_cast<size_t>(r);
    if (step[at] == limit[at] || step[at] + 1 < given[at]) continue;
    out.push_back({at, from_device(s.draws + r, 1)[0], b.drawn + int64_t{step[at]} * b.stride + r});
  }
  return out;
}

std::vector<std::vector<uint64_t>> memories(const std::vector<Drawing>& drawing, int32_t vocab) {
  std::vector<std::vector<uint64_t>> out;
  for (const Drawing& d : drawing) out.push_back(from_device(d.asked.memory.seen, (vocab + 63) / 64));
  return out;
}

int sample_and_replay(cuda::Stream stream, const cuda::Sample& s) {
  if (s.rows == 0) return plugin_table().sample(stream, s);  // whether it takes such sizes
  must(cudaDeviceSynchronize());
  const std::vector<Drawing> drawing = rows_that_draw(s);
  const auto seen_before = memories(drawing, s.grammar.vocab);
  const std::vector<float> logits = from_device(s.logits, int64_t{s.rows} * s.grammar.vocab);
  const int code = plugin_table().sample(stream, s);
  must(cudaDeviceSynchronize());
  const auto seen_after = memories(drawing, s.grammar.vocab);
  for (size_t i = 0; i < drawing.size(); ++i) {
    const SampleDraw got = from_device(drawing[i].drawn, 1)[0];
    for (const SampleFunction host : replay->hosts) {
      SampleDraw want = drawing[i].asked;
      std::vector<uint64_t> seen = seen_before[i];
      want.memory.seen = seen.data();
      const float* const row = logits.data() + drawing[i].row * static_cast<size_t>(s.grammar.vocab);
      draw_on_host(host, replay->tables, s.settings, row, want);
      EXPECT_EQ(draw_fields(got), draw_fields(want)) << "patient " << want.patient << ", token " << want.position;
      EXPECT_EQ(seen_after[i], seen) << "patient " << want.patient << ", token " << want.position;
    }
    ++replay->draws;
    replay->numbers += got.number != INT64_MIN;
    replay->ways_out += got.status == kNoLegalLogit;
  }
  return code;
}

DeviceHandle replaying_device() {
  static const gpu::Backend table = [] {
    gpu::Backend t = host_backend();
    t.sample = sample_and_replay;
    t.begin_recording = nullptr;  // a recorded step would not come by
    return t;
  }();
  return DeviceHandle(new syn_device(device_of(table)));
}

constexpr int64_t kPatients = 8, kMaxTokens = 36;

// The records of a generator, each legal; every token but the first of a record must have been replayed.
std::vector<GeneratedRecord> replayed_records(Replay& r, const SmallGrammar& g, int32_t family, int32_t context,
                                              const syn_generator_params& params) {
  const Grammar grammar(g.params, g.arrays());
  r.tables = grammar.tables();
  replay = &r;
  Factory f(replaying_device(), small_model(family, g.params.vocab, context), g, params);
  EXPECT_EQ(syn_generator_submit(f.generator.get(), 0, kPatients, &f.failure), SYN_OK) << f.failure.message;
  std::vector<GeneratedRecord> records = f.finish(9, kMaxTokens);
  EXPECT_EQ(records.size(), static_cast<size_t>(kPatients));
  int64_t said = 0;
  for (const GeneratedRecord& record : records) {
    expect_legal(g, record);
    said += static_cast<int64_t>(record.tokens.size()) - 1;
  }
  EXPECT_EQ(r.draws, said);
  replay = nullptr;
  return records;
}

TEST(GpuReplay, whole_patients_are_drawn_as_ref_and_cpu_draw_them) {
  const SmallGrammar g;
  syn_generator_params plain = generator_params(3, kMaxTokens), filtered = plain;
  filtered.temperature = 0.75f;
  filtered.top_k = 12;
  filtered.top_p = 0.9f;
  filtered.min_p = 0.01f;
  filtered.report_mass = 1;
  int64_t chunked = 0, closed = 0, numbers = 0;
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA})
    for (const auto& params : {plain, filtered}) {
      SCOPED_TRACE(family == SYN_GPT2 ? "GPT-2" : "Llama");
      Replay r;
      for (const GeneratedRecord& record : replayed_records(r, g, family, 20, params)) {
        chunked += record.chunks > 1;
        closed += record.closed;
      }
      numbers += r.numbers;
    }
  EXPECT_GT(chunked, 4) << "records must have outgrown their context";
  EXPECT_GT(closed, 0) << "the length limit must have had a say";
  EXPECT_GT(numbers, 50);
}

TEST(GpuReplay, ways_out_of_the_grammar_are_those_of_ref_and_cpu) {
  const SmallGrammar g;
  Replay r;
  replayed_records(r, g, SYN_GPT2, 4, generator_params(3, kMaxTokens));  // no room for a chunk behind the first
  EXPECT_GT(r.ways_out, 2);
}

}  // namespace
}  // namespace syn::tests
