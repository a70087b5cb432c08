// A table of ops that forwards to another and keeps the time of every call. It is put in the place of the other only while
// somebody wants to know: the table that is used otherwise knows nothing of it.
#ifndef SYN_MODEL_PROFILE_H
#define SYN_MODEL_PROFILE_H

#include <array>

#include "ops/table.h"

namespace syn {

struct OpTime {
  const char* name;
  int64_t calls;
  double seconds, flop, bytes;  // sums over the calls; see model/work.h
};

// Reached by the timed ops through Exec.
struct Profile {
  static constexpr int kOps = 21;  // those that take an Exec, without the ceilings of ops/peak.h
  std::array<OpTime, kOps> ops;    // in the order of the table
};

template <class Real>
class ProfileOf : public Profile {
 public:
  explicit ProfileOf(const Ops<Real>& timed);
  const Ops<Real>& table() const { return table_; }
  const Ops<Real>& timed() const { return timed_; }

 private:
  const Ops<Real>& timed_;
  Ops<Real> table_;
};

}  // namespace syn

#endif
