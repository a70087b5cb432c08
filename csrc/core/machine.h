// What the machine offers: instruction set, name, and how many threads this process may really use.
#ifndef SYN_CORE_MACHINE_H
#define SYN_CORE_MACHINE_H

#include <string>

namespace syn {

enum class Isa { kNone, kAvx2, kAvx512, kAvx512Bf16 };

const char* isa_name(Isa isa);

// The widest set that has kernels here and that this CPU and its operating system support. The kernels of avx512_bf16 are
// those of avx512, but for products in bf16; it is chosen on AMD only, where its instruction does twice the work of one in
// fp32 (on Intel half). The environment variable SYNEHRGY_ISA (avx512_bf16, avx512, avx2, or none: as on an older CPU) takes
// another, for tests; asking for what the CPU lacks is SYN_UNSUPPORTED. One answer a process.
Isa machine_isa();

// Brand string of the CPU, and its features that matter here, space separated.
std::string cpu_name();
std::string cpu_features();

// min(affinity mask, container quota rounded down), at least 1, at most 256; SYNEHRGY_THREADS, where it is set, replaces it.
int machine_threads();

}  // namespace syn

#endif
