// The choice of an instruction set by its name, of the kernels in float and of those in integers.
#pragma once
#include <cstring>
#include <string>

namespace elman {

// The table of that name among `count` candidates, of those that run here; or null.
template <class Candidate>
auto table_named(const Candidate* all, int count, const char* name) -> decltype(all->table) {
  for (int i = 0; i < count; ++i)
    if (all[i].runs && !std::strcmp(all[i].table->isa, name)) return all[i].table;
  return nullptr;
}

// The best first; the last one runs everywhere.
template <class Candidate>
auto best_table(const Candidate* all) {
  while (!all->runs) ++all;
  return all->table;
}

// Why `name`, from this variable, cannot serve.
template <class Candidate>
std::string refusal(const Candidate* all, int count, const char* name, const char* variable) {
  std::string names;
  for (int i = 0; i < count; ++i)
    if (all[i].runs) names += std::string(names.empty() ? "" : ", ") + all[i].table->isa;
  return std::string(variable) + " is '" + name + "'; this machine can run " + names;
}

}  // namespace elman
