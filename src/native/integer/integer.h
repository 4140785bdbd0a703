// The integer model's kernels: their arguments, and the table of functions that each instruction set fills in. What they
// compute is defined, bit by bit, in src/elman/kernels/integer.py; why it is exact, in docs/explanation/arithmetic.md.
//
// Shapes, last axis fastest: T steps, B batch, V vocabulary, K terms of a sum, N sums, H hidden, G gates, L layers.
//
// Inside, H and V are padded to whole blocks of 32 units, P blocks of H and Q of V, with zero weights, so no loop
// has a tail. The columns of a layer's products lie block by block: block u has its G gates one after another, 32 columns
// of each. So one thread computes all that the units of a block need and goes on to their pointwise part at once.
#pragma once
#include <cstdint>

#include "../float/kernels.h"

namespace elman::integer {

constexpr int64_t kUnits = 32;
constexpr int64_t blocks_of(int64_t size) { return (size + kUnits - 1) / kUnits; }
constexpr int64_t padded(int64_t size) { return blocks_of(size) * kUnits; }

// A matrix (N, K) of int8 in panels of 32 columns, each with all its K, which is padded too. An instruction set has its
// own order inside a panel: `pack` makes it. Weights of 4 bits stay two in a byte, for one stream waits for memory.
struct Weights {
  const int8_t* packed;            // (N / 32 panels, 32 K); of 4 bits: (N / 32 panels, 16 K)
  const int32_t* start;            // (N) what a sum starts from: makes up for unsigned operands; or null
  const float* scale;              // (N)
};

struct Layer {
  Weights ih, hh;                  // ih: null in layer 0
  const int32_t* bias;             // (P, G, 32); layer 0: null, since `inputs` has it
  const int32_t* bias_hn;          // (P, 32) the GRU's b_hh of n, else null
};

// Everything belongs to the network of bindings_integer.cpp and is only read.
struct Network {
  int cell, bits;                  // of a weight, as stored: 8 or 4
  int64_t L, H, V;
  const Layer* layers;             // (L)
  const int32_t* inputs;           // (V, P, G, 32): layer 0's pre-activations from each id, bias included
  Weights output;
  const float* output_bias;        // (Q, 32)
};

// B rows of a network that read. `memory` is one caller's at a time.
struct Rows {
  const Network* network;
  int64_t B;
  int threads;                     // at most; `memory` has room for so many
  int8_t* h;                       // (L, B, H), updated
  int16_t* c;                      // (L, B, H), updated; null for an RNN
  void* memory;                    // memory_of(network, B, threads) bytes, 64-byte aligned
  int64_t (*choose)(const Choice&, int64_t V, const float* logits, const uint8_t* seen, double u, float* memory);
};

struct Table {
  const char* isa;
  bool starts;                     // `pack` writes what sums start from
  bool nibbles;                    // weights of 4 bits are kept two in a byte; else each in one, as with 8
  int64_t (*memory_of)(const Network&, int64_t B, int threads);
  // q (N, K) in panels: by blocks of units, N = G H, where H > 0; else in the order of its rows, G = N. packed:
  // (blocks * gates * 32, padded K) of 8 or 4 `bits`; start: one of each column, or null where the table has no `starts`.
  void (*pack)(int bits, const int8_t* q, int64_t G, int64_t H, int64_t K, int8_t* packed, int32_t* start);
  // Read ids (T, B). logits: (T, B, V) after each step if `all`, else (B, V) after the last; or null.
  // nats (T, B): what targets (T, B) cost after each step; or null.
  void (*read)(const Rows&, int64_t T, const int64_t* ids, float* logits, bool all, const int64_t* targets, double* nats);
  // Choose and read `steps` ids, from logits (B, V), which are updated. False where the choice met no number.
  bool (*generate)(const Rows&, int64_t steps, const Choice&, float* logits, int64_t* ids);
  // f: 0 sigmoid, 1 tanh, int16 to int16.
  void (*function)(int f, const int16_t* x, int16_t* y, int64_t n);
  void (*nats)(const float* logits, const int64_t* targets, double* nats, int64_t rows, int64_t V);
  void (*log_softmax)(const float* logits, double* to, int64_t rows, int64_t V);  // both (rows, V), V > 0
  void (*weights)(const float* logits, int32_t* to, int64_t V);  // exp(x - max x) in 2^-30, V > 0
  int64_t (*peak)(int64_t rounds);  // multiplications of int8 done by all threads
};

// As kernels(), set_isa() and refused_isa() of the float kernels; the variable is ELMAN_INTEGER_ISA, and "" the best.
const Table& integer_kernels();
std::string set_isa(const char* name);
std::string refused_isa();

}  // namespace elman::integer
