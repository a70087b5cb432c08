// A launch: its limits are checked when it is made, its blocks run when its stream does, in the order of the schedule (fifo,
// lifo, seeded random), on one or more OS threads.
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "gpu_host.h"
#include "runtime.h"

namespace hostgpu {
namespace {

constexpr size_t kSharedWithoutAsking = 48 << 10;
constexpr unsigned kMostThreads = 1024, kMostGridYZ = 65535, kMostGridX = 0x7fffffff;

using Body = std::shared_ptr<std::function<void()>>;

std::mutex guard;
std::map<const void*, size_t> shared_limit;
std::atomic<int64_t> made{0};  // launches, those that were captured too

std::string refusal(dim3 grid, dim3 block, size_t shared, const void* kernel) {
  const uint64_t threads = uint64_t{block.x} * block.y * block.z, blocks = uint64_t{grid.x} * grid.y * grid.z;
  if (!threads || threads > kMostThreads || block.z > 64) return "block of " + std::to_string(threads) + " threads";
  if (!blocks || grid.x > kMostGridX || grid.y > kMostGridYZ || grid.z > kMostGridYZ) return "grid out of range";
  const std::lock_guard<std::mutex> lock(guard);
  const auto limit = shared_limit.find(kernel);
  if (shared > kSharedWithoutAsking && (limit == shared_limit.end() || limit->second < shared))
    return "over 48 KiB of dynamic shared memory without cudaFuncSetAttribute";
  return "";
}

// Unfinished fibers still hold what they used, and nothing orders their end: it stays.
void abandon(const Body& body) {
  static auto& kept = *new std::vector<Body>();
  kept.push_back(body);
  fibers_abandoned = true;
}

std::vector<uint32_t> block_order(uint64_t blocks) {
  std::vector<uint32_t> order(blocks);
  for (uint64_t i = 0; i < blocks; ++i) order[i] = static_cast<uint32_t>(options().order == Order::kLifo ? blocks - 1 - i : i);
  uint64_t s = options().seed * 0x9E3779B97F4A7C15ull + 7;
  if (options().order == Order::kRandom)
    for (uint64_t i = blocks; i > 1; --i) std::swap(order[i - 1], order[random_step(s) % i]);
  return order;
}

void run(dim3 grid, dim3 block, size_t shared, const char* name, const Body& body) {
  Launch l{grid, block, shared, *body, name, 0};
  const std::vector<uint32_t> order = block_order(uint64_t{grid.x} * grid.y * grid.z);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    std::vector<void*> graveyard;  // freed once every fiber of the launch happened before the host
    for (size_t i; (i = next++) < order.size() && !has_error();) {
      const uint32_t at = order[i];
      const dim3 index(at % grid.x, at / grid.x % grid.y, at / (grid.x * grid.y));
      const std::string error = run_block(l, index, graveyard);
      if (!error.empty())
        set_error(cudaErrorLaunchFailure, std::string("hostgpu: ") + name + " block (" + std::to_string(index.x) + "," +
                                              std::to_string(index.y) + "," + std::to_string(index.z) + "): " + error);
#if !defined(HOSTGPU_TSAN)
      for (void* p : graveyard) free(p);
      graveyard.clear();
#endif
    }
    sync_acquire(&l.sync);
    forget_fibers();
    if (has_error()) return abandon(body);
    for (void* p : graveyard) free(p);
  };
  const size_t workers = std::min(static_cast<size_t>(options().workers), order.size());
  if (workers <= 1) return work();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < workers; ++i) threads.emplace_back(work);
  for (std::thread& t : threads) t.join();
}

Options from_environment() {
  const auto number = [](const char* name, size_t otherwise) {
    const char* text = getenv(name);
    return text && *text ? static_cast<size_t>(strtoull(text, nullptr, 0)) : otherwise;
  };
  const char* order = getenv("HOSTGPU_ORDER");
  const std::string name = order ? order : "fifo";
  Options o;
  o.order = name == "lifo" ? Order::kLifo : name == "random" ? Order::kRandom : Order::kFifo;
  o.seed = number("HOSTGPU_SEED", 1);
  o.workers = static_cast<int>(number("HOSTGPU_WORKERS", 1));
#if defined(HOSTGPU_TSAN) || defined(HOSTGPU_ASAN)
  o.workers = 1;
#endif
  o.shared_limit = number("HOSTGPU_SHARED_LIMIT", 227 << 10);
  o.devices = static_cast<int>(number("HOSTGPU_DEVICES", 1));
  o.memory = number("HOSTGPU_MEMORY", static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  o.launches = number("HOSTGPU_LOST_AFTER", SIZE_MAX);
  return o;
}

}  // namespace

std::atomic<bool> fibers_abandoned{false};

const Options& options() {
  static const Options o = from_environment();
  return o;
}

int64_t launches() { return made; }

cudaError_t lost_device() {
  if (static_cast<uint64_t>(launches()) < options().launches) return cudaSuccess;
  set_error(cudaErrorDevicesUnavailable, "hostgpu: the device was taken away, as HOSTGPU_LOST_AFTER asks");
  return cudaErrorDevicesUnavailable;
}

cudaError_t set_shared_limit(const void* kernel, int bytes) {
  if (bytes < 0 || static_cast<size_t>(bytes) > options().shared_limit) {
    set_error(cudaErrorInvalidValue, "hostgpu: cudaFuncSetAttribute: more shared memory than the device has");
    return cudaErrorInvalidValue;
  }
  const std::lock_guard<std::mutex> lock(guard);
  shared_limit[kernel] = static_cast<size_t>(bytes);
  return cudaSuccess;
}

cudaError_t launch(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, const void* kernel, const char* name,
                   std::function<void()> body, Bytes parameters) {
  if (const cudaError_t lost = lost_device()) return lost;
  const std::string refused = refusal(grid, block, shared, kernel);
  if (!refused.empty()) {
    set_error(cudaErrorInvalidValue, std::string("hostgpu: launch of ") + name + ": " + refused);
    return cudaErrorInvalidValue;
  }
  ++made;
  const Body shared_body = std::make_shared<std::function<void()>>(std::move(body));
  enqueue(stream, [=, parameters = std::move(parameters)] {
    if (!ptx::on()) return run(grid, block, shared, name, shared_body);
    const std::string error = ptx::launch(kernel, grid, block, shared, parameters);
    if (!error.empty()) set_error(cudaErrorLaunchFailure, "ptxsim: " + error);
  });
  return cudaSuccess;
}

}  // namespace hostgpu
