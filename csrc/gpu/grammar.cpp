// The list of a grammar's tables, walked once to plan, once to place and once to copy them.
#include "gpu/grammar.h"

#include <type_traits>

namespace syn::gpu {
namespace {

// visit(table of the host, the same of the device, elements) for every table that the sampler reads.
template <class Visit>
void for_each_table(const GrammarTables& from, GrammarTables& to, Visit&& visit) {
  const int64_t cells = int64_t{from.states} * from.classes;
  visit(from.token_class, to.token_class, from.vocab);
  visit(from.token_order, to.token_order, from.vocab);
  visit(from.class_rule, to.class_rule, from.classes);
  visit(from.class_role, to.class_role, from.classes);
  visit(from.next, to.next, cells);
  visit(from.forget, to.forget, cells);
  visit(from.distance, to.distance, from.states);
  visit(from.knot_start, to.knot_start, int64_t{from.vocab} + 1);
  visit(from.knots, to.knots, from.knot_start[from.vocab]);
}

}  // namespace

GrammarOnGpu::GrammarOnGpu(const std::shared_ptr<Session>& session, const GrammarTables& from) : tables_(from) {
  const auto check = [&](int code) { session->check(code, "a copy of the grammar"); };
  const auto place = [&](const auto* table, auto& to, int64_t count) {
    to = region_.take<std::remove_const_t<std::remove_pointer_t<decltype(table)>>>(count);
  };
  const auto copy = [&](const auto* table, const auto* to, int64_t count) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(table)>>;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    if (bytes > 0) check(session->table().upload(session->context(), const_cast<T*>(to), table, bytes));
  };
  for_each_table(from, tables_, place);
  region_.reserve(session);
  for_each_table(from, tables_, place);
  for_each_table(from, tables_, copy);
  check(session->table().wait(session->context()));
  tables_.run = nullptr;
  tables_.runs = 0;
}

}  // namespace syn::gpu
