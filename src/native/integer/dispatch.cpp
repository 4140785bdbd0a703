// Which integer kernels serve: the best that the processor has, or what ELMAN_INTEGER_ISA names. Each candidate is here
// where CMake built it (ELMAN_INTEGER_...).
#include <atomic>
#include <cstdlib>

#include "../team/isas.h"
#include "../team/processor.h"
#include "integer.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace elman::integer {

namespace avx512vnni { extern const Table table; }
namespace avxvnni { extern const Table table; }
namespace avx2 { extern const Table table; }
namespace neondot { extern const Table table; }
namespace neon { extern const Table table; }
namespace wasm { extern const Table table; }
namespace portable { extern const Table table; }

namespace {

#if defined(ELMAN_INTEGER_NEONDOT)
bool has_dot() {
#if defined(__linux__)
  return getauxval(AT_HWCAP) >> 20 & 1;  // HWCAP_ASIMDDP
#elif defined(__APPLE__)
  return true;
#else
  return false;
#endif
}
#endif

struct Candidate {
  const Table* table;
  bool runs;
};

// Best first.
const Candidate* candidates(int& count) {
  static const Candidate all[] = {
#if defined(ELMAN_INTEGER_AVX512VNNI)
      {&avx512vnni::table, processor().avx512vnni && processor().avx512bw && processor().avx512dq && processor().avx512vl},
#endif
#if defined(ELMAN_INTEGER_AVXVNNI)
      {&avxvnni::table, processor().avxvnni},
#endif
#if defined(ELMAN_INTEGER_AVX2)
      {&avx2::table, processor().avx2},
#endif
#if defined(ELMAN_INTEGER_NEONDOT)
      {&neondot::table, has_dot()},
#endif
#if defined(ELMAN_INTEGER_NEON)
      {&neon::table, true},
#endif
#if defined(ELMAN_INTEGER_WASM)
      {&wasm::table, true},  // a module has SIMD or is not valid
#else
      {&portable::table, true},
#endif
  };
  count = int(sizeof all / sizeof *all);
  return all;
}

std::atomic<const Table*> chosen{nullptr};

}  // namespace

std::string set_isa(const char* name) {
  int count;
  const Candidate* all = candidates(count);
  const Table* table = *name ? table_named(all, count, name) : best_table(all);
  if (!table) return refusal(all, count, name, "ELMAN_INTEGER_ISA");
  chosen.store(table);
  return {};
}

std::string refused_isa() {
  int count;
  const Candidate* all = candidates(count);
  const char* name = std::getenv("ELMAN_INTEGER_ISA");
  if (chosen.load() || !name || !*name || table_named(all, count, name)) return {};
  return refusal(all, count, name, "ELMAN_INTEGER_ISA");
}

const Table& integer_kernels() {
  const Table* table = chosen.load(std::memory_order_acquire);
  if (!table) {
    int count;
    const Candidate* all = candidates(count);
    const char* name = std::getenv("ELMAN_INTEGER_ISA");
    table = name ? table_named(all, count, name) : nullptr;
    if (!table) table = best_table(all);
    if (refused_isa().empty()) chosen.store(table);
  }
  return *table;
}

}  // namespace elman::integer
