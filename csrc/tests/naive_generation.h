// Generation as one would write it on paper, in double precision: for every token a full forward pass over the whole chunk,
// chunks laid out from the record so far by walking it from its start. Slow, and without anything that the generator remembers.
#ifndef SYN_TESTS_NAIVE_GENERATION_H
#define SYN_TESTS_NAIVE_GENERATION_H

#include "ops/decode_table.h"
#include "tests/full_forward.h"
#include "tests/generator_fixture.h"

namespace syn::tests {

class NaiveGeneration {
 public:
  NaiveGeneration(const syn_model_config& config, uint64_t weights_seed, const Grammar& grammar, uint64_t seed,
                  int64_t max_tokens)
      : model_(std::static_pointer_cast<ModelOf<double>>(
            Model::create(std::make_shared<Device>(SYN_BACKEND_REF, 1), shape_of(config), weights_seed))),
        grammar_(grammar),
        t_(grammar.tables()),
        settings_{seed, 1.0f, 0, 1.0f, 0.0f, true},
        max_tokens_(max_tokens) {}

  GeneratedRecord record(int64_t patient) {
    GeneratedRecord r{patient, 0, 1, 0, {t_.start_token}, {INT64_MIN}};
    std::vector<int32_t> chunk = r.tokens;
    std::vector<uint64_t> seen(static_cast<size_t>(t_.vocab) / 64 + 1);
    GrammarMemory memory{t_.start, kNothingSaid, seen.data()};
    while (memory.state != t_.done) {
      const std::vector<double> logits = full_forward(*model_, chunk);
      const std::vector<float> last(logits.end() - t_.vocab, logits.end());
      SampleDraw d = {};
      d.patient = patient;
      d.position = static_cast<uint32_t>(r.tokens.size());
      d.room = static_cast<int32_t>(max_tokens_ - static_cast<int64_t>(r.tokens.size()) - 1);
      d.memory = memory;
      ref::decode_table().sample(t_, settings_, last.data(), d, nullptr);
      memory = d.memory;
      r.tokens.push_back(d.token);
      r.numbers.push_back(d.number);
      chunk.push_back(d.token);
      if (chunk.size() == static_cast<size_t>(model_->shape().context) && memory.state != t_.done) {
        chunk = next_chunk(r);
        ++r.chunks;
      }
    }
    return r;
  }

 private:
  std::vector<int32_t> next_chunk(const GeneratedRecord& r) const {
    std::vector<int32_t> header, said;
    std::vector<uint64_t> seen(static_cast<size_t>(t_.vocab) / 64 + 1);
    GrammarMemory m{t_.start, kNothingSaid, seen.data()};
    int64_t visit = 0, minutes = 0;
    size_t cut = 0;
    for (size_t i = 1; i < r.tokens.size(); ++i) {
      const int32_t token = r.tokens[i];
      const uint8_t role = t_.class_role[t_.token_class[token]];
      if (role == kRoleVisit) ++visit, minutes = 0, said.clear();
      if (role == kRoleCovariate || role == kRoleLabel) said.push_back(token);
      if (role == kRoleGap) minutes += r.numbers[i];
      take(t_, m, token);
      if (grammar_.chunk_token(m.state) < 0) continue;
      cut = i + 1;
      header = {grammar_.chunk_token(m.state), grammar_.visit_token(visit), grammar_.elapsed_token(minutes)};
      header.insert(header.end(), said.begin(), said.end());
    }
    header.insert(header.end(), r.tokens.begin() + static_cast<std::ptrdiff_t>(cut), r.tokens.end());
    return header;
  }

  std::shared_ptr<ModelOf<double>> model_;
  const Grammar& grammar_;
  GrammarTables t_;
  SampleSettings settings_;
  int64_t max_tokens_;
};

}  // namespace syn::tests

#endif
