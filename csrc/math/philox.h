// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11), the only source of chance in
// the core. Stateless: four words of output are a function of a 128-bit counter and a 64-bit key,
//   (c0, c1, c2, c3) <- (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)),  k += (W0, W1),  ten times.
// Determinism: integer arithmetic, the same bits on every machine. Memory traffic: none.
//
// The key is the seed of the run. The counter says what is drawn, never who draws it:
//   word 0  which draw of this position        word 2  item, low 32 bits
//   word 1  position in the record, or step    word 3  item, next 16 bits << 16 | purpose
// An item is the index of a patient in the cohort (or of a tensor), never a batch slot or a thread.
#ifndef SYN_MATH_PHILOX_H
#define SYN_MATH_PHILOX_H

#include <cstdint>

#include "math/inline.h"

namespace syn {

// Every stream of draws in the core and the Go packages; one place, so that no two share a counter. Values are written into
// results (a seed must mean the same thing next year): append, never renumber.
enum class Purpose : uint32_t {
  kInit = 0,        // fresh weights
  kShuffle = 1,     // order of records in an epoch
  kDropout = 2,     // training
  kRounding = 3,    // stochastic rounding
  kToken = 4,       // next token of a record
  kBin = 5,         // move to a neighbouring bin
  kDequantise = 6,  // number within a bin
  kSubsample = 7,   // evaluation
};

// Largest item a counter can name, plus one.
constexpr int64_t kPhiloxItems = int64_t{1} << 48;

struct Words {
  uint32_t w[4];
};

SYN_HD Words philox(Words c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c.w[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * c.w[2];
    c = Words{{static_cast<uint32_t>(p1 >> 32) ^ c.w[1] ^ k0, static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ c.w[3] ^ k1, static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// The four words of (seed, purpose, item, position, draw); item < kPhiloxItems.
SYN_HD Words draw_words(uint64_t seed, Purpose purpose, uint64_t item, uint32_t position, uint32_t draw) {
  const uint32_t high = static_cast<uint32_t>(item >> 32) & 0xFFFFu;
  const Words counter{{draw, position, static_cast<uint32_t>(item), (high << 16) | static_cast<uint32_t>(purpose)}};
  return philox(counter, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// 64 random bits, the first two words.
SYN_HD uint64_t bits64(Words x) { return (uint64_t{x.w[1]} << 32) | x.w[0]; }

// A uniform inside (0,1), never 0 and never 1; exact in double, which float could not hold near 1.
SYN_HD double uniform(uint32_t x) { return ((x >> 8) + 0.5) * 0x1p-24; }

// True with probability 1 - p; threshold = keep_threshold(p). An integer comparison, so that no rounding differs by backend.
SYN_HD uint32_t keep_threshold(double p) { return static_cast<uint32_t>(p * 0x1p32); }
SYN_HD bool keep(uint32_t x, uint32_t threshold) { return x >= threshold; }

}  // namespace syn

#endif
