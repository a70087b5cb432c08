// A grammar's tables on a device.
#ifndef SYN_GPU_GRAMMAR_H
#define SYN_GPU_GRAMMAR_H

#include "gpu/memory.h"
#include "math/grammar.h"

namespace syn::gpu {

// A copy of the tables. The runs are left out: the sampler of a GPU asks every token.
class GrammarOnGpu {
 public:
  // Throws SYN_OUT_OF_MEMORY with the bytes. Returns when the tables are there.
  GrammarOnGpu(const std::shared_ptr<Session>& session, const GrammarTables& from);

  const GrammarTables& tables() const { return tables_; }

  // Of the device, for a copy of such tables.
  static int64_t bytes(const GrammarTables& from);

 private:
  Region region_{"tables of the grammar"};
  GrammarTables tables_;
};

}  // namespace syn::gpu

#endif
