// Runs the tests of the kernels and says, at the end, the digest of what they read back from the device. In their place --cost
// runs the cases of the cost model, and --time=N times the calls on standard input, each N times.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/gpu/cost_cases.h"
#include "tests/gpu/device_buffer.h"
#include "tests/gpu/op_times.h"

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  setenv("HOSTGPU_DEVICES", "2", 0);
  testing::InitGoogleTest(&argc, argv);
  if (argc == 2 && !std::strcmp(argv[1], "--cost")) return syn::tests::run_cost_cases() ? 0 : 1;
  if (argc == 2 && !std::strncmp(argv[1], "--time=", 7)) {
    const int repeats = std::atoi(argv[1] + 7);
    if (repeats < 1) return 2;
    return syn::tests::time_calls(repeats) ? 0 : 1;
  }
  const int failed = RUN_ALL_TESTS();
  printf("digest %016lx\n", static_cast<unsigned long>(syn::tests::digest()));
  return failed;
}
