// Fibers: a stack for each CUDA thread, a switch of twenty instructions, and what the sanitizers must hear of both.
//
// Thread sanitizer: each CUDA thread is a fiber of its own, and a switch orders nothing; stacks are fresh for each block, else an
// earlier block's frames would look like racing accesses; fibers are destroyed only when the launch ends, for accesses of one
// fiber id never race and the sanitizer reuses ids. Address sanitizer: stack bounds at every switch, and the frames of an
// abandoned block are unpoisoned.
#include <pthread.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "runtime.h"

#if defined(HOSTGPU_TSAN)
#include <sanitizer/tsan_interface.h>
#elif defined(HOSTGPU_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" void hostgpu_switch(void** from, void* to);
asm(R"(
.text
.globl hostgpu_switch
.type hostgpu_switch,@function
hostgpu_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size hostgpu_switch,.-hostgpu_switch
)");

namespace hostgpu {
namespace {

constexpr size_t kStack = 64 << 10, kGuard = 4096;

struct Stacks {
  std::vector<char*> of_fiber;
  bool abandoned = false;  // frames of a failed block may lie there

  char* get(size_t i) {
    while (of_fiber.size() <= i) {  // the lowest page stays inaccessible: an overflow faults
      void* p = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED || mprotect(p, kGuard, PROT_NONE)) abort();
      of_fiber.push_back(static_cast<char*>(p));
    }
    return of_fiber[i];
  }
};
thread_local Stacks stacks;

#if defined(HOSTGPU_TSAN)
constexpr size_t kMostFibers = 6000;  // the sanitizer has 8,000 ids
std::vector<void*> finished;
#endif

void fiber_main() {
  Fiber* const me = this_fiber;
  Block& b = *me->block;
#if defined(HOSTGPU_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  b.launch->body();
  const Site end = {"<end of kernel>", 0};
  if (me->copies) fail(end, "thread exits with %d cp.async outstanding", me->copies);
  me->state = State::kDone;
  --b.alive;
  b.warps[me->linear / 32].alive &= ~(1u << (me->linear & 31));
  if (b.barrier.arrived) fail(b.barrier.site, "a thread exits while %d others wait at a barrier", b.barrier.arrived);
  warp_lost_a_lane(b, me->linear / 32);
  sync_release(&b.launch->sync);
  switch_out(true);
  abort();
}

}  // namespace

void sync_release([[maybe_unused]] void* p) {
#if defined(HOSTGPU_TSAN)
  __tsan_release(p);
#endif
}

void sync_acquire([[maybe_unused]] void* p) {
#if defined(HOSTGPU_TSAN)
  __tsan_acquire(p);
#endif
}

void switch_to(Context& from, Context& to, [[maybe_unused]] bool dying) {
#if defined(HOSTGPU_TSAN)
  __tsan_switch_to_fiber(to.tsan, __tsan_switch_to_fiber_no_sync);
#elif defined(HOSTGPU_ASAN)
  __sanitizer_start_switch_fiber(dying ? nullptr : &from.fake_stack, to.bottom, to.size);
#endif
  hostgpu_switch(&from.stack_pointer, to.stack_pointer);
#if defined(HOSTGPU_ASAN)
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

void begin_block_of_fibers(Block& b) {
#if defined(HOSTGPU_TSAN)
  b.scheduler.tsan = __tsan_get_current_fiber();
  for (char* p : stacks.of_fiber) munmap(p, kStack);
  stacks.of_fiber.clear();
#elif defined(HOSTGPU_ASAN)
  pthread_attr_t attributes;
  void* bottom;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &bottom, &b.scheduler.size);
  pthread_attr_destroy(&attributes);
  b.scheduler.bottom = bottom;
#else
  (void)b;
#endif
}

void start_fiber(Fiber& f, size_t index) {
  char* const stack = stacks.get(index);
  f.bottom = stack;
  f.size = kStack;
  f.fake_stack = nullptr;
#if defined(HOSTGPU_ASAN)
  if (stacks.abandoned) __asan_unpoison_memory_region(stack + kGuard, kStack - kGuard);
#elif defined(HOSTGPU_TSAN)
  f.tsan = __tsan_create_fiber(0);
  char name[64];
  snprintf(name, sizeof name, "block (%u,%u,%u) thread (%u,%u,%u)", blockIdx.x, blockIdx.y, blockIdx.z, f.index.x, f.index.y,
           f.index.z);
  __tsan_set_fiber_name(f.tsan, name);
#endif
  void** top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(stack + kStack) & ~uintptr_t{15});
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(fiber_main);
  for (int k = 0; k < 6; ++k) *--top = nullptr;  // the registers that the switch pops
  f.stack_pointer = top;
}

void end_block_of_fibers(Block& b) {
  stacks.abandoned = b.failed;
#if defined(HOSTGPU_TSAN)
  for (Fiber* f : b.fibers) finished.push_back(f->tsan);
  if (finished.size() > kMostFibers) forget_fibers();
#endif
}

void forget_fibers() {
#if defined(HOSTGPU_TSAN)
  for (void* f : finished) __tsan_destroy_fiber(f);
  finished.clear();
#endif
}

}  // namespace hostgpu
