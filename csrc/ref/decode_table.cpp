// The table of decoding ops of the reference backend.
#include "ops/decode_table.h"
#include "ref/decode.h"

namespace syn::ref {

const DecodeOps<double>& decode_table() {
  static constexpr DecodeOps<double> table = {attention_decode,      sample,     nearest_workspace, nearest,
                                              head_sample_workspace, head_sample, attention_decode_half};
  return table;
}

}  // namespace syn::ref
