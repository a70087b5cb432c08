// The name of the instruction set that this translation unit is compiled for. Every file of csrc/cpu is compiled once for each,
// inside a namespace of that name, and csrc/core/device.cpp picks one at run time. For that to be safe these files may not leave
// inline functions of the standard library behind: the linker would keep one copy, perhaps the one with instructions that the
// machine lacks. So no containers, strings or algorithms here, and what is shared is in csrc/math, always inlined.
#ifndef SYN_CPU_ISA_H
#define SYN_CPU_ISA_H

#ifndef SYN_CPU_NS
#if defined(__AVX512F__)
#define SYN_CPU_NS avx512
#else
#define SYN_CPU_NS avx2
#endif
#endif

#endif
