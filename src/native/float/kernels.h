// The operations of the native kernel: their arguments, and the table of functions that each instruction set fills in.
//
// Shapes, last axis fastest: T steps, B batch, V vocabulary, I input, H hidden, G gates (RNN 1, GRU 3, LSTM 4).
// All buffers are contiguous float32 (ids: int64), owned by the caller, and none aliases another unless said.
// Functions here are static, or constexpr and inlined: one copy for all instruction sets might be the newest one's.
// Pointers marked "or null" are optional. Sizes and ids were checked at the border (kernels/native.py, python/buffers.cpp).
#pragma once
#include <cstdint>
#include <string>

namespace elman {

// Sizes multiplied; the largest int64_t where that does not fit, which no reservation of memory then meets.
constexpr int64_t product(int64_t a, int64_t b) {
  int64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? INT64_MAX : result;
}
constexpr int64_t product(int64_t a, int64_t b, int64_t c) { return product(product(a, b), c); }

enum Cell : int { RNN_RELU, RNN_TANH, GRU, LSTM };

constexpr int gates_of(int cell) { return cell == LSTM ? 4 : cell == GRU ? 3 : 1; }
// Floats per row and unit that the forward pass saves: LSTM i f g o; GRU r z n and W_hn h + b_hn; RNN nothing.
constexpr int saved_of(int cell) { return cell == LSTM || cell == GRU ? 4 : 0; }

struct Forward {
  int cell;
  int64_t T, B, I, H;
  const int64_t* ids;              // (T, B), or null when x is given
  const float* x;                  // (T, B, I), or null when ids are given
  const float *h0, *c0;            // (B, H); c0 null unless LSTM
  const float *w_ih, *w_hh;        // (GH, I), (GH, H)
  const float *b_ih, *b_hh;        // (GH), or null
  float* out;                      // (T, B, H)
  float *hn, *cn;                  // (B, H); cn null unless LSTM
  float* gates;                    // (T, B, saved * H), or null: nothing is saved
  float* cells;                    // (T, B, H) of c after each step, for LSTM when saving; else null
};

struct Backward {
  int cell;
  int64_t T, B, I, H;
  const int64_t* ids;              // as in Forward, and so to `cells`
  const float* x;
  const float *h0, *c0, *w_ih, *w_hh, *out, *gates, *cells;
  const float *d_out;              // (T, B, H), or null: zeros
  const float *d_hn, *d_cn;        // (B, H), or null: zeros
  float* d_x;                      // (T, B, I), or null: not wanted
  float *d_h0, *d_c0;              // (B, H), or null: not wanted; d_c0 null unless LSTM
  float *d_w_ih, *d_w_hh;          // (GH, I), (GH, H), or null: not wanted
  float *d_b_ih, *d_b_hh;          // (GH), or null: not wanted
  bool accumulate;                 // the sums of the four weight gradients start from what the buffers hold
};

// Rows of an embedding by token id.
struct Embed {
  int64_t T, B, V, E;
  const int64_t* ids;              // (T, B)
  const float* weight;             // (V, E)
  float* x;                        // (T, B, E)
};

// Sums over t decreasing, then b increasing.
struct EmbedBackward {
  int64_t T, B, V, E;
  const int64_t* ids;
  const float* d_x;                // (T, B, E)
  float* d_weight;                 // (V, E)
  bool accumulate;                 // the sums start from what it holds
};

struct Linear {
  int64_t rows, K, N;
  const float *x, *w, *b;          // (rows, K), (N, K), (N) or null
  float* y;                        // (rows, N)
};

// Rows are (T, B); the weight gradients sum over t decreasing, then b increasing.
struct LinearBackward {
  int64_t T, B, K, N;
  const float *x, *w, *d_y;        // (T, B, K), (N, K), (T, B, N)
  float *d_x, *d_w, *d_b;          // each or null: not wanted
  bool accumulate;
};

struct Loss {
  int64_t T, B, H, V;
  const float *hidden, *w, *b;     // (T, B, H), (V, H), (V) or null
  const int64_t* targets;          // (T, B); negative: not counted
  float* nats;                     // (T, B)
  float* mean;                     // (1)
  float* saved;                    // (T, B, V): softmax minus one-hot, or null: backward computes it again
};

struct LossBackward {
  int64_t T, B, H, V;
  const float *hidden, *w, *b;
  const int64_t* targets;
  const float* saved;              // or null, as in Loss
  float d_mean;
  float *d_hidden, *d_w, *d_b;     // each or null: not wanted
  bool accumulate;
  float *nats = nullptr, *mean = nullptr;  // as in Loss, where `saved` is null and no loss went before: or null
};

// A list of tensors, flattened; for updates in place.
struct Tensors {
  int64_t count;
  const int64_t* sizes;            // (count)
  float* const* p;                 // (count) parameters; also the operand of the norm
  float* const* g;                 // (count) gradients
  float *const *m, *const *v;      // (count) Adam's averages, or null
};

constexpr int64_t kChunk = 8192;   // elements; a chunk of a tensor is one thread's
constexpr int64_t chunks_of(int64_t size) { return (size + kChunk - 1) / kChunk; }
static inline int64_t chunks_of(const Tensors& tensors) {
  int64_t chunks = 0;
  for (int64_t i = 0; i < tensors.count; ++i) chunks += chunks_of(tensors.sizes[i]);
  return chunks;
}

// The Euclidean norm of what was squared chunk by chunk: the chunks are added in order.
static inline double norm_of(const double* sums, int64_t chunks) {
  double sum = 0.0;
  for (int64_t c = 0; c < chunks; ++c) sum += sums[c];
  return __builtin_sqrt(sum);
}

struct Adam {
  float beta1, one_minus_beta1, beta2, one_minus_beta2, eps, decay, correction2, step_size, scale;
};

// An update of one weight by Muon: blocks of (rows, columns) under each other, one for each gate, each made orthogonal by
// itself.
struct Muon {
  int64_t blocks, rows, columns;
  float *w, *m;                    // (blocks * rows, columns): the weight and its momentum
  const float* g;                  // its gradient
  float scale;                     // of the gradient, as clipping says
  float momentum, decay, step_size;
};

// A model packed for stepping one token at a time; the buffers belong to the NativeDecoder of kernels/native.py.
struct DecoderLayer {
  const float* packed_hh;          // pack_hh
  const float* b_hn;               // (H) the GRU's b_hh of n, or null
  const float* input;              // layer 0 without an embedding: (V, GH), the pre-activation of each id; else W_ih in panels
  const float* bias;               // (GH), with W_ih in panels
};

struct Decoder {
  int cell;
  int64_t L, B, H, V;
  const DecoderLayer* layers;      // (L)
  const float *w_out, *b_out;      // panels; (V) or null
  float *h, *c;                    // (L, B, H), updated; c null unless LSTM
  float* logits;                   // (B, V) after the last token
  int64_t E = 0;
  const float* embedding = nullptr;  // (V, E), or null: the first layer selects by id
  bool last_first = false;         // in which order the first step reads the weights; each turns it round. For speed alone
};

// How generation chooses, in this order; elman.generation.Sampling says what each does.
struct Choice {
  const float* bias;               // (V) added to the logits, or null
  float penalty;                   // of characters seen; 1: none
  float exponent;                  // < 0: greedy
  int64_t top_k;                   // 0: all
  double top_p, min_p;             // < 0: all
  const double* draws;             // (steps, B) in [0, 1), or null when greedy
  uint8_t* seen;                   // (B, V): 1 for what the prompt or the text has, updated; null unless there is a penalty
  float presence = 0.0f;           // taken from the logits of ids that `counts` has,
  float frequency = 0.0f;          // and this as often as it has them
  int64_t* counts = nullptr;       // (V): how often the row has written each id, updated; null: neither is taken. With `each` alone
  const Choice* each = nullptr;    // (B): what every row has in place of this, where `seen` is the row's (V); null: all have this
  float* trace = nullptr;          // (steps, B, V): the logits before each choice, unchanged; or null
};

// How row b of V ids chooses.
inline Choice choice_of(const Choice& c, int64_t b, int64_t V) {
  Choice own = c.each ? c.each[b] : c;
  if (!c.each && own.seen) own.seen += b * V;
  return own;
}
// Row b's choice at step t, and what it leaves behind; -1 where the logits are not numbers.
template <class Choose>
inline int64_t choose_row(Choose&& choose, const Choice& c, int64_t t, int64_t b, int64_t B, int64_t V, const float* logits,
                          float* memory) {
  Choice own = choice_of(c, b, V);
  int64_t at = t * B + b;
  for (int64_t j = 0; c.trace && j < V; ++j) c.trace[at * V + j] = logits[j];
  int64_t id = choose(own, V, logits, own.seen, c.draws ? c.draws[at] : 0.0, memory), taken = id < 0 ? 0 : id;
  if (own.seen) own.seen[taken] = 1;
  if (own.counts) ++own.counts[taken];
  return id;
}

struct Table {
  const char* isa;
  void (*forward)(const Forward&);
  void (*backward)(const Backward&);
  void (*embed)(const Embed&);
  void (*embed_backward)(const EmbedBackward&);
  void (*linear)(const Linear&);
  void (*linear_backward)(const LinearBackward&);
  void (*loss)(const Loss&);
  void (*loss_backward)(const LossBackward&);
  void (*squares)(const Tensors&, double* sums);  // of the elements of p, chunk by chunk
  void (*sgd)(const Tensors&, float lr, float scale);
  void (*adamw)(const Tensors&, const Adam&);
  void (*muon)(const Muon&);
  void (*average)(const Tensors&, float share);  // m moves to p by this share of what lies between them
  // keep element i iff its Philox word is at least `threshold` (0 .. 2^32)
  void (*dropout)(const float* x, float* y, int64_t parts, int64_t n, uint64_t seed, uint64_t offset, uint64_t threshold, float scale);
  void (*philox)(uint32_t* words, int64_t n, uint64_t seed, uint64_t offset);
  // f: 0 exp, 1 log, 2 tanh, 3 sigmoid
  void (*math)(int f, const float* x, float* y, int64_t n);
  void (*log_softmax)(const float* x, float* y, int64_t rows, int64_t n);
  void (*decoder_pack)(int cell, int64_t I, int64_t H, bool first, const float* w_ih, const float* w_hh, const float* b_ih,
                       const float* b_hh, float* packed_hh, float* input, float* bias);
  void (*decoder_pack_output)(int64_t V, int64_t H, const float* w, float* packed);
  void (*decoder_read)(const Decoder&, int64_t T, const int64_t* ids);
  bool (*decoder_generate)(const Decoder&, int64_t steps, const Choice&, int64_t* ids);
  int64_t (*choose)(const Choice&, int64_t V, const float* logits, const uint8_t* seen, double u, float* memory);
  double (*fma_peak)(int64_t rounds);  // floating-point operations done by all threads
};

// Floats in the packed form of a matrix of N columns and K rows.
constexpr int64_t packed_size(int64_t N, int64_t K) { return product(N / 32 + (N % 32 != 0), 32, K); }
// The same of W_hh (GH, H): for the GRU, r and z together and n apart, because they start from different biases.
constexpr int64_t packed_hh_size(int cell, int64_t H) {
  if (cell != GRU) return packed_size(product(gates_of(cell), H), H);
  int64_t r_and_z = packed_size(product(2, H), H), n = packed_size(H, H);
  return r_and_z > INT64_MAX - n ? INT64_MAX : r_and_z + n;
}

// The table in use: on first use the one that ELMAN_ISA names where this machine runs it, else the processor's best.
const Table& kernels();
// Choose by name. Returns what is wrong with it, and lists what this machine can run; nothing where it was chosen.
std::string set_isa(const char* name);
// What is wrong with ELMAN_ISA, where that chooses: whoever calls kernels() first says so. Else nothing.
std::string refused_isa();
// The best instruction set of this processor; never null.
const char* best_isa();

}  // namespace elman
