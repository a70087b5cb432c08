// Following a record token by token, and laying out its next chunk.
#include "model/generator_record.h"

#include "math/dequantise.h"

namespace syn {

void GeneratorRecord::begin(const Grammar& grammar, int64_t patient, RecordBuffer buffer) {
  *this = GeneratorRecord();
  patient_ = patient;
  buffer_ = buffer;
  chunks_ = 1;
  cut_.chunk_token = -1;
  buffer_.tokens[0] = grammar.tables().start_token;
  buffer_.numbers[0] = kNoNumber;
  length_ = 1;
}

void GeneratorRecord::say(const Grammar& grammar, int32_t token, int64_t number, int32_t state) {
  const uint8_t role = grammar.role(token);
  if (role == kRoleVisit) {
    now_.visit_begin = length_;
    ++now_.visit;
    now_.minutes = 0;
  }
  if (role == kRoleGap && number != kNoNumber && __builtin_add_overflow(now_.minutes, number, &now_.minutes))
    now_.minutes = INT64_MAX;
  buffer_.tokens[length_] = token;
  buffer_.numbers[length_] = number;
  now_.at = ++length_;
  now_.chunk_token = grammar.chunk_token(state);
  if (now_.chunk_token >= 0 && now_.visit > 0) cut_ = now_;
}

int32_t GeneratorRecord::next_chunk(const Grammar& grammar, int32_t context, int32_t* feed) {
  if (cut_.chunk_token < 0) return 0;
  int64_t count = 0;
  const auto put = [&](int32_t token) {
    if (count < context) feed[count] = token;
    ++count;
  };
  put(cut_.chunk_token);
  put(grammar.visit_token(cut_.visit));
  put(grammar.elapsed_token(cut_.minutes));
  for (int64_t i = cut_.visit_begin; i < cut_.at; ++i) {
    const uint8_t role = grammar.role(buffer_.tokens[i]);
    if (role == kRoleCovariate || role == kRoleLabel) put(buffer_.tokens[i]);
  }
  for (int64_t i = cut_.at; i < length_; ++i) put(buffer_.tokens[i]);
  if (count >= context) return 0;
  ++chunks_;
  return static_cast<int32_t>(count);
}

}  // namespace syn
