// A record while it is being generated: what it has said, and where a new chunk of it could begin.
//
// When a chunk has taken up the context, the next one begins with a header, replays the tokens since the last place where the
// record can be cut, and goes on (token.Tables tells the same to Go, which lays training records out in this way):
//   ChunkToken[state]  VisitToken  ElapsedToken  covariates and labels of the visit so far  replay
// with state, visit, elapsed minutes and "so far" as of that place.
#ifndef SYN_MODEL_GENERATOR_RECORD_H
#define SYN_MODEL_GENERATOR_RECORD_H

#include <cstdint>

#include "model/grammar.h"

namespace syn {

// Room for the longest record; borrowed.
struct RecordBuffer {
  int32_t* tokens;
  int64_t* numbers;
};

class GeneratorRecord {
 public:
  void begin(const Grammar& grammar, int64_t patient, RecordBuffer buffer);

  // A token, its number, and the state it leads to.
  void say(const Grammar& grammar, int32_t token, int64_t number, int32_t state);
  // The probability that the grammar removed from a draw that was measured.
  void measure(double removed) { removed_ += removed, ++measured_; }

  // Writes header and replay of the next chunk to feed [context] and returns their number, 0 when no chunk with room for one more
  // token can begin.
  int32_t next_chunk(const Grammar& grammar, int32_t context, int32_t* feed);

  int64_t patient() const { return patient_; }
  int64_t length() const { return length_; }
  int32_t chunks() const { return chunks_; }
  RecordBuffer buffer() const { return buffer_; }
  int64_t measured() const { return measured_; }                                                    // draws
  double removed() const { return measured_ > 0 ? removed_ / static_cast<double>(measured_) : 0; }  // mean over them

 private:
  // A place between two tokens.
  struct Place {
    int64_t at;           // tokens said before it
    int64_t visit_begin;  // where the visit began
    int64_t visit;        // visits begun
    int64_t minutes;      // since the visit began
    int32_t chunk_token;  // -1: nowhere
  };

  int64_t patient_ = 0, length_ = 0, measured_ = 0;
  int32_t chunks_ = 0;
  double removed_ = 0;
  RecordBuffer buffer_ = {};
  Place now_ = {}, cut_ = {};
};

}  // namespace syn

#endif
