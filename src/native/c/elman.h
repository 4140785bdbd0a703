/* libelman's interface in C. Every function that can fail returns 0, or another number with elman_error() saying why; none
 * throws. Buffers are the caller's, contiguous, the last axis fastest, none overlapping another. Memory that cannot be had
 * ends the process.
 *
 * Shapes: T steps, B batch, I input, H hidden, V vocabulary, G gates. Gate order is torch's: GRU r z n; LSTM i f g o. */
#ifndef ELMAN_H
#define ELMAN_H

#include <stdint.h>

#if defined(_WIN32)
#define ELMAN_API __declspec(dllexport)
#else
#define ELMAN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define ELMAN_ABI 1                        /* goes up where a declaration below changes */

enum elman_cell { ELMAN_RNN_RELU, ELMAN_RNN_TANH, ELMAN_GRU, ELMAN_LSTM };

ELMAN_API int32_t elman_abi(void);         /* ELMAN_ABI of the library */
ELMAN_API const char* elman_version(void); /* of Elman, such as "0.4.0" */
ELMAN_API const char* elman_error(void);   /* what was wrong with this thread's last call that failed; "" if none has */

/* The instruction set that serves: the processor's best, or what the environment's ELMAN_ISA names. The bits are the same. */
ELMAN_API const char* elman_isa(void);
ELMAN_API int elman_set_isa(const char* name);
ELMAN_API int32_t elman_threads(void);     /* at most so many; 1 in a library without threads */
ELMAN_API int elman_set_threads(int32_t n); /* 1 .. 1024 */

/* One recurrent layer. */
typedef struct elman_layer {
  int32_t cell;                            /* an elman_cell */
  int64_t T, B, I, H;
  const int64_t* ids;                      /* (T, B) in 0 .. I-1, or null when x is given */
  const float* x;                          /* (T, B, I), or null when ids are given */
  const float *h0, *c0;                    /* (B, H); c0 of an LSTM, else null */
  const float *w_ih, *w_hh;                /* (G H, I), (G H, H) */
  const float *b_ih, *b_hh;                /* (G H), or both null */
} elman_layer;

/* out (T, B, H): h after each step. hn, cn (B, H): the states after the last; cn of an LSTM, else null. For elman_backward:
 * gates (T, B, 4 H) of a GRU or an LSTM and cells (T, B, H) of an LSTM; or null. */
ELMAN_API int elman_forward(const elman_layer* layer, float* out, float* hn, float* cn, float* gates, float* cells);

/* What elman_forward returned, and the gradients of its results; each of d_out (T, B, H), d_hn, d_cn (B, H) null for zeros. */
typedef struct elman_gradients {
  const float *out, *gates, *cells;
  const float *d_out, *d_hn, *d_cn;
  float* d_x;                              /* (T, B, I), or null; null where ids are given */
  float *d_h0, *d_c0;                      /* (B, H), or null */
  float *d_w_ih, *d_w_hh, *d_b_ih, *d_b_hh; /* as the weights, or null */
} elman_gradients;
ELMAN_API int elman_backward(const elman_layer* layer, const elman_gradients* gradients);

/* The mean cross-entropy in nats of softmax(hidden w^T + b) with the targets, and that of each. hidden (T, B, H), w (V, H), b
 * (V) or null, targets (T, B) in 0 .. V-1, or -1: not counted; nats (T, B), mean (1). */
ELMAN_API int elman_cross_entropy(int64_t T, int64_t B, int64_t H, int64_t V, const float* hidden, const float* w,
                                  const float* b, const int64_t* targets, float* nats, float* mean);

#ifdef __cplusplus
}
#endif
#endif
