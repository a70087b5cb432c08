// Runs the tests of the kernels and says, at the end, the digest of what they read back from the device.
#include <cstdio>
#include <cstdlib>

#include "tests/gpu/device_buffer.h"

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  setenv("HOSTGPU_DEVICES", "2", 0);
  testing::InitGoogleTest(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  printf("digest %016lx\n", static_cast<unsigned long>(syn::tests::digest()));
  return failed;
}
