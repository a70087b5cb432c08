// The cases of the cost model (tests/gpu/cost): every op once. What the kernels compute is judged by the tests, not here.
#ifndef SYN_TESTS_GPU_COST_CASES_H
#define SYN_TESTS_GPU_COST_CASES_H

namespace syn::tests {

// Runs every case and says each with its sizes on a line "cost OP name=value ..."; false if one could not be run.
bool run_cost_cases();

}  // namespace syn::tests

#endif
