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

#define ELMAN_ABI 2                        /* goes up where a declaration below changes */

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

/* ---- models ----
 *
 * A model is opened from the bytes of a plain container, which Python's `elman export plain` writes and which are no longer needed
 * afterwards. Any number of threads may use one; a state is one thread's at a time, and must be freed before its model is closed.
 * What returns a pointer returns null where it failed. */
typedef struct elman_model elman_model;
typedef struct elman_state elman_state;

ELMAN_API elman_model* elman_open(const void* bytes, int64_t size);
ELMAN_API void elman_close(elman_model* model);

enum elman_tokens { ELMAN_CHARACTERS, ELMAN_BYTES, ELMAN_SUBWORDS };
typedef struct elman_facts {
  int32_t cell, layers, hidden, vocab;
  int32_t embedding;                       /* its size, or 0 */
  int32_t bits;                            /* of a weight: 32 of floats; 8, 6, 5 or 4 */
  int32_t start;                           /* the id that is read before a text */
  int32_t tokens;                          /* an elman_tokens */
  int32_t normalisation;                   /* 1: a text is lower-cased and its white space collapsed before it is encoded */
  int32_t records;                         /* 1: each line is a text by itself */
} elman_facts;
ELMAN_API int elman_facts_of(const elman_model* model, elman_facts* facts);

/* The bytes of an id, not ended by a zero; *size is 0 where it is never written. They belong to the model. */
ELMAN_API const char* elman_token(const elman_model* model, int64_t id, int64_t* size);
/* The ids of a text of `size` bytes, in UTF-8 where tokens are characters; ids has room for `size`. How many, or -1. A character
 * that the model does not know is 0. Subwords have to be encoded elsewhere. */
ELMAN_API int64_t elman_encode(const elman_model* model, const char* text, int64_t size, int64_t* ids);

/* A text that has begun: `start` is read. */
ELMAN_API elman_state* elman_state_new(const elman_model* model);
ELMAN_API elman_state* elman_state_copy(const elman_state* state);
ELMAN_API void elman_state_free(elman_state* state);

ELMAN_API int elman_step(elman_state* state, int64_t id);
ELMAN_API int elman_read(elman_state* state, const int64_t* ids, int64_t count);

/* The hidden state of a layer, 0 .. layers-1, after all that was read, (H): to look at. A quantised model has it in 1/127; that of a
 * quantised ReLU RNN is a share of each unit's range. */
ELMAN_API int elman_hidden(const elman_state* state, int32_t layer, float* hidden);

/* What may come next. (V) each. A probability is a weight in 2^-30 over the sum of all, so the same bits everywhere; frequencies
 * are at least 1 each, sum to `total`, and are what an arithmetic coder or Dasher takes. */
ELMAN_API int elman_logits(const elman_state* state, float* logits);
ELMAN_API int elman_distribution(const elman_state* state, double* p);
ELMAN_API int elman_frequencies(const elman_state* state, uint32_t total, uint32_t* frequencies);

/* temperature: 0 is greedy. top_k: 0 for all. top_p: 0 for all. A draw depends on seed, stream and index alone; they count from 0
 * in the text of `elman generate --seed`. */
typedef struct elman_sampling {
  double temperature;
  int64_t top_k;
  double top_p;
  uint64_t seed, stream;
} elman_sampling;
ELMAN_API int elman_draw(const elman_state* state, const elman_sampling* how, int64_t index, int64_t* id);
/* Draw `count` ids from draw `index` on, and read each. */
ELMAN_API int elman_generate(elman_state* state, const elman_sampling* how, int64_t index, int64_t count, int64_t* ids);

/* Read ids: what each costs after those before it, in nats. */
ELMAN_API int elman_score(elman_state* state, const int64_t* ids, int64_t count, double* nats);

/* ---- messages ----
 *
 * Short texts, each coded alone, without header or length: the codes of `elman message encode`. The model, of bytes or of characters,
 * stays until the codec is freed; null: contexts alone. past: other messages, each with a line end, which teach the coder; it takes
 * some megabytes, and its reading a moment. Any number of threads may use one codec. */
typedef struct elman_codec elman_codec;
ELMAN_API elman_codec* elman_codec_new(const elman_model* model, const void* past, int64_t size);
ELMAN_API void elman_codec_free(elman_codec* codec);
/* How many bytes the code of a message has, or -1. It is written where `room` is enough for it; size + 1 always is. */
ELMAN_API int64_t elman_codec_encode(const elman_codec* codec, const void* message, int64_t size, void* code, int64_t room);
/* How many bytes the message of a code has; -1 where no message of at most `room` bytes has it. Of another model or past it is another. */
ELMAN_API int64_t elman_codec_decode(const elman_codec* codec, const void* code, int64_t size, void* message, int64_t room);

/* ---- training ----
 *
 * A step has the bits of `elman train`: the layers forward, the loss, the layers backward, clipping by the norm of all gradients,
 * and the update. A trainer is one thread's at a time; the library's threads share its step. */
typedef struct elman_trainer elman_trainer;
typedef struct elman_shape {
  int32_t cell, layers, hidden, vocab;     /* cell: an elman_cell */
  int32_t embedding;                       /* size of the vectors that tokens are looked up as, or 0 */
} elman_shape;

/* Weights of this shape, all of them 0. */
ELMAN_API elman_trainer* elman_trainer_new(const elman_shape* shape);
ELMAN_API void elman_trainer_free(elman_trainer* trainer);
/* The initial weights of a seed: from N(0, std), and biases 0; std 0: all uniform in +-1/sqrt(H). */
ELMAN_API int elman_initialise(elman_trainer* trainer, uint64_t seed, double std);
/* The weights of number `index`, to be read or written between steps, and how many there are; null past the last. In the order of
 * torch's names: the embedding; of each layer w_ih, w_hh, b_ih, b_hh; of the output w (V, H) and b (V). */
ELMAN_API float* elman_trainer_weight(elman_trainer* trainer, int64_t index, int64_t* size);

enum elman_optimizer { ELMAN_SGD, ELMAN_ADAM, ELMAN_MUON }; /* ADAM: AdamW, or Adam without decay; MUON: AdamW for the rest */
typedef struct elman_update {
  int32_t optimizer;                       /* an elman_optimizer, the same in every step */
  double lr, clip, weight_decay;           /* clip: the largest norm of the whole gradient, or 0 for none */
  double average;                          /* what a step keeps of an average of the weights, 0 .. 1; 0: there is none */
  double dropout, hidden_dropout, output_dropout, weight_dropout; /* shares that are dropped, as a recipe of Elman has them */
  uint64_t seed;                           /* of what is dropped */
} elman_update;

/* A step on ids and targets (T, B), a target one token ahead of its id or -1, which does not count. The state goes on from the step
 * before, or from zeros if `fresh`; where fewer rows come, the first of it. loss: the mean in nats before the update; norm: of the
 * whole gradient before clipping. Where one of them is not finite the step fails, and the weights stay. */
ELMAN_API int elman_train_step(elman_trainer* trainer, int64_t T, int64_t B, const int64_t* ids, const int64_t* targets, int32_t fresh,
                               const elman_update* how, double* loss, double* norm);
/* The average and the weights change places; nothing happens where none is kept. */
ELMAN_API int elman_trainer_swap(elman_trainer* trainer);
/* The container of the weights: how many bytes it has, or -1. It is written where `room` is enough for it. Of `facts` start, tokens,
 * normalisation and records count; token v's bytes are token_bytes[token_at[v]] .. token_bytes[token_at[v + 1] - 1]. */
ELMAN_API int64_t elman_trainer_container(elman_trainer* trainer, const elman_facts* facts, const uint32_t* token_at,
                                          const char* token_bytes, void* to, int64_t room);
/* Word `index` of a random stream, Philox4x64-10 under the key (seed, use) as NumPy's: what decides an epoch's order in Python. */
ELMAN_API uint64_t elman_random(uint64_t seed, uint64_t use, uint64_t index);

#ifdef __cplusplus
}
#endif
#endif
