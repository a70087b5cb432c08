// The op tables of the reference backend: the oracle in double, and the same loops in float, a yardstick for tests.
#ifndef SYN_REF_TABLE_H
#define SYN_REF_TABLE_H

namespace syn {
template <class Real>
struct Ops;

namespace ref {
const Ops<double>& table();
const Ops<float>& plain_float_table();
}  // namespace ref
}  // namespace syn

#endif
