// A whole model: its weights, its layers run forward, and its copy for a decoder.
//
// Shapes as in kernels.h, and L layers; the first has I = V, or E where there is an embedding of size E.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels.h"
#include "../team/scratch.h"

namespace elman {

struct LayerWeights {
  float *w_ih, *w_hh, *b_ih, *b_hh;  // biases null, both or neither
};

struct Model {
  int cell;
  int64_t L, V, H;
  std::vector<LayerWeights> layers;  // (L)
  float *w_out, *b_out;              // (V, H), (V) or null
  int64_t E = 0;                     // 0: no embedding
  float* embedding = nullptr;        // (V, E) or null

  int64_t width(int64_t layer) const { return layer ? H : embedding ? E : V; }
  // Every weight: the embedding; layer by layer w_ih, w_hh, b_ih, b_hh; then w_out, b_out. What is null is left out.
  std::vector<float*> weights() const;
  std::vector<int64_t> sizes() const;
  int64_t columns(int64_t weight) const;  // of one of weights(): 1 for a bias
  int64_t weights_per_layer() const { return layers[0].b_ih ? 4 : 2; }
  int64_t first_of(int64_t layer) const { return (embedding ? 1 : 0) + layer * weights_per_layer(); }  // in weights()
};

// Runs the layers alone: hidden (T, B, H), the last one's output; h, c (L, B, H): the states before, and on return those
// after, c null unless LSTM; cells (T, B, H): c of the last layer after each step, or null.
void run_layers(const Model& model, int64_t T, int64_t B, const int64_t* ids, float* h, float* c, float* hidden,
                float* cells);

// A model's weights laid out for reading token by token: a copy, which does not see later changes to them.
struct Packed {
  int cell;
  int64_t L, H, V, E;
  std::vector<DecoderLayer> layers;
  const float *embedding, *w_out, *b_out;
  std::vector<AlignedFloats> memory;
};
Packed pack(const Model& model);

// A hash of all weights: another one where any bit of them has changed.
uint64_t fingerprint(const Model& model);

}  // namespace elman
