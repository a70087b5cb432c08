// The grammar machine: which tokens may follow, and what a record remembers of what it said. token.Tables (Go) explains the
// arrays.
//   legal     next[state, class(t)] >= 0 and no veto: ascending order(t) > last order said, unique t not said before
//   take      forget what the transition says, remember t, move
//   room      near the length limit only classes stay legal from whose state the end is still within reach; where that and the
//             vetoes leave nothing, the limit gives way (legal_room)
//   runs      stretches of tokens of which the same is true, so that the legal set is found without asking every token
// Determinism: integers. Memory traffic: one class, one transition, one veto a question; a run a question over the vocabulary.
#ifndef SYN_MATH_GRAMMAR_H
#define SYN_MATH_GRAMMAR_H

#include <cstdint>

#include "math/inline.h"

namespace syn {

constexpr uint16_t kNoClass = 0xFFFF;
constexpr uint8_t kRuleFree = 0, kRuleAscending = 1, kRuleUnique = 2;
constexpr uint8_t kForgetOrder = 1, kForgetSeen = 2;
constexpr uint8_t kRoleVisit = 1, kRoleCovariate = 2, kRoleLabel = 3, kRoleGap = 5, kRoleEnd = 8;
constexpr int32_t kNothingSaid = -1;  // below every order

// Tokens begin .. end-1 have one class and, where the class ascends, one order. Every token with a class is in one run.
struct GrammarRun {
  int32_t begin, end, order;
  uint16_t token_class;
};

// Borrowed tables; plain pointers so that a device can hold them.
struct GrammarTables {
  int32_t vocab, states, classes, start, done, start_token;
  const uint16_t* token_class;  // [vocab]
  const int32_t* token_order;   // [vocab]
  const uint8_t* class_rule;    // [classes]
  const uint8_t* class_role;    // [classes]
  const int16_t* next;          // [states, classes]
  const uint8_t* forget;        // [states, classes]
  const uint16_t* distance;     // [states]
  const int32_t* knot_start;    // [vocab + 1]
  const int64_t* knots;         // [knot_start[vocab]]
  const GrammarRun* run;        // [runs] ascending; grammar_runs (model/grammar.h) makes them
  int32_t runs;
};

// What one record remembers. state < 0: it left the grammar (only possible without the mask).
struct GrammarMemory {
  int32_t state;
  int32_t last_order;
  uint64_t* seen;  // bit set [(vocab + 63) / 64], tokens of unique classes
};

SYN_HD int32_t next_state(const GrammarTables& g, int32_t state, uint16_t c) {
  return state < 0 || c == kNoClass ? -1 : g.next[static_cast<int64_t>(state) * g.classes + c];
}

SYN_HD bool vetoed(const GrammarTables& g, const GrammarMemory& m, int32_t token, uint16_t c) {
  const uint8_t rule = g.class_rule[c];
  if (rule == kRuleAscending) return g.token_order[token] <= m.last_order;
  if (rule == kRuleUnique) return (m.seen[token >> 6] >> (token & 63)) & 1;
  return false;
}

// Whether a token says that its record ends, whatever the state.
SYN_HD bool says_end(const GrammarTables& g, int32_t token) {
  const uint16_t c = g.token_class[token];
  return c != kNoClass && g.class_role[c] == kRoleEnd;
}

// room: how many tokens may follow this one; kUnlimited where there is no limit.
constexpr int32_t kUnlimited = INT32_MAX;
SYN_HD bool class_open(const GrammarTables& g, int32_t state, uint16_t c, int32_t room) {
  const int32_t to = next_state(g, state, c);
  return to >= 0 && (room == kUnlimited || g.distance[to] <= room);
}

SYN_HD bool legal(const GrammarTables& g, const GrammarMemory& m, int32_t token, int32_t room) {
  const uint16_t c = g.token_class[token];
  return class_open(g, m.state, c, room) && !vetoed(g, m, token, c);
}

// Whether a token of [begin, end) has not been said.
SYN_HD bool any_unseen(const GrammarMemory& m, int32_t begin, int32_t end) {
  for (int32_t at = begin; at < end; at = (at | 63) + 1) {
    const uint64_t from = ~uint64_t{0} << (at & 63);
    const uint64_t to = end > (at | 63) ? ~uint64_t{0} : ~(~uint64_t{0} << (end & 63));
    if (~m.seen[at >> 6] & from & to) return true;
  }
  return false;
}

// Whether the class and the order of a run are legal: then all of it is, but for what a unique class has said.
SYN_HD bool run_open(const GrammarTables& g, const GrammarMemory& m, const GrammarRun& r, int32_t room) {
  return class_open(g, m.state, r.token_class, room) &&
         !(g.class_rule[r.token_class] == kRuleAscending && r.order <= m.last_order);
}

// room where it leaves a legal token, else kUnlimited.
SYN_HD int32_t legal_room(const GrammarTables& g, const GrammarMemory& m, int32_t room) {
  for (int32_t i = 0; room != kUnlimited && i < g.runs; ++i) {
    const GrammarRun& r = g.run[i];
    if (run_open(g, m, r, room) && (g.class_rule[r.token_class] != kRuleUnique || any_unseen(m, r.begin, r.end))) return room;
  }
  return kUnlimited;
}

SYN_HD void take(const GrammarTables& g, GrammarMemory& m, int32_t token) {
  const uint16_t c = g.token_class[token];
  const int32_t to = next_state(g, m.state, c);
  if (to >= 0) {
    const uint8_t forget = g.forget[static_cast<int64_t>(m.state) * g.classes + c];
    if (forget & kForgetOrder) m.last_order = kNothingSaid;
    if (forget & kForgetSeen) {
      for (int32_t i = 0; i < (g.vocab + 63) / 64; ++i) m.seen[i] = 0;
    }
    const uint8_t rule = g.class_rule[c];
    if (rule == kRuleAscending) m.last_order = g.token_order[token];
    if (rule == kRuleUnique) m.seen[token >> 6] |= uint64_t{1} << (token & 63);
  }
  m.state = to;
}

}  // namespace syn

#endif
