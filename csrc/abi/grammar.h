// The handle behind syn_grammar.
#ifndef SYN_ABI_GRAMMAR_H
#define SYN_ABI_GRAMMAR_H

#include "core/handle.h"
#include "model/grammar.h"

struct syn_grammar final : syn::Handle<syn::Grammar> {
  using Handle::Handle;
};

#endif
