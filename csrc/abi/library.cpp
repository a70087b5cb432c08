// Entry points about the library itself: versions, status names, and its description as JSON.
#include <cstring>
#include <string>

#include "core/boost.h"
#include "core/handle.h"
#include "core/machine.h"
#include "core/status.h"
#include "gpu/open.h"

namespace {

// Text as a JSON string; control characters become spaces, as none of our texts needs one.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string description() {
  const syn::Isa isa = syn::machine_isa();
  const bool cpu = isa != syn::Isa::kNone;
  const syn::gpu::Offer cuda = syn::gpu::offer_of(SYN_BACKEND_CUDA), hostgpu = syn::gpu::offer_of(SYN_BACKEND_HOSTGPU);
  std::string json = "{\"version\":" + quoted(SYN_VERSION);
  json += ",\"abi\":\"" + std::to_string(SYN_ABI_MAJOR) + "." + std::to_string(SYN_ABI_MINOR) + "\"";
  json += std::string(",\"backends\":[") + (cpu ? "\"cpu\"," : "") + "\"ref\"" + (cuda.there ? ",\"cuda\"" : "") +
          (hostgpu.there ? ",\"hostgpu\"" : "") + "]";
  json += ",\"cpu\":{\"name\":" + quoted(syn::cpu_name()) + ",\"features\":" + quoted(syn::cpu_features()) +
          ",\"isa\":" + quoted(syn::isa_name(isa)) + "}";
  json += ",\"gemm\":" + quoted("own");
  json += ",\"threads\":" + std::to_string(syn::machine_threads());
  json += ",\"boost\":" + quoted(syn::boost_description());
  json += ",\"cuda\":" + quoted(cuda.words) + ",\"hostgpu\":" + quoted(hostgpu.words) + "}";
  return json;
}

}  // namespace

uint32_t syn_abi_version(void) noexcept { return static_cast<uint32_t>(SYN_ABI_MAJOR) << 16 | SYN_ABI_MINOR; }

const char* syn_version(void) noexcept { return SYN_VERSION; }

const char* syn_status_name(syn_status status) noexcept {
  switch (status) {
    case SYN_OK: return "ok";
    case SYN_INVALID_ARGUMENT: return "invalid argument";
    case SYN_OUT_OF_MEMORY: return "out of memory";
    case SYN_UNSUPPORTED: return "unsupported";
    case SYN_NO_DEVICE: return "no device";
    case SYN_NUMERIC: return "not a finite number";
    case SYN_IO: return "input or output";
    case SYN_FORMAT: return "format";
    case SYN_CANCELLED: return "cancelled";
    case SYN_INTERNAL: return "internal";
    case SYN_ABI_MISMATCH: return "ABI mismatch";
    default: return "unknown status";
  }
}

syn_status syn_describe(char* text, size_t capacity, size_t* length, syn_error* error) noexcept {
  return syn::guard("syn_describe", error, [&] {
    syn::require(text != nullptr || capacity == 0, "text is NULL and capacity is not 0");
    const std::string json = description();
    if (length) *length = json.size();
    if (capacity > 0) {
      const size_t n = json.size() < capacity - 1 ? json.size() : capacity - 1;
      std::memcpy(text, json.data(), n);
      text[n] = 0;
    }
  });
}

int64_t syn_live(void) noexcept { return syn::live_handles(); }
