// Which instruction set serves: the best that the processor has, or the one that ELMAN_ISA names.
#include <atomic>
#include <cstdlib>

#include "../team/isas.h"
#include "../team/processor.h"
#include "kernels.h"

namespace elman {

#if defined(ELMAN_X86)
namespace avx512 { extern const Table table; }
namespace avx2 { extern const Table table; }
#elif defined(ELMAN_ARM)
namespace neon { extern const Table table; }
#endif
namespace portable { extern const Table table; }

namespace {

struct Candidate {
  const Table* table;
  bool runs;
};

// Best first.
const Candidate* candidates(int& count) {
  static const Candidate all[] = {
#if defined(ELMAN_X86)
      {&avx512::table, processor().avx512f && processor().avx512dq},
      {&avx2::table, processor().avx2 && processor().fma},
#elif defined(ELMAN_ARM)
      {&neon::table, true},
#endif
      {&portable::table, true},
  };
  count = int(sizeof all / sizeof *all);
  return all;
}

std::atomic<const Table*> chosen{nullptr};

}  // namespace

const char* best_isa() {
  int count;
  return best_table(candidates(count))->isa;
}

std::string set_isa(const char* name) {
  int count;
  const Candidate* all = candidates(count);
  const Table* table = table_named(all, count, name);
  if (!table) return refusal(all, count, name, "ELMAN_ISA");
  chosen.store(table);
  return {};
}

std::string refused_isa() {
  int count;
  const Candidate* all = candidates(count);
  const char* name = std::getenv("ELMAN_ISA");
  if (chosen.load() || !name || !*name || table_named(all, count, name)) return {};
  return refusal(all, count, name, "ELMAN_ISA");
}

const Table& kernels() {
  const Table* table = chosen.load(std::memory_order_acquire);
  if (!table) {
    int count;
    const Candidate* all = candidates(count);
    const char* name = std::getenv("ELMAN_ISA");
    table = name ? table_named(all, count, name) : nullptr;
    if (!table) table = best_table(all);
    if (refused_isa().empty()) chosen.store(table);
  }
  return *table;
}

}  // namespace elman
