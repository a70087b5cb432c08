// Work that is queued again and again. Once it has been the same several times the backend records it, and from then on it is
// replayed by one call (gpu/backend.h). A backend that does not record, or refuses to, is given the work anew each time.
#ifndef SYN_GPU_REPLAY_H
#define SYN_GPU_REPLAY_H

#include <functional>

#include "gpu/open.h"

namespace syn::gpu {

class Replay {
 public:
  // The session outlives this.
  explicit Replay(const Session& session) : session_(session), records_(session.table().begin_recording != nullptr) {}
  // Nothing of it may be queued any more, as in a run of another size.
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // Does what queue() queues. size, positive, is all that this depends on: the same size, the same work on the same memory.
  void run(int32_t size, const std::function<void()>& queue);

 private:
  bool record(int32_t size, const std::function<void()>& queue);

  const Session& session_;
  bool records_;
  Recording* recording_ = nullptr;
  int32_t recorded_ = 0;            // size of the recording; 0: there is none
  int32_t before_ = 0, alike_ = 0;  // size of the last run, and how many runs have had it
};

}  // namespace syn::gpu

#endif
