// The opaque handles that more than one group of entry points takes.
#ifndef SYN_ABI_HANDLES_H
#define SYN_ABI_HANDLES_H

#include "core/device.h"
#include "core/handle.h"
#include "model/model.h"
#include "model/trainer.h"

struct syn_device final : syn::Handle<syn::Device> {
  using Handle::Handle;
};
struct syn_model final : syn::Handle<syn::Model> {
  using Handle::Handle;
};
struct syn_trainer final : syn::Handle<syn::Trainer> {
  using Handle::Handle;
};

#endif
