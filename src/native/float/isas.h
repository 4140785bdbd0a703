// The choice of an instruction set by its name, of the kernels in float and of those in integers.
#pragma once
#include <cstring>
#include <stdexcept>
#include <string>

namespace elman {

// The table of that name among `count` candidates, of those that run here. Throws std::runtime_error, which says which do.
// variable: where the name came from.
template <class Candidate>
auto table_named(const Candidate* all, int count, const char* name, const char* variable) {
  std::string names;
  for (int i = 0; i < count; ++i) {
    if (!all[i].runs) continue;
    if (!std::strcmp(all[i].table->isa, name)) return all[i].table;
    names += std::string(names.empty() ? "" : ", ") + all[i].table->isa;
  }
  throw std::runtime_error(std::string(variable) + " is '" + name + "'; this machine can run " + names);
}

}  // namespace elman
