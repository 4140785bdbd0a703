/* A typist in C: the distribution of the next symbol of an alphabet, for keyboards, Dasher and scanning boards, which learns from
 * its writer. What `elman.Typist` computes, over the models of elman.h, whose rules for errors and null hold here too.
 *
 * A symbol is its place in the alphabet. Copies of a typist share the model and what was learned; each is at its own place in a
 * text. They, and the model, are one thread's at a time, and the model must outlive them. */
#ifndef ELMAN_TYPIST_H
#define ELMAN_TYPIST_H

#include "elman.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct elman_typist elman_typist;

typedef struct elman_typing {
  double floor;                            /* the smallest probability of a symbol */
  int32_t width;                           /* ways to cut what was typed into tokens that are followed; 0: all */
  double least;                            /* share of all ways below which one is dropped, such as 1e-4; 0 with a width of 0 */
} elman_typing;

/* A typist at the begin of a line. symbols: `count` of them, at least two, each one character in UTF-8, ended by a zero. One of
 * them may be "\n", which ends a line. */
ELMAN_API elman_typist* elman_typist_new(const elman_model* model, const char* const* symbols, int32_t count,
                                         const elman_typing* how);
/* Mix in n-grams of a training text, from the bytes of the file that elman.typing.prime makes; before anything is copied, entered
 * or learned. The bytes are no longer needed afterwards. */
ELMAN_API int elman_typist_prime(elman_typist* typist, const void* bytes, int64_t size);
ELMAN_API elman_typist* elman_typist_copy(const elman_typist* typist);
ELMAN_API void elman_typist_free(elman_typist* typist);

/* Read a symbol. */
ELMAN_API int elman_typist_enter(elman_typist* typist, int32_t symbol);
/* Read `size` bytes of UTF-8: characters outside the alphabet are context too, and "\n" begins a line. */
ELMAN_API int elman_typist_read(elman_typist* typist, const char* text, int64_t size);

/* What comes next. (count) each: probabilities, which add up to 1; or frequencies of at least 1, which add up to `total`. */
ELMAN_API int elman_typist_probabilities(elman_typist* typist, double* p);
ELMAN_API int elman_typist_frequencies(elman_typist* typist, uint32_t total, uint32_t* frequencies);

/* Learn that `symbol` came next, for this typist and all its copies, and read it. */
ELMAN_API int elman_typist_learn(elman_typist* typist, int32_t symbol);
/* Forget what was learned, in all copies. */
ELMAN_API int elman_typist_forget(elman_typist* typist);

#ifdef __cplusplus
}
#endif
#endif
