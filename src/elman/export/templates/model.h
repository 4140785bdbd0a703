/* MODEL: @ABOUT@
 *
 * Made by `elman export c` (Elman @VERSION@). @LICENCE@
 * The text is the one of `elman generate --seed` with the model of digest
 * @DIGEST@: integer contract @CONTRACT@, choice @CHOICE@.
 *
 * C99. No allocation, no libm, no state but the caller's; weights are constants, so they stay in flash. */
#ifndef MODEL_INCLUDED
#define MODEL_INCLUDED

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  MODEL_V = @V@, /* tokens */
  MODEL_H = @H@, /* units of a layer */
  MODEL_L = @L@, /* layers */
  MODEL_WIDE = @WIDE@ /* bytes of a layer's h: whole groups of eight */
};

/* What a text has left behind. Copy it to go on from the same place twice. */
typedef struct {
  int8_t h[2][@L@][@WIDE@];
  @C@uint8_t half; /* which h is the last */
} MODEL_state;

/* The start of a text. */
void MODEL_begin(MODEL_state *s);
/* Read a token, 0 .. V-1. */
void MODEL_read(MODEL_state *s, int id);
/* Score each token that may come next. */
void MODEL_logits(const MODEL_state *s, float logits[@V@]);

/* A draw from the logits, which are used up. exponent: 1.0f / temperature. u: from MODEL_draw, or @U@. */
int MODEL_choose(float logits[@V@], float exponent, @DRAW@ u);
/* The likeliest token; ties go to the lower id. */
int MODEL_likeliest(const float logits[@V@]);
/* What `elman generate --seed` draws for token `index` of text `stream`, both from 0. */
@DRAW@ MODEL_draw(uint64_t seed, uint64_t stream, uint32_t index);

/* The bytes of a token, not ended by a zero; *size is 0 for one that is never written. */
const char *MODEL_token(int id, int *size);
@ID@
/* 0, or the number of the first check that failed: a golden text and its logits on this very processor. */
int MODEL_self_test(void);

#ifdef __cplusplus
}
#endif
#endif
