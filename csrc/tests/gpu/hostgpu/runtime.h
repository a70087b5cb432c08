// The state of the emulation: fibers, warps, blocks, launches. Internal to the runtime, which is compiled without sanitizers: its
// own memory must be invisible to them. Fibers never allocate and never call into the C library: to the thread sanitizer a malloc
// by one fiber and a free by another would be a race of the kernel.
#ifndef HOSTGPU_RUNTIME_H
#define HOSTGPU_RUNTIME_H

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "collectives.h"
#include "runtime_api.h"

#if !defined(__x86_64__)
#error "the fiber switch is written for x86-64"
#endif

namespace hostgpu {

struct Block;

// Anything that can be switched to.
struct Context {
  void* stack_pointer = nullptr;
  void* tsan = nullptr;
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  size_t size = 0;
};

enum class State { kReady, kAtBarrier, kAtWarp, kDone };
constexpr int kMaxCopies = 512, kMaxGroups = 32, kRendezvousPerWarp = 8, kMaxWarps = 32, kMaxPieces = 64;

struct Fiber : Context {
  Block* block;
  uint3 index;
  int linear;
  State state;
  Site site;
  unsigned pieces;  // of shared memory taken
  bool fenced;      // a fence has been passed
  void* counted;    // the word of the last atomic
  int copies, groups, group_end[kMaxGroups];
  Copy copy[kMaxCopies];
};

struct Warp {
  uint32_t alive;
  Rendezvous meeting[kRendezvousPerWarp];
};

struct Barrier {
  int arrived, any, all, count, result;
  unsigned generation;
  Site site;
};

struct Launch {
  dim3 grid, block;
  size_t shared;
  const std::function<void()>& body;
  const char* name;
  char sync;  // what the end of a launch is ordered by
};

struct Counters {
  uint64_t mma, matrix_phases, bank_conflicts;
};

struct Block {
  Launch* launch;
  Context scheduler;
  std::vector<Fiber*> fibers;
  std::vector<Fiber*> queue;  // ring of the ready ones
  size_t head, ready;
  Warp warps[kMaxWarps];
  Barrier barrier;
  int alive;
  uint64_t random;
  bool failed;
  char error[1024];
  struct Piece {
    size_t bytes;
    void* p;
  } piece[kMaxPieces];
  int piece_count;
  size_t shared_used;
  char* arena;  // shared memory and sync objects under the thread sanitizer
  size_t arena_used;
  Counters counters;
};

enum class Order { kFifo, kLifo, kRandom };

// HOSTGPU_ORDER (fifo, lifo, random), HOSTGPU_SEED, HOSTGPU_WORKERS, HOSTGPU_SHARED_LIMIT, HOSTGPU_DEVICES, HOSTGPU_MEMORY,
// HOSTGPU_LOST_AFTER, HOSTGPU_PTX.
struct Options {
  Order order;
  uint64_t seed;
  int workers;  // OS threads that run blocks
  size_t shared_limit;
  int devices;
  size_t memory;         // bytes of each device
  uint64_t launches;     // so many, and the device is lost
};
const Options& options();

// The error of a device that is lost, as every call that needs it returns it; cudaSuccess before.
cudaError_t lost_device();

extern __thread Block* this_block;
extern __thread Fiber* this_fiber;

uint64_t random_step(uint64_t& state);

// ---- fiber.cpp: switching, with what the sanitizers must be told
void start_fiber(Fiber&, size_t index);  // gives it a stack
void switch_to(Context& from, Context& to, bool dying = false);
void begin_block_of_fibers(Block&);  // stacks and scheduler of this OS thread are made ready
void end_block_of_fibers(Block&);
void forget_fibers();  // at the end of a launch
void sync_release(void* p);
void sync_acquire(void* p);

// ---- block.cpp
void make_ready(Block&, Fiber&);
void switch_out(bool dying = false);                                        // leaves the current fiber for the next ready one
std::string run_block(Launch&, dim3 index, std::vector<void*>& graveyard);  // what went wrong, or nothing

// ---- launch.cpp: a launch failed, and its fibers will never end. To the thread sanitizer a free of what they used is then a
// race.
extern std::atomic<bool> fibers_abandoned;

// ---- collectives.cpp
void warp_lost_a_lane(Block&, int warp);

// ---- shared.cpp
size_t arena_bytes(const Launch&);
void* block_sync_object(Block&);
void* warp_sync_object(Block&, int warp, const Rendezvous*);

// ---- device.cpp: the first error since the last one was asked for
void set_error(cudaError_t, const std::string& text);
bool has_error();
int current_device();

// ---- stream.cpp
void enqueue(cudaStream_t, std::function<void()>);
// Held by a thread of the host while it makes, queues or runs something: one works at a time, whatever its stream or device.
std::unique_lock<std::recursive_mutex> turn();

// ---- ptx_device.cpp: the device is a ptxsim process that runs the PTX of the kernels
namespace ptx {
bool on();
std::string allocate(size_t bytes, void** p);
std::string release(void* p);
std::string write(void* to, const void* from, size_t bytes);
std::string read(void* to, const void* from, size_t bytes);
std::string fill(void* p, int value, size_t bytes);
std::string launch(const void* kernel, dim3 grid, dim3 block, size_t shared, const std::vector<unsigned char>& parameters);
}  // namespace ptx

}  // namespace hostgpu

#endif
