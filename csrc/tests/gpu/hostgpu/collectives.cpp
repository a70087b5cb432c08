// Barriers, fences, warp collectives and the tensor core.
//
// The fragment layouts are those that the PTX ISA documents for mma.m16n8k16 with 16-bit inputs: with group g = lane / 4 and
// t = lane mod 4, element i of a lane is
//   A (8)  row g + 8 (i/2 mod 2)   column 2t + i mod 2 + 8 (i/4)
//   B (4)  row 2t + i mod 2 + 8 (i/2)   column g
//   C (4)  row g + 8 (i/2)   column 2t + i mod 2
#include "runtime.h"

#include <cstring>

namespace hostgpu {

int lane() { return this_fiber->linear & 31; }

int block_barrier(int predicate, Vote vote, Site s) {
  Fiber& f = *this_fiber;
  Block& b = *f.block;
  Barrier& r = b.barrier;
  const int threads = static_cast<int>(b.fibers.size());
  if (b.alive != threads) fail(s, "barrier after %d threads of the block have exited", threads - b.alive);
  if (!r.arrived) {
    r.site = s;
    r.any = r.count = 0;
    r.all = 1;
  } else if (r.site.line != s.line || std::strcmp(r.site.file, s.file)) {
    fail(s, "divergent barrier: other threads wait at %s:%d", r.site.file, r.site.line);
  }
  ++r.arrived;
  r.any |= predicate != 0;
  r.all &= predicate != 0;
  r.count += predicate != 0;
  void* const sync = block_sync_object(b);
  sync_release(sync);
  if (r.arrived < threads) {
    f.state = State::kAtBarrier;
    f.site = s;
    switch_out();
  } else {
    ++r.generation;
    r.arrived = 0;
    r.result = vote == Vote::kOr ? r.any : vote == Vote::kAnd ? r.all : r.count;
    for (Fiber* other : b.fibers)
      if (other->state == State::kAtBarrier) make_ready(b, *other);
    if (options().order != Order::kFifo) {  // under fifo the last to arrive is the first to go on
      make_ready(b, f);
      switch_out();
    }
  }
  sync_acquire(sync);
  return r.result;
}

void fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  Fiber& f = *this_fiber;
  f.fenced = true;
  if (f.counted) sync_acquire(f.counted);
}

void before_atomic(void* word) {
  Fiber& f = *this_fiber;
  if (f.fenced) sync_release(word);
  f.counted = word;
}

namespace {

// Releases the lanes of a rendezvous if all that can come have come.
void check(Block& b, int warp, Rendezvous& r, Combine combine, int argument) {
  const Warp& w = b.warps[warp];
  if ((r.arrived & r.mask) != (r.mask & (w.alive | r.arrived))) return;
  if ((r.op == Op::kMma || r.op == Op::kLoadMatrix) && r.arrived != 0xffffffffu)
    fail(r.site, "mma or ldmatrix without all 32 lanes, arrived: %08x", r.arrived);
  r.full = true;
  r.left = r.arrived;
  if (combine) combine(r, argument);
  for (int i = 0; i < 32; ++i) {
    const size_t at = static_cast<size_t>(warp * 32 + i);
    Fiber* const f = at < b.fibers.size() ? b.fibers[at] : nullptr;
    if (f && f != this_fiber && (r.arrived >> i & 1) && f->state == State::kAtWarp) make_ready(b, *f);
  }
}

}  // namespace

void warp_lost_a_lane(Block& b, int warp) {
  for (Rendezvous& r : b.warps[warp].meeting)
    if (r.used && !r.full) check(b, warp, r, nullptr, 0);
}

Rendezvous* arrive(uint32_t mask, Op op, const uint32_t* in, int words, Combine combine, int argument, bool order, Site s) {
  Fiber& f = *this_fiber;
  Block& b = *f.block;
  const int l = f.linear & 31, warp = f.linear / 32;
  if (!(mask >> l & 1)) fail(s, "calling lane %d is not in the mask %08x", l, mask);
  Rendezvous *r = nullptr, *unused = nullptr;
  for (Rendezvous& c : b.warps[warp].meeting) {
    if (!c.used) {
      if (!unused) unused = &c;
    } else if (!c.full && c.mask == mask && !(c.arrived >> l & 1)) {
      r = &c;
      break;
    }
  }
  if (!r) {
    if (!unused) fail(s, "too many concurrent warp collectives");
    r = unused;
    r->used = true;
    r->full = false;
    r->mask = mask;
    r->arrived = 0;
    r->op = op;
    r->site = s;
  } else if (r->op != op || r->site.line != s.line) {
    fail(s, "warp divergence: lanes of mask %08x are at %s:%d", mask, r->site.file, r->site.line);
  }
  for (int i = 0; i < words; ++i) r->in[l][i] = in[i];
  r->arrived |= 1u << l;
  void* const sync = warp_sync_object(b, warp, r);
  if (order) sync_release(sync);
  check(b, warp, *r, combine, argument);
  if (!r->full) {
    f.state = State::kAtWarp;
    f.site = s;
    switch_out();
  }
  if (order) sync_acquire(sync);  // the slot is used again only when every lane has left
  return r;
}

void leave(Rendezvous* r) {
  r->left &= ~(1u << lane());
  if (!r->left) r->used = false;
}

void mma_m16n8k16_bf16(Rendezvous& r, int) {
  float a[16][16], b[8][16], c[16][8];
  const auto number = [](uint32_t word, int half) { return __builtin_bit_cast(float, half ? word & 0xFFFF0000u : word << 16); };
  for (int l = 0; l < 32; ++l) {
    const int g = l >> 2, t = l & 3;
    for (int i = 0; i < 8; ++i) a[g + (i >> 1 & 1) * 8][2 * t + (i & 1) + (i >> 2) * 8] = number(r.in[l][i >> 1], i & 1);
    for (int i = 0; i < 4; ++i) b[g][2 * t + (i & 1) + (i >> 1) * 8] = number(r.in[l][4 + (i >> 1)], i & 1);
    for (int i = 0; i < 4; ++i) c[g + (i >> 1) * 8][2 * t + (i & 1)] = __builtin_bit_cast(float, r.in[l][6 + i]);
  }
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      float sum = 0;
      for (int k = 0; k < 16; ++k) sum += a[m][k] * b[n][k];
      c[m][n] += sum;
    }
  for (int l = 0; l < 32; ++l)
    for (int i = 0; i < 4; ++i) r.out[l][i] = __builtin_bit_cast(uint32_t, c[(l >> 2) + (i >> 1) * 8][2 * (l & 3) + (i & 1)]);
  ++this_block->counters.mma;
}

void load_matrix_x4(Rendezvous& r, int transposed) {
  Counters& count = this_block->counters;
  for (int j = 0; j < 4; ++j) {
    uint16_t m[8][8];
    unsigned hits[8] = {}, most = 0;
    for (int i = 0; i < 8; ++i) {
      const uint32_t* row = r.in[j * 8 + i];
      for (int c = 0; c < 8; ++c) m[i][c] = static_cast<uint16_t>(row[c >> 1] >> (16 * (c & 1)));
      const unsigned h = ++hits[(row[4] >> 4) & 7];  // the group of banks that a row of 16 bytes lies in
      most = h > most ? h : most;
    }
    ++count.matrix_phases;
    count.bank_conflicts += most - 1;
    for (int l = 0; l < 32; ++l) {
      const int row = l >> 2, c = (l & 3) * 2;
      const uint32_t low = transposed ? m[c][row] : m[row][c], high = transposed ? m[c + 1][row] : m[row][c + 1];
      r.out[l][j] = low | high << 16;
    }
  }
}

}  // namespace hostgpu
