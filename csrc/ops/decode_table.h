// The ops of generation and of evaluation that a backend offers beside those of training (ops/table.h), as one table. Appended
// to, never reordered.
#ifndef SYN_OPS_DECODE_TABLE_H
#define SYN_OPS_DECODE_TABLE_H

#include "ops/attention_decode.h"
#include "ops/exec.h"
#include "ops/head_sample.h"
#include "ops/nearest.h"

namespace syn {

struct Device;

template <class Real>
struct DecodeOps {
  void (*attention_decode)(Exec&, const AttentionDecode<Real>&);
  SampleFunction sample;
  int64_t (*nearest_workspace)(const NearestArgs&, int threads);  // bytes
  void (*nearest)(Exec&, const NearestArgs&);
  int64_t (*head_sample_workspace)(int32_t vocab, int threads);  // bytes
  void (*head_sample)(Exec&, const HeadSample<Real>&);
  void (*attention_decode_half)(Exec&, const AttentionDecode<Real, half>&);
};

// The table of a device: double on the reference backend, float on the CPU; SYN_INTERNAL for the other type and on a GPU.
template <class Real>
const DecodeOps<Real>& decode_ops(const Device&);

namespace ref {
const DecodeOps<double>& decode_table();
}
namespace cpu::avx2 {
const DecodeOps<float>& decode_table();
}
namespace cpu::avx512 {
const DecodeOps<float>& decode_table();
}

}  // namespace syn

#endif
