// What a processor does with bytes, 16-bit and 32-bit lanes. Instruction sets differ only here: each has a file in lanes/,
// with the same functions.
//
//   Product: `dot(sum, w, x)` adds to each of kColumns int32 sums the products of kGroup int8 weights and operands. The
//   operands of a row are bytes or words, as `dot` takes them (`Operand`); a group of them is the same for all
//   columns. No instruction here saturates: vpdpbusd adds four products to an int32, vpmaddwd two.
//   Words: W int16 lanes, one register, for the pointwise part: saturating sums and rounded products (`rounded`:
//   (a b + 2^14) >> 15). Conversions between int32 and float32 round to nearest, ties to even.
//
// Included once for each instruction set, inside namespace elman::integer::ISA.
#pragma once

#if defined(ELMAN_AVX512VNNI)
#include "lanes/avx512vnni.h"
#elif defined(ELMAN_AVX2) || defined(ELMAN_AVXVNNI)
#include "lanes/avx2.h"
#elif defined(ELMAN_NEON) || defined(ELMAN_NEONDOT)
#include "lanes/neon.h"
#elif defined(ELMAN_WASM)
#include "lanes/wasm.h"
#else
#include "lanes/portable.h"
#endif

// Where term s of column j lies in the 32 `group` bytes of a group of terms.
inline int64_t place(int64_t group, int64_t j, int64_t s) {
  int64_t vector = j / kColumns * kColumns * group, column = j % kColumns;
#if defined(ELMAN_NEON)
  return vector + s / 2 * 16 + column * 2 + s % 2;
#else
  return vector + column * group + s;
#endif
}

// A value that the compiler knows nothing of: for measuring.
inline void opaque(Input& x) {
#if defined(ELMAN_EMULATED)  // by tests, in plain C
  asm volatile("" : "+m"(x));
#elif defined(ELMAN_AVX512VNNI)
  asm volatile("" : "+v"(x));
#elif defined(ELMAN_AVX2) || defined(ELMAN_AVXVNNI)
  asm volatile("" : "+x"(x));
#elif defined(ELMAN_NEONDOT)
  asm volatile("" : "+w"(x));
#elif defined(ELMAN_NEON)
  asm volatile("" : "+w"(x.first), "+w"(x.second));
#elif defined(ELMAN_WASM)
  asm volatile("" : "+r"(x));
#else
  asm volatile("" : "+m"(x));
#endif
}
