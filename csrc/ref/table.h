// The op table of the reference backend.
#ifndef SYN_REF_TABLE_H
#define SYN_REF_TABLE_H

namespace syn {
template <class Real>
struct Ops;

namespace ref {
const Ops<double>& table();
}
}  // namespace syn

#endif
