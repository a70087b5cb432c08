// One allocation a region, through the table of the backend; and a plan against what is free, before any of it is allocated.
#include "gpu/memory.h"

#include <cstdio>
#include <string>

#include "core/status.h"

namespace syn::gpu {
namespace {

std::string in_words(int64_t bytes) {
  constexpr double kMi = 1024.0 * 1024.0, kGi = 1024.0 * kMi;
  const auto size = static_cast<double>(bytes);
  char text[64];
  if (size >= kGi) {
    std::snprintf(text, sizeof text, "%.2f GiB", size / kGi);
  } else if (size >= kMi) {
    std::snprintf(text, sizeof text, "%.1f MiB", size / kMi);
  } else {
    std::snprintf(text, sizeof text, "%lld bytes", static_cast<long long>(bytes));
  }
  return text;
}

}  // namespace

template <int (*Backend::*kAllocate)(Context*, int64_t, void**), void (*Backend::*kRelease)(Context*, void*)>
void SessionMemory<kAllocate, kRelease>::reserve(std::shared_ptr<const Session> session) {
  const int64_t size = end_plan();
  void* memory = nullptr;
  const int code = (session->table().*kAllocate)(session->context(), size, &memory);
  if (code == kOutOfMemory) fail_out_of_memory(what_, size);
  session->check(code, what_);
  base_ = static_cast<std::byte*>(memory);
  session_ = std::move(session);
}

template <int (*Backend::*kAllocate)(Context*, int64_t, void**), void (*Backend::*kRelease)(Context*, void*)>
void SessionMemory<kAllocate, kRelease>::release() {
  if (session_) (session_->table().*kRelease)(session_->context(), base_);
  base_ = nullptr;
  session_.reset();
}

template class SessionMemory<&Backend::allocate, &Backend::release>;
template class SessionMemory<&Backend::allocate_pinned, &Backend::release_pinned>;

void require_room(const Session& session, const char* what, syn_memory& plan, int64_t there) {
  const struct {
    const char* name;
    int64_t bytes;
  } regions[] = {{"parameters", plan.parameters}, {"gradients", plan.gradients}, {"moments", plan.moments},
                 {"activations", plan.activations}, {"workspace", plan.workspace}, {"key/value cache", plan.kv_cache}};
  plan.total = 0;
  for (const auto& region : regions) plan.total += region.bytes;
  int64_t free = 0;
  session.check(session.table().free_memory(session.context(), &free), "asking for free memory");
  if (plan.total - there <= free) return;
  std::string parts;
  for (const auto& region : regions) {
    if (region.bytes > 0) parts += (parts.empty() ? ": " : ", ") + in_words(region.bytes) + " " + region.name;
  }
  char text[sizeof(syn_error::message)];
  std::snprintf(text, sizeof text, "%s needs %s and %s has %s for it%s", what, in_words(plan.total).c_str(), session.info().name,
                in_words(free + there).c_str(), parts.c_str());
  throw Error(SYN_OUT_OF_MEMORY, text, plan.total);
}

}  // namespace syn::gpu
