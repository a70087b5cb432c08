// Copying and checking the tables of a grammar. After this the sampler may index without a look: every class, state, token and
// knot that it can meet exists, and from every state that a record can reach the end is a finite number of tokens away.
#include "model/grammar.h"

#include <algorithm>

#include "core/status.h"
#include "math/dequantise.h"

namespace syn {
namespace {

constexpr int32_t kMostTokens = 1 << 22;  // the masses of so many still add up below 2^63
constexpr int32_t kMostStates = INT16_MAX;
constexpr int32_t kMostClasses = kNoClass;
constexpr uint16_t kNoWayOut = 0xFFFF;

template <class T>
std::vector<T> copy(const char* name, const T* from, int64_t count) {
  require(from || count == 0, "%s is NULL", name);
  return std::vector<T>(from, from + count);
}

// SYN_FORMAT unless low <= value <= high.
template <class T>
void within(const char* table, size_t at, T value, int64_t low, int64_t high) {
  const auto v = static_cast<int64_t>(value);
  if (v < low || v > high)
    fail(SYN_FORMAT, "%s[%zu] of the grammar is %lld, expected %lld to %lld", table, at, static_cast<long long>(v),
         static_cast<long long>(low), static_cast<long long>(high));
}

template <class T>
void all_within(const char* table, const std::vector<T>& values, int64_t low, int64_t high) {
  for (size_t i = 0; i < values.size(); ++i) within(table, i, values[i], low, high);
}

void check_sizes(const syn_grammar_params& p) {
  require_size(p.size, sizeof p, "syn_grammar_params");
  require(p.vocab >= 1 && p.vocab <= kMostTokens, "vocab is %d, expected 1 to %d", p.vocab, kMostTokens);
  require(p.states >= 1 && p.states <= kMostStates, "states is %d, expected 1 to %d", p.states, kMostStates);
  require(p.classes >= 1 && p.classes <= kMostClasses, "classes is %d, expected 1 to %d", p.classes, kMostClasses);
  require(p.knots >= 0 && p.elapsed_edges >= 0 && p.visits >= 0,
          "knots is %d, elapsed_edges %d, visits %d, expected none below 0", p.knots, p.elapsed_edges, p.visits);
  if (p.start < 0 || p.start >= p.states) fail(SYN_FORMAT, "start is state %d of %d", p.start, p.states);
  if (p.done < 0 || p.done >= p.states) fail(SYN_FORMAT, "done is state %d of %d", p.done, p.states);
  if (p.start_token < 0 || p.start_token >= p.vocab)
    fail(SYN_FORMAT, "start_token is %d in a vocabulary of %d", p.start_token, p.vocab);
}

}  // namespace

std::vector<GrammarRun> grammar_runs(const GrammarTables& g) {
  std::vector<GrammarRun> out;
  for (int32_t t = 0; t < g.vocab; ++t) {
    const uint16_t c = g.token_class[t];
    if (c == kNoClass) continue;
    const bool same = !out.empty() && out.back().end == t && out.back().token_class == c &&
                      (g.class_rule[c] != kRuleAscending || out.back().order == g.token_order[t]);
    if (same) {
      ++out.back().end;
    } else {
      out.push_back({t, t + 1, g.token_order[t], c});
    }
  }
  return out;
}

Grammar::Grammar(const syn_grammar_params& params, const GrammarArrays& a) : p_(params) {
  check_sizes(p_);
  const int64_t cells = int64_t{p_.states} * p_.classes;
  token_class_ = copy("token_class", a.token_class, p_.vocab);
  token_order_ = copy("token_order", a.token_order, p_.vocab);
  class_rule_ = copy("class_rule", a.class_rule, p_.classes);
  class_role_ = copy("class_role", a.class_role, p_.classes);
  next_ = copy("next", a.next, cells);
  forget_ = copy("forget", a.forget, cells);
  distance_ = copy("distance", a.distance, p_.states);
  chunk_token_ = copy("chunk_token", a.chunk_token, p_.states);
  elapsed_edges_ = copy("elapsed_edges", a.elapsed_edges, p_.elapsed_edges);
  knot_start_ = copy("knot_start", a.knot_start, int64_t{p_.vocab} + 1);
  knots_ = copy("knots", a.knots, p_.knots);
  decimals_ = copy("decimals", a.decimals, p_.vocab);
  check_classes();
  check_tokens();
  check_numbers();
  check_chunks();
  check_ways_out();
  runs_ = grammar_runs(tables());
}

void Grammar::check_classes() const {
  all_within("class_rule", class_rule_, kRuleFree, kRuleUnique);
  all_within("class_role", class_role_, 0, kRoleEnd);
  all_within("next", next_, -1, p_.states - 1);
  all_within("forget", forget_, 0, kForgetOrder | kForgetSeen);
  for (int32_t c = 0; c < p_.classes; ++c) {
    const int16_t to = next_[static_cast<size_t>(p_.done) * p_.classes + c];
    if (to >= 0) fail(SYN_FORMAT, "class %d is legal after the end of the record, expected nothing", c);
  }
}

void Grammar::check_tokens() const {
  for (size_t t = 0; t < token_class_.size(); ++t) {
    if (token_class_[t] != kNoClass) within("token_class", t, token_class_[t], 0, p_.classes - 1);
  }
  all_within("token_order", token_order_, 0, INT32_MAX);
  all_within("decimals", decimals_, 0, 18);
}

void Grammar::check_numbers() const {
  within("knot_start", 0, knot_start_[0], 0, 0);
  for (size_t t = 0; t < token_class_.size(); ++t) within("knot_start", t + 1, knot_start_[t + 1], knot_start_[t], p_.knots);
  within("knot_start", token_class_.size(), knot_start_.back(), p_.knots, p_.knots);
  for (size_t t = 0; t < token_class_.size(); ++t) {
    for (int32_t i = knot_start_[t]; i < knot_start_[t + 1]; ++i) {
      const auto at = static_cast<size_t>(i);
      const int64_t least = i > knot_start_[t] ? knots_[at - 1] : kNoNumber + 1;
      within("knots", at, knots_[at], least, INT64_MAX);
    }
    if (role(static_cast<int32_t>(t)) == kRoleGap && decimals_[t] != 0)
      fail(SYN_FORMAT, "token %zu is a gap with %d decimals, expected whole minutes", t, decimals_[t]);
  }
}

void Grammar::check_chunks() const {
  all_within("chunk_token", chunk_token_, -1, p_.vocab - 1);
  for (size_t i = 1; i < elapsed_edges_.size(); ++i) {
    if (elapsed_edges_[i] <= elapsed_edges_[i - 1]) fail(SYN_FORMAT, "elapsed_edges[%zu] is not above the edge before it", i);
  }
  if (std::all_of(chunk_token_.begin(), chunk_token_.end(), [](int32_t t) { return t < 0; })) return;
  if (p_.visits < 1) fail(SYN_FORMAT, "chunks may begin, but there is no visit token");
  if (p_.visit_token0 < 0 || p_.visit_token0 > p_.vocab - p_.visits)
    fail(SYN_FORMAT, "visit tokens %d to %lld lie outside a vocabulary of %d", p_.visit_token0,
         p_.visit_token0 + static_cast<long long>(p_.visits) - 1, p_.vocab);
  if (p_.elapsed_token0 < 0 || p_.elapsed_token0 >= p_.vocab - p_.elapsed_edges)
    fail(SYN_FORMAT, "elapsed tokens %d to %lld lie outside a vocabulary of %d", p_.elapsed_token0,
         p_.elapsed_token0 + static_cast<long long>(p_.elapsed_edges), p_.vocab);
}

// A distance of k > 0 whose best successor has k - 1, at every state that can be reached, is the true distance: following it ends
// where the distance is 0, and that is the end alone.
void Grammar::check_ways_out() const {
  std::vector<char> said(static_cast<size_t>(p_.classes), 0), seen(static_cast<size_t>(p_.states), 0);
  for (const uint16_t c : token_class_) {
    if (c != kNoClass) said[c] = 1;
  }
  std::vector<int32_t> reached = {p_.start};
  seen[static_cast<size_t>(p_.start)] = 1;
  for (size_t i = 0; i < reached.size(); ++i) {
    const auto s = static_cast<size_t>(reached[i]);
    int32_t least = reached[i] == p_.done ? 0 : kNoWayOut;
    for (size_t c = 0; c < said.size(); ++c) {
      const int16_t to = said[c] ? next_[s * said.size() + c] : int16_t{-1};
      if (to < 0) continue;
      least = std::min(least, distance_[static_cast<size_t>(to)] + 1);
      if (!seen[static_cast<size_t>(to)]) reached.push_back(to);
      seen[static_cast<size_t>(to)] = 1;
    }
    if (least >= kNoWayOut) fail(SYN_FORMAT, "state %zu of the grammar has no way to the end of the record", s);
    if (distance_[s] != least)
      fail(SYN_FORMAT, "distance[%zu] of the grammar is %d, its transitions say %d", s, distance_[s], least);
  }
}

GrammarTables Grammar::tables() const {
  return {p_.vocab,
          p_.states,
          p_.classes,
          p_.start,
          p_.done,
          p_.start_token,
          token_class_.data(),
          token_order_.data(),
          class_rule_.data(),
          class_role_.data(),
          next_.data(),
          forget_.data(),
          distance_.data(),
          knot_start_.data(),
          knots_.data(),
          runs_.data(),
          static_cast<int32_t>(runs_.size())};
}

int32_t Grammar::visit_token(int64_t visit) const {
  return p_.visit_token0 + static_cast<int32_t>(std::min<int64_t>(visit, p_.visits)) - 1;
}

int32_t Grammar::elapsed_token(int64_t minutes) const {
  const auto past = std::upper_bound(elapsed_edges_.begin(), elapsed_edges_.end(), minutes) - elapsed_edges_.begin();
  return p_.elapsed_token0 + static_cast<int32_t>(past);
}

uint8_t Grammar::role(int32_t token) const {
  const uint16_t c = token_class_[static_cast<size_t>(token)];
  return c == kNoClass ? uint8_t{0} : class_role_[c];
}

}  // namespace syn
