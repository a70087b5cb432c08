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

// Plans the tables of from, or places them.
void lay_out(const GrammarTables& from, GrammarTables& to, Region& region) {
  for_each_table(from, to, [&](const auto* table, auto& place, int64_t count) {
    place = region.take<std::remove_const_t<std::remove_pointer_t<decltype(table)>>>(count);
  });
}

}  // namespace

int64_t GrammarOnGpu::bytes(const GrammarTables& from) {
  Region region("tables of the grammar");
  GrammarTables planned = from;
  lay_out(from, planned, region);
  return region.bytes();
}

GrammarOnGpu::GrammarOnGpu(const std::shared_ptr<Session>& session, const GrammarTables& from) : tables_(from) {
  const auto check = [&](int code) { session->check(code, "a copy of the grammar"); };
  const auto copy = [&](const auto* table, const auto* to, int64_t count) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(table)>>;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    if (bytes > 0) check(session->table().upload(session->context(), const_cast<T*>(to), table, bytes));
  };
  lay_out(from, tables_, region_);
  region_.reserve(session);
  lay_out(from, tables_, region_);
  for_each_table(from, tables_, copy);
  check(session->table().wait(session->context()));
  tables_.run = nullptr;
  tables_.runs = 0;
}

}  // namespace syn::gpu
