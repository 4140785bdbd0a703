// What training has beyond a model: where its weights begin, and which of them are matrices between hidden units.
#pragma once
#include "../float/step.h"

namespace elman::c {

// Of Model::weights()[i]: the layer, L for the output's, and which of its weights; layer -1: the embedding.
struct Place {
  int64_t layer, part;
};
inline Place place_of(const Model& model, int64_t i) {
  i -= model.first_of(0);
  return i < 0 ? Place{-1, 0} : Place{i / model.weights_per_layer(), i % model.weights_per_layer()};
}
inline bool is_bias(const Model& model, int64_t i) {
  Place at = place_of(model, i);
  return at.part >= (at.layer == model.L ? 1 : 2);
}
// Neither what tokens are looked up in, which is the first, nor the output's, nor a bias.
inline bool between_units(const Model& model, int64_t i) {
  return i > 0 && !is_bias(model, i) && place_of(model, i).layer < model.L;
}

// The initial weights of a seed; std 0: uniform.
void initialise(const Model& model, uint64_t seed, double std);

}  // namespace elman::c
