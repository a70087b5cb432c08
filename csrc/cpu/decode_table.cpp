// The table of decoding ops of the CPU backend for one instruction set.
#include "ops/decode_table.h"
#include "cpu/decode.h"

namespace syn::cpu::SYN_CPU_NS {

const DecodeOps<float>& decode_table() {
  static constexpr DecodeOps<float> table = {attention_decode,      sample,     nearest_workspace, nearest,
                                             head_sample_workspace, head_sample, attention_decode_half};
  return table;
}

}  // namespace syn::cpu::SYN_CPU_NS
