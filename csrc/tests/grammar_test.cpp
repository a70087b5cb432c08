// Hostile grammars end in a sentence; honest ones are accepted and read back.
#include <functional>

#include "tests/generator_fixture.h"

namespace syn::tests {
namespace {

TEST(Grammar, tables_that_contradict_themselves_are_refused) {
  const struct {
    const char* name;
    std::function<void(SmallGrammar&)> spoil;
    syn_status want;
  } cases[] = {
      {"a class that does not exist", [](SmallGrammar& g) { g.token_class[7] = kClasses; }, SYN_FORMAT},
      {"a negative order", [](SmallGrammar& g) { g.order[7] = -1; }, SYN_FORMAT},
      {"an unknown rule", [](SmallGrammar& g) { g.rule[0] = 3; }, SYN_FORMAT},
      {"an unknown role", [](SmallGrammar& g) { g.role[0] = 9; }, SYN_FORMAT},
      {"a state that does not exist", [](SmallGrammar& g) { g.next[5] = kStates; }, SYN_FORMAT},
      {"a state below -1", [](SmallGrammar& g) { g.next[5] = -2; }, SYN_FORMAT},
      {"an unknown forget bit", [](SmallGrammar& g) { g.forget[5] = 4; }, SYN_FORMAT},
      {"something legal after the end", [](SmallGrammar& g) { g.next[kDone * kClasses] = 0; }, SYN_FORMAT},
      {"a distance that is too small", [](SmallGrammar& g) { g.distance[kInRow] = 1; }, SYN_FORMAT},
      {"a distance that is too large", [](SmallGrammar& g) { g.distance[kInRow] = 7; }, SYN_FORMAT},
      {"the end out of reach", [](SmallGrammar& g) { g.next[kBetween * kClasses + kEnd] = -1; }, SYN_FORMAT},
      {"no token that ends a record", [](SmallGrammar& g) { g.token_class[1] = kNoClass; }, SYN_FORMAT},
      {"a start that does not exist", [](SmallGrammar& g) { g.params.start = kStates; }, SYN_FORMAT},
      {"an end that does not exist", [](SmallGrammar& g) { g.params.done = -1; }, SYN_FORMAT},
      {"a start token that does not exist", [](SmallGrammar& g) { g.params.start_token = g.params.vocab; }, SYN_FORMAT},
      {"a chunk token that does not exist", [](SmallGrammar& g) { g.chunk_token[kCodes] = g.params.vocab; }, SYN_FORMAT},
      {"visit tokens past the vocabulary", [](SmallGrammar& g) { g.params.visit_token0 = g.params.vocab - 1; }, SYN_FORMAT},
      {"elapsed tokens past the vocabulary", [](SmallGrammar& g) { g.params.elapsed_token0 += 1; }, SYN_FORMAT},
      {"no visit token", [](SmallGrammar& g) { g.params.visits = 0; }, SYN_FORMAT},
      {"edges out of order", [](SmallGrammar& g) { g.edges[1] = g.edges[0]; }, SYN_FORMAT},
      {"knots that begin late", [](SmallGrammar& g) { g.knot_start[0] = 1; }, SYN_FORMAT},
      {"knots that go back", [](SmallGrammar& g) { g.knot_start[5] = 1 << 20; }, SYN_FORMAT},
      {"knots left over", [](SmallGrammar& g) { g.params.knots -= 1; }, SYN_FORMAT},
      {"knots that fall", [](SmallGrammar& g) { g.knots[1] = g.knots[0] - 1; }, SYN_FORMAT},
      {"a knot that means no number", [](SmallGrammar& g) { g.knots[0] = INT64_MIN; }, SYN_FORMAT},
      {"a gap that is not in whole minutes", [](SmallGrammar& g) { g.decimals[26] = 1; }, SYN_FORMAT},
      {"decimals below 0", [](SmallGrammar& g) { g.decimals[3] = -1; }, SYN_FORMAT},
      {"no vocabulary", [](SmallGrammar& g) { g.params.vocab = 0; }, SYN_INVALID_ARGUMENT},
      {"too many states", [](SmallGrammar& g) { g.params.states = 1 << 16; }, SYN_INVALID_ARGUMENT},
      {"negative knots", [](SmallGrammar& g) { g.params.knots = -1; }, SYN_INVALID_ARGUMENT},
      {"another header", [](SmallGrammar& g) { g.params.size += 4; }, SYN_ABI_MISMATCH},
  };
  for (const auto& c : cases) {
    SmallGrammar g;
    ASSERT_EQ(g.role[g.token_class[26]], kRoleGap);
    c.spoil(g);
    syn_grammar* out = nullptr;
    syn_error failure = fresh_error();
    EXPECT_EQ(g.create(&out, &failure), c.want) << c.name << ": " << failure.message;
    EXPECT_EQ(out, nullptr) << c.name;
    EXPECT_NE(failure.message[0], 0) << c.name;
  }
}

TEST(Grammar, a_table_without_its_array_is_refused) {
  const SmallGrammar g;
  const GrammarArrays a = g.arrays();
  syn_grammar* out = nullptr;
  EXPECT_EQ(syn_grammar_create(&g.params, a.token_class, a.token_order, a.class_rule, a.class_role, nullptr, a.forget, a.distance,
                               a.chunk_token, a.elapsed_edges, a.knot_start, a.knots, a.decimals, &out, nullptr),
            SYN_INVALID_ARGUMENT);
  EXPECT_EQ(syn_grammar_create(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                               nullptr, nullptr, nullptr, nullptr),
            SYN_INVALID_ARGUMENT);
  syn_grammar_destroy(nullptr);
}

TEST(Grammar, header_tokens_follow_visits_and_minutes) {
  const SmallGrammar s;
  const Grammar g(s.params, s.arrays());
  EXPECT_EQ(g.visit_token(1), s.params.visit_token0);
  EXPECT_EQ(g.visit_token(3), s.params.visit_token0 + 2);
  EXPECT_EQ(g.visit_token(1000), s.params.visit_token0 + 2);
  EXPECT_EQ(g.elapsed_token(0), s.params.elapsed_token0);
  EXPECT_EQ(g.elapsed_token(59), s.params.elapsed_token0);
  EXPECT_EQ(g.elapsed_token(60), s.params.elapsed_token0 + 1);
  EXPECT_EQ(g.elapsed_token(1 << 30), s.params.elapsed_token0 + 4);
  EXPECT_EQ(g.chunk_token(kInRow), -1);
  EXPECT_EQ(g.chunk_token(-1), -1);
}

}  // namespace
}  // namespace syn::tests
