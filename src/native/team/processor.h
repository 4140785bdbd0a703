// The vector instructions that the processor has and the operating system saves. By cpuid, and not by __builtin_cpu_supports,
// whose answers come from a run-time library: Zig's says no to everything, and Clang for Windows may link none.
#pragma once
#if defined(__x86_64__)
#include <cpuid.h>

namespace elman {

struct Processor {
  bool avx2 = false, fma = false, bmi = false, bmi2 = false, avxvnni = false;
  bool avx512f = false, avx512dq = false, avx512bw = false, avx512vl = false, avx512vnni = false;
};

// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID; volume 1, 14.3 and 15.3.
inline Processor read_processor() {
  Processor has;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return has;  // OSXSAVE
  const bool fma = c >> 12 & 1;
  unsigned saved, high;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  const bool ymm = (saved & 0x06) == 0x06;
#if defined(__APPLE__)
  const bool zmm = ymm;  // macOS saves the registers of AVX-512 from their first use on, and says so only then
#else
  const bool zmm = ymm && (saved & 0xe0) == 0xe0;
#endif
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return has;
  has.fma = ymm && fma;
  has.avx2 = ymm && (b >> 5 & 1);
  has.bmi = b >> 3 & 1;
  has.bmi2 = b >> 8 & 1;
  has.avx512f = zmm && (b >> 16 & 1);
  has.avx512dq = zmm && (b >> 17 & 1);
  has.avx512bw = zmm && (b >> 30 & 1);
  has.avx512vl = zmm && (b >> 31 & 1);
  has.avx512vnni = zmm && (c >> 11 & 1);
  has.avxvnni = has.avx2 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
  return has;
}

inline const Processor& processor() {
  static const Processor has = read_processor();
  return has;
}

}  // namespace elman
#endif
