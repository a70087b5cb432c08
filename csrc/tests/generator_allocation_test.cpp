// Once a generator runs, a step allocates nothing: not for a draw, not for a record that ends or begins, not for a new chunk. Over
// more than 100,000 tokens.
#include "tests/allocations.h"
#include "tests/generator_fixture.h"

namespace syn::tests {
namespace {

constexpr int64_t kPatients = 700, kTokens = 100000;

TEST(Generator, a_step_allocates_nothing) {
  if (!allocations_are_counted()) GTEST_SKIP() << "a sanitizer keeps its own malloc";
  const int64_t before_any = allocations();
  const SmallGrammar g;
  int64_t drawn = 0;
  ASSERT_GT(allocations(), before_any) << "the counter must see what it is there for";
  for (const int32_t family : {SYN_GPT2, SYN_LLAMA}) {
    for (const int32_t threads : {1, 3}) {
      syn_generator_params p = generator_params(8, 130);
      p.top_k = 30;
      p.top_p = 0.95f;
      p.temperature = 1.2f;
      Factory f(SYN_BACKEND_CPU, threads, small_model(family, g.params.vocab, 40), g, p);
      ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, kPatients, &f.failure), SYN_OK);
      std::vector<int32_t> tokens(130);
      std::vector<int64_t> numbers(130);
      syn_generator_stats stats = {};
      stats.size = sizeof stats;
      syn_record record = {};
      record.size = sizeof record;
      ASSERT_EQ(syn_generator_run(f.generator.get(), 3, &stats, &f.failure), SYN_OK);
      const int64_t before = allocations();
      int64_t records = 0, chunks = 0;
      while (stats.active > 0 || stats.queued > 0) {
        syn_generator_run(f.generator.get(), 50, &stats, &f.failure);
        drawn += stats.tokens;
        do {
          syn_generator_take(f.generator.get(), tokens.data(), numbers.data(), 130, &record, &f.failure);
          records += record.tokens > 0;
          chunks += record.chunks;
        } while (record.tokens > 0);
      }
      EXPECT_EQ(allocations(), before) << "family " << family << ", threads " << threads;
      EXPECT_EQ(records, kPatients);
      EXPECT_GT(chunks, kPatients);
    }
  }
  EXPECT_GT(drawn, kTokens);
}

}  // namespace
}  // namespace syn::tests
