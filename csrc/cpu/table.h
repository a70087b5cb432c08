// The op tables of the CPU backend, one for each instruction set.
#ifndef SYN_CPU_TABLE_H
#define SYN_CPU_TABLE_H

namespace syn {
template <class Real>
struct Ops;

namespace cpu {
namespace avx2 {
const Ops<float>& table();
}
namespace avx512 {
const Ops<float>& table();
}
}  // namespace cpu
}  // namespace syn

#endif
