// The cases of the cost model (tests/gpu/cost): one call of any op at given sizes, with made-up operands. What the kernels
// compute is judged by the tests, not here.
#ifndef SYN_TESTS_GPU_COST_CASES_H
#define SYN_TESTS_GPU_COST_CASES_H

#include <functional>
#include <string>

namespace syn::tests {

// Queues work on the null stream; a CUDA error code.
using Queue = std::function<int()>;
// What is done with a call while its operands live: launch queues the op's kernels; restore, which may be empty, puts back what a
// launch changed, where the next one would else have other work.
using Run = std::function<void(const Queue& launch, const Queue& restore)>;

// Makes the operands of a call, said as "OP name=value ..." with the sizes of the op's formula, and hands it to run.
void run_case(const std::string& call, const Run& run);

// Runs a small call of every op once and says each with its sizes on a line "cost OP name=value ..."; false if one could not be
// run.
bool run_cost_cases();

}  // namespace syn::tests

#endif
