// What stands before and behind the slots of a generator: the patients not yet begun, and the finished records not yet taken.
#ifndef SYN_MODEL_GENERATOR_QUEUE_H
#define SYN_MODEL_GENERATOR_QUEUE_H

#include <cstdint>
#include <deque>
#include <vector>

#include "core/pages.h"
#include "model/generator_record.h"

namespace syn {

class PatientQueue {
 public:
  void add(int64_t first, int64_t count) {
    if (count > 0) ranges_.push_back({first, count});
    size_ += count;
  }
  int64_t size() const { return size_; }
  int64_t take() {  // size() > 0
    Range& r = ranges_.front();
    const int64_t patient = r.first++;
    if (--r.count == 0) ranges_.pop_front();
    --size_;
    return patient;
  }

 private:
  struct Range {
    int64_t first, count;
  };
  std::deque<Range> ranges_;
  int64_t size_ = 0;
};

struct FinishedRecord {
  RecordBuffer buffer;
  int64_t patient, length;
  int32_t chunks;
  bool closed;
  int64_t measured;  // draws, and the mean of what was removed from them
  double removed;
};

// A ring of finished records, and the buffers that wander between it and the slots: nothing is copied or allocated when a record
// ends. A step can finish every slot, so a ring of two records a slot that is run only while less than half full never overflows.
class ReadyRing {
 public:
  ReadyRing(int32_t slots, int64_t max_tokens)
      : pages_("records", bytes(slots, max_tokens)), ring_(static_cast<size_t>(2) * slots) {
    const int64_t buffers = int64_t{3} * slots;
    for (int64_t i = buffers; i-- > 0;) {
      free_.push_back(
          {pages_.at<int32_t>(buffers * max_tokens * 8 + i * max_tokens * 4), pages_.at<int64_t>(i * max_tokens * 8)});
    }
  }

  static int64_t bytes(int32_t slots, int64_t max_tokens) { return checked_product("records", {3, slots, max_tokens, 12}); }

  bool half_full() const { return 2 * count_ >= ring_.size(); }
  int64_t size() const { return static_cast<int64_t>(count_); }

  RecordBuffer buffer() {  // there is one for every slot that wants one
    const RecordBuffer out = free_.back();
    free_.pop_back();
    return out;
  }
  void add(const FinishedRecord& record) { ring_[(head_ + count_++) % ring_.size()] = record; }
  const FinishedRecord& front() const { return ring_[head_]; }  // size() > 0
  void drop_front() {
    free_.push_back(front().buffer);
    head_ = (head_ + 1) % ring_.size();
    --count_;
  }

 private:
  Pages pages_;
  std::vector<RecordBuffer> free_;
  std::vector<FinishedRecord> ring_;
  size_t head_ = 0, count_ = 0;
};

}  // namespace syn

#endif
