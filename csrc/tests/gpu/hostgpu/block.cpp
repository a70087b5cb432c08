// One block: its fibers run one at a time, each until it waits, in the order that the schedule picks. A block that goes wrong is
// dropped whole: kernel code owns nothing.
#include "runtime.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

__thread uint3 threadIdx, blockIdx, hostgpu_block_dim, hostgpu_grid_dim;

namespace hostgpu {

__thread Block* this_block;
__thread Fiber* this_fiber;

uint64_t random_step(uint64_t& s) {
  s ^= s << 13;
  s ^= s >> 7;
  s ^= s << 17;
  return s;
}

void make_ready(Block& b, Fiber& f) {
  f.state = State::kReady;
  b.queue[(b.head + b.ready++) % b.queue.size()] = &f;
}

namespace {

Fiber* pick(Block& b) {
  if (!b.ready) return nullptr;
  const size_t n = b.queue.size();
  if (options().order == Order::kLifo) return b.queue[(b.head + --b.ready) % n];
  if (options().order == Order::kRandom) {
    Fiber*& other = b.queue[(b.head + random_step(b.random) % b.ready) % n];
    Fiber* const first = b.queue[b.head];
    b.queue[b.head] = other;
    other = first;
  }
  Fiber* const f = b.queue[b.head];
  b.head = (b.head + 1) % n;
  --b.ready;
  return f;
}

void resume(Fiber& f) {
  this_fiber = &f;
  threadIdx = f.index;
}

unsigned threads_of(const Launch& l) { return l.block.x * l.block.y * l.block.z; }

void reset(Block& b, Launch& l, dim3 index) {
  const unsigned threads = threads_of(l);
  b.launch = &l;
  b.fibers.clear();
  b.queue.assign(threads, nullptr);
  b.head = b.ready = b.shared_used = 0;
  b.alive = static_cast<int>(threads);
  b.failed = false;
  b.error[0] = 0;
  b.piece_count = 0;
  b.counters = {};
  std::memset(&b.barrier, 0, sizeof b.barrier);
  for (Warp& w : b.warps) {
    w.alive = 0;
    for (Rendezvous& r : w.meeting) r.used = false;
  }
  const uint64_t place = uint64_t{index.z} << 42 ^ uint64_t { index.y } << 21 ^ index.x;
  b.random = options().seed * 0x9E3779B97F4A7C15ull + place * 0xBF58476D1CE4E5B9ull + 1;
  this_block = &b;
  blockIdx = {index.x, index.y, index.z};
  hostgpu_block_dim = {l.block.x, l.block.y, l.block.z};
  hostgpu_grid_dim = {l.grid.x, l.grid.y, l.grid.z};
}

void make_fibers(Block& b, std::vector<std::unique_ptr<Fiber>>& pool) {
  const dim3 shape = b.launch->block;
  for (unsigned i = 0; i < threads_of(*b.launch); ++i) {
    if (pool.size() <= i) pool.emplace_back(new Fiber());
    Fiber& f = *pool[i];
    f.block = &b;
    f.linear = static_cast<int>(i);
    f.index = {i % shape.x, i / shape.x % shape.y, i / (shape.x * shape.y)};
    f.copies = f.groups = 0;
    f.pieces = 0;
    f.fenced = false;
    f.counted = nullptr;
    f.site = {"", 0};
    start_fiber(f, i);
    b.fibers.push_back(&f);
    b.warps[i / 32].alive |= 1u << (i & 31);
    make_ready(b, f);
  }
}

std::string deadlock(const Block& b) {
  std::map<std::string, int> where;
  for (const Fiber* f : b.fibers) {
    const char* how = f->state == State::kAtBarrier ? "at the barrier " : "at the warp collective ";
    ++where[f->state == State::kDone ? "exited" : how + std::string(f->site.file) + ":" + std::to_string(f->site.line)];
  }
  std::string text = "deadlock:";
  for (const auto& [place, count] : where) text += " " + std::to_string(count) + " threads " + place + ";";
  return text;
}

}  // namespace

void switch_out(bool dying) {
  Fiber* const me = this_fiber;
  Block& b = *me->block;
  Fiber* const next = b.failed ? nullptr : pick(b);
  if (next) resume(*next);
  if (next == me) return;
  if (!next) this_fiber = nullptr;
  switch_to(*me, next ? static_cast<Context&>(*next) : b.scheduler, dying);
}

void fail(Site s, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  Fiber& f = *this_fiber;
  Block& b = *f.block;
  snprintf(b.error, sizeof b.error, "%s:%d: thread (%u,%u,%u): %s", s.file, s.line, f.index.x, f.index.y, f.index.z, text);
  b.failed = true;
  sync_release(&b.launch->sync);
  switch_out(true);
  abort();
}

std::string run_block(Launch& l, dim3 index, std::vector<void*>& graveyard) {
  static thread_local Block* own = new Block();  // kept: freeing what fibers touched is a race to the thread sanitizer
  static thread_local std::vector<std::unique_ptr<Fiber>> pool;
  Block& b = *own;
  reset(b, l, index);
#if defined(HOSTGPU_TSAN)
  void* arena;
  if (posix_memalign(&arena, 128, arena_bytes(l))) abort();
  std::memset(arena, 0xff, arena_bytes(l));
  b.arena = static_cast<char*>(arena);
  b.arena_used = arena_bytes(l) - l.shared;
  graveyard.push_back(arena);
#endif
  begin_block_of_fibers(b);
  make_fibers(b, pool);
  Fiber* const first = pick(b);
  resume(*first);
  switch_to(b.scheduler, *first);
  if (b.failed) sync_acquire(&l.sync);
  std::string error = b.error;
  if (!b.failed && b.alive) {
    b.failed = true;
    error = deadlock(b);
  }
  end_block_of_fibers(b);
#if !defined(HOSTGPU_TSAN)
  for (int i = 0; i < b.piece_count; ++i) graveyard.push_back(b.piece[i].p);
#endif
  return error;
}

}  // namespace hostgpu
