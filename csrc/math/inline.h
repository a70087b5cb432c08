// How arithmetic shared by every backend is declared: inlined into each translation unit with internal linkage. The same header
// is compiled for several instruction sets and for host and device; one shared out-of-line copy would let the linker hand
// AVX-512 code to a machine that lacks it.
#ifndef SYN_MATH_INLINE_H
#define SYN_MATH_INLINE_H

#if defined(__CUDACC__)
#define SYN_HD static __host__ __device__ __forceinline__
#else
#define SYN_HD static inline __attribute__((always_inline))
#endif

#endif
