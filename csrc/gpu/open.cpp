// Finding a plugin and a device, and the sentence for each reason why there is none.
#include "gpu/open.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "core/status.h"

namespace syn::gpu {
namespace {

constexpr int32_t kLeastMajor = 8;  // compute capability that the kernels are compiled for

// Codes of the CUDA runtime after which a device answers nothing more in this process, and for which no kernel of ours can be to
// blame: unavailable, none there, no such device, no context any more, an ECC or an NVLink error that cannot be corrected, a
// context that was destroyed.
constexpr int kLost[] = {46, 100, 101, 201, 214, 220, 709};

bool is_lost(int code) {
  for (const int lost : kLost) {
    if (code == lost) return true;
  }
  return false;
}

const char* word_of(int32_t backend) { return backend == SYN_BACKEND_CUDA ? "CUDA" : "hostgpu"; }

// The folder of the library that this function lies in, without symbolic links.
std::string own_folder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&own_folder), &info) || !info.dli_fname) return "";
  char* const path = realpath(info.dli_fname, nullptr);
  const std::string file = path ? path : "";
  std::free(path);
  return file.substr(0, file.rfind('/') + 1);
}

std::string plugin_file(int32_t backend) {
  const char* const set = std::getenv("SYNEHRGY_BACKEND_DIR");
  std::string folder = set && *set ? set : own_folder();
  if (folder.empty() || folder[0] != '/') {
    require(!set || !*set, "SYNEHRGY_BACKEND_DIR is \"%s\", expected an absolute path", folder.c_str());
    fail(SYN_NO_DEVICE, "the folder of libsynehrgy.so cannot be found; SYNEHRGY_BACKEND_DIR names that of the plugins");
  }
  if (folder.back() != '/') folder += '/';
  return folder + (backend == SYN_BACKEND_CUDA ? "libsynehrgy_cuda.so" : "libsynehrgy_hostgpu.so");
}

const Backend& table_in(const std::string& file, int32_t backend) {
  const char* const word = word_of(backend);
  struct stat found;
  if (stat(file.c_str(), &found) != 0) fail(SYN_NO_DEVICE, "there is no %s plugin: %s does not exist", word, file.c_str());
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* const why = dlerror();
    fail(SYN_NO_DEVICE, "the %s plugin cannot be opened: %s", word, why ? why : file.c_str());
  }
  void* const symbol = dlsym(library, kBackendSymbol);
  if (!symbol) fail(SYN_ABI_MISMATCH, "%s is no plugin: it has no symbol %s", file.c_str(), kBackendSymbol);
  BackendEntry entry = nullptr;
  std::memcpy(&entry, &symbol, sizeof entry);
  const Backend* const table = entry(kBackendAbi);
  if (!table) fail(SYN_ABI_MISMATCH, "%s has no table of version %u; use the plugin of this library", file.c_str(), kBackendAbi);
  if (table->abi != kBackendAbi || table->size != sizeof(Backend))
    fail(SYN_ABI_MISMATCH, "%s has a table of version %u and %u bytes, expected %u and %zu; use the plugin of this library",
         file.c_str(), table->abi, table->size, kBackendAbi, sizeof(Backend));
  return *table;
}

// A plugin that cannot be used is looked for again the next time.
const Backend& plugin(int32_t backend) {
  static std::mutex guard;
  static auto& opened = *new std::map<std::string, const Backend*>();
  const std::string file = plugin_file(backend);
  const std::lock_guard<std::mutex> lock(guard);
  const Backend*& table = opened[file];
  if (!table) table = &table_in(file, backend);
  return *table;
}

// The first device, which is there and can run the kernels.
DeviceInfo first_device(const Backend& table, int32_t backend) {
  const char* const word = word_of(backend);
  int32_t count = 0;
  DeviceInfo info = {};
  if (const int code = table.devices(&count))
    fail(SYN_NO_DEVICE, "there is no %s device: %s", word, table.error_text(code));
  if (count == 0) fail(SYN_NO_DEVICE, "there is no %s device: the driver works and lists none", word);
  if (const int code = table.describe(0, &info))
    fail(SYN_NO_DEVICE, "%s device 0 cannot be asked what it is: %s", word, table.error_text(code));
  if (info.major < kLeastMajor)
    fail(SYN_NO_DEVICE, "%s device 0 (%s) has compute capability %d.%d, expected %d.0; CUDA_VISIBLE_DEVICES takes another", word,
         info.name, info.major, info.minor, kLeastMajor);
  return info;
}

}  // namespace

Session::Session(const Backend& table, int32_t device) : table_(table) {
  int code = table.describe(device, &info_);
  if (code == 0) code = table.open(device, &context_);
  if (code != 0)
    fail(code == kOutOfMemory ? SYN_OUT_OF_MEMORY : SYN_NO_DEVICE, "device %d of %s cannot be opened: %s", device, table.name,
         table.error_text(code));
}

Session::~Session() { table_.close(context_); }

void Session::check(int code, const char* what) const {
  if (code == 0) return;
  if (is_lost(code))
    fail(SYN_NO_DEVICE, "%s was lost (%s): %s; what was saved before is kept", info_.name, what, table_.error_text(code));
  fail(code == kOutOfMemory ? SYN_OUT_OF_MEMORY : SYN_INTERNAL, "%s on %s: %s", what, info_.name, table_.error_text(code));
}

std::shared_ptr<Session> open_session(int32_t backend) {
  const Backend& table = plugin(backend);
  first_device(table, backend);
  return std::make_shared<Session>(table, 0);
}

Offer offer_of(int32_t backend) {
  try {
    const DeviceInfo info = first_device(plugin(backend), backend);
    char words[512];
    std::snprintf(words, sizeof words, "%s, compute capability %d.%d, %.1f GiB, %s", info.name, info.major, info.minor,
                  static_cast<double>(info.memory) / (1024.0 * 1024.0 * 1024.0), info.runtime);
    return {true, words};
  } catch (const Error& e) {
    return {false, e.what()};
  }
}

}  // namespace syn::gpu
