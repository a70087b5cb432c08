// Bad news from a device, by faults of the table that the core stands on: too little memory, planned and told with its regions
// before anything is allocated; memory that somebody else took meanwhile; and a device that is lost at work.
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/generator_fixture.h"
#include "tests/gpu/host_backend.h"
#include "tests/trainer_fixture.h"

namespace syn::tests {
namespace {

syn_model_config tiny() { return small_config(SYN_GPT2, 61, 64, 1, 1, 1, 64, 96, 24, true); }
const TrainingBatch& batch() {
  static const TrainingBatch b({20, 4}, 61, Training::kSoftRows);
  return b;
}
syn_trainer_params bf16_params() {
  syn_trainer_params p = trainer_params(batch().count(), batch().segments());
  p.precision = SYN_PRECISION_BF16;
  return p;
}
syn_memory no_memory() {
  syn_memory m = {};
  m.size = sizeof m;
  return m;
}

const std::string& device_name() {
  static const std::string name = host_gpu()->gpu->info().name;
  return name;
}
std::string lost(const char* at) {
  return device_name() + " was lost (" + at +
         "): all CUDA-capable devices are busy or unavailable; what was saved before is kept";
}

// A sentence of what has no room names what it is for, the device and the regions.
void expect_breakdown(const syn_error& e, const char* what, std::initializer_list<const char*> regions) {
  const std::string said = e.message;
  EXPECT_EQ(said.find(std::string(what) + " needs "), 0u) << said;
  EXPECT_NE(said.find(" and " + device_name() + " has "), std::string::npos) << said;
  for (const char* region : regions) EXPECT_NE(said.find(region), std::string::npos) << said;
}

TEST(GpuMemory, training_without_room_is_refused_with_its_regions_before_anything_is_allocated) {
  const DeviceHandle device = host_gpu_device();
  const syn_model_config config = tiny();
  const syn_trainer_params params = bf16_params();
  syn_memory plan = no_memory();
  syn_error e = fresh_error();
  must(syn_trainer_estimate(device.get(), &config, &params, &plan, &e), e);
  const int64_t before = device_memory().bytes();
  Faults faults;
  faults.memory = before + plan.total - 1;
  {
    const WithFaults small(faults);
    const int64_t calls = device_memory().calls;
    syn_memory again = no_memory();
    EXPECT_EQ(syn_trainer_estimate(device.get(), &config, &params, &again, &e), SYN_OUT_OF_MEMORY);
    EXPECT_EQ(e.wanted, plan.total);
    expect_breakdown(e, "training", {" parameters", " gradients", " moments", " activations", " workspace"});
    EXPECT_EQ(device_memory().calls, calls);
    const std::string said = e.message;
    const ModelHandle model = make_model(device.get(), config);  // it alone has room
    const int64_t taken = device_memory().bytes(), asked = device_memory().calls;
    syn_trainer* none = nullptr;
    EXPECT_EQ(syn_trainer_create(model.get(), &params, &none, &e), SYN_OUT_OF_MEMORY);
    EXPECT_EQ(e.message, said) << "the weights that lie there count as room";
    EXPECT_EQ(device_memory().calls, asked);
    EXPECT_EQ(device_memory().bytes(), taken);
  }
  ++faults.memory;
  const WithFaults enough(faults);
  must(syn_trainer_estimate(device.get(), &config, &params, &plan, &e), e);
  const ModelHandle model = make_model(device.get(), config);
  const TrainerHandle trainer = make_trainer(model.get(), params);
  EXPECT_EQ(device_memory().bytes(), before + plan.total);
}

TEST(GpuMemory, generation_without_room_for_its_grammar_is_refused_before_anything_is_allocated) {
  const SmallGrammar g;
  const DeviceHandle device = host_gpu_device();
  const syn_model_config config = small_model(SYN_LLAMA, g.params.vocab, 20);
  const syn_generator_params params = generator_params(3, 36);
  syn_error e = fresh_error();
  syn_grammar* made = nullptr;
  must(g.create(&made, &e), e);
  const GrammarHandle grammar(made);
  const int64_t before = device_memory().bytes();
  const auto estimate = [&](const syn_grammar* under) {
    syn_memory m = no_memory();
    return syn_generator_estimate(device.get(), &config, under, &params, &m, &e);
  };
  Faults faults;
  faults.memory = before;  // nothing is free: what is wanted is told
  int64_t without = 0, with = 0;
  {
    const WithFaults full(faults);
    EXPECT_EQ(estimate(nullptr), SYN_OUT_OF_MEMORY);
    without = e.wanted;
    EXPECT_EQ(estimate(grammar.get()), SYN_OUT_OF_MEMORY);
    with = e.wanted;
    expect_breakdown(e, "generation", {" parameters", " activations", " workspace", " key/value cache"});
  }
  ASSERT_GE(with, without + static_cast<int64_t>(g.knots.size()) * 8) << "the tables of the grammar";
  faults.memory = before + with - 1;
  {
    const WithFaults small(faults);
    EXPECT_EQ(estimate(nullptr), SYN_OK) << e.message;
    EXPECT_EQ(estimate(grammar.get()), SYN_OUT_OF_MEMORY);
    const ModelHandle model = make_model(device.get(), config);
    const int64_t asked = device_memory().calls;
    syn_generator* none = nullptr;
    EXPECT_EQ(syn_generator_create(model.get(), grammar.get(), &params, &none, &e), SYN_OUT_OF_MEMORY);
    EXPECT_EQ(e.wanted, with);
    EXPECT_EQ(device_memory().calls, asked);
  }
  ++faults.memory;
  const WithFaults enough(faults);
  EXPECT_EQ(estimate(grammar.get()), SYN_OK) << e.message;
  const ModelHandle model = make_model(device.get(), config);
  syn_generator* generator = nullptr;
  ASSERT_EQ(syn_generator_create(model.get(), grammar.get(), &params, &generator, &e), SYN_OK) << e.message;
  const GeneratorHandle owned(generator);
  EXPECT_EQ(device_memory().bytes(), before + with) << "the plan is the allocation";
}

// Between the plan and the allocations others may take what was free.
TEST(GpuMemory, an_allocation_that_is_not_had_leaves_nothing_behind) {
  const SmallGrammar g;
  const DeviceHandle device = host_gpu_device();
  const syn_model_config config = small_model(SYN_GPT2, g.params.vocab, 20);
  const ModelHandle model = make_model(device.get(), config);
  const syn_trainer_params params = bf16_params();
  const syn_generator_params drawing = generator_params(3, 36);
  syn_error e = fresh_error();
  syn_grammar* made = nullptr;
  must(g.create(&made, &e), e);
  const GrammarHandle grammar(made);
  const int64_t before = device_memory().bytes();
  for (int64_t had = 0; had < 4; ++had) {  // of four allocations each
    Faults faults;
    faults.allocations = had;
    syn_trainer* trainer = nullptr;
    syn_generator* generator = nullptr;
    {
      const WithFaults taken(faults);
      EXPECT_EQ(syn_trainer_create(model.get(), &params, &trainer, &e), SYN_OUT_OF_MEMORY) << had;
      EXPECT_NE(std::string(e.message).find("are needed and could not be had"), std::string::npos) << e.message;
    }
    EXPECT_EQ(device_memory().bytes(), before) << had;
    const WithFaults taken(faults);
    EXPECT_EQ(syn_generator_create(model.get(), grammar.get(), &drawing, &generator, &e), SYN_OUT_OF_MEMORY) << had;
    EXPECT_EQ(device_memory().bytes(), before) << had;
  }
}

TEST(GpuMemory, a_device_that_is_lost_while_training_is_a_status_with_a_sentence) {
  const int64_t before = device_memory().bytes();
  {
    Training t(host_gpu_device(), tiny(), batch(), SYN_PRECISION_BF16);
    t.accumulate(batch());
    t.apply();
    Faults faults;
    faults.waits = 1;
    const WithFaults soon(faults);
    t.accumulate(batch());  // waits once
    syn_error e = fresh_error();
    EXPECT_EQ(t.try_accumulate(batch(), e), SYN_NO_DEVICE);
    EXPECT_EQ(e.message, lost("wait"));
    EXPECT_EQ(t.try_accumulate(batch(), e), SYN_NO_DEVICE) << "it does not come back";
    std::vector<double> weights(static_cast<size_t>(t.tensor(0).count));
    EXPECT_EQ(syn_model_read(t.model(), 0, SYN_F64, weights.data(), t.tensor(0).count, &e), SYN_NO_DEVICE) << e.message;
  }
  EXPECT_EQ(device_memory().bytes(), before) << "what lay there is given up";
}

TEST(GpuMemory, a_device_that_is_lost_while_drawing_leaves_what_was_drawn) {
  const SmallGrammar g;
  Factory f(host_gpu_device(), small_model(SYN_GPT2, g.params.vocab, 20), g, generator_params(8, 12));
  ASSERT_EQ(syn_generator_submit(f.generator.get(), 0, 16, &f.failure), SYN_OK);
  syn_generator_stats stats = f.run(1);
  while (stats.active + stats.queued == 16) stats = f.run(1);  // no record has more than 12 tokens
  Faults faults;
  faults.waits = 0;
  const WithFaults now(faults);
  EXPECT_EQ(syn_generator_run(f.generator.get(), 100, &stats, &f.failure), SYN_NO_DEVICE);
  EXPECT_EQ(f.failure.message, lost("a step of decoding"));
  std::vector<GeneratedRecord> records;
  f.take(records, 12);
  EXPECT_GE(records.size(), 1u);
  for (const GeneratedRecord& r : records) expect_legal(g, r);
}

}  // namespace
}  // namespace syn::tests
