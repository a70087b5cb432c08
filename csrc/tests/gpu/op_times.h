// Times of ops on a device, for `./dev gpu-check` (tests/gpu/gpucheck).
#ifndef SYN_TESTS_GPU_OP_TIMES_H
#define SYN_TESTS_GPU_OP_TIMES_H

namespace syn::tests {

// Times the calls on standard input, one a line as run_case takes them, and says on a line each
//   time OP name=value ... median=SECONDS least=SECONDS
// and before them "bandwidth X", what the device reports of its memory in bytes a second, 0 where it reports nothing. False if a
// call could not be run.
bool time_calls(int repeats);

}  // namespace syn::tests

#endif
