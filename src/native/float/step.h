// A step of a model's training: every layer forward, the loss, every layer backward, norms, clip and update, in one call.
// It strings the operations of kernels.h together, so its bits are theirs. Shapes as in model.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model.h"

namespace elman {

// What a step drops: shares, 0 for none. The masks follow each other in the stream from `offset`, with a share of 0 left
// out: of the inputs of layers 1 .. L-1, (T, B, H) each; of the same, (B, H) each, one for all steps; of the last output,
// (B, H), one for all steps; of the recurrent weights of every layer, (GH, H) each.
struct Dropout {
  double p;
  uint64_t seed, offset;
  double hidden = 0.0, output = 0.0, weights = 0.0;
};

// One mask: element i of x is kept iff word offset + i of the seed's stream is at least p 2^32, and scaled by 1 / (1 - p).
struct Mask {
  uint64_t seed, offset, threshold;
  float scale;
  void apply(const float* x, float* y, int64_t size) const { apply_to_all(x, y, 1, size); }
  // The same mask for each of T parts.
  void apply_to_all(const float* x, float* y, int64_t T, int64_t size) const {
    kernels().dropout(x, y, T, size, seed, offset, threshold, scale);
  }
};
Mask mask(double p, uint64_t seed, uint64_t offset);

// What an AdamW step is computed with: `step` counts from 1, and corrects the averages for having begun at zero.
Adam adam_numbers(int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay, float scale);

// Memory of a step, kept from one to the next.
class Workspace {
 public:
  float* floats(std::size_t slot, int64_t count);  // valid until the slot is asked for more

 private:
  std::vector<AlignedFloats> slots_;
};

struct Batch {
  int64_t T, B;
  const int64_t *ids, *targets;      // (T, B); a target of -1 is not counted
  float *h, *c;                      // (L, B, H): the states before, and on return those after; c null unless LSTM
};

// The mean loss in nats; grads: of `weights()`, in that order; nats (T, B): the loss of each, or null.
float loss_and_grads(const Model& model, Workspace& memory, const Batch& batch, const Dropout& dropout,
                     const std::vector<float*>& grads, float* nats = nullptr);

// The factor that gives Muon's update of a (rows, columns) block, whose singular values are 1, the size of one of Adam's.
double muon_factor(int64_t rows, int64_t columns);

struct Update {
  bool adam;                         // else SGD
  double lr, weight_decay, clip;     // clip: 0 for none
  double beta1, beta2, eps;
  int64_t step;                      // from 1
  std::vector<float*> m, v;          // Adam's averages of every weight
  double momentum;                   // Muon's
  std::vector<bool> muon;            // which weights it updates, with their momentum in m; empty: none
  std::vector<float*> average;       // of every weight; empty: none is kept
  double average_keep;               // what a step keeps of it
};

struct StepResult {
  float loss;                        // the mean, in nats
  double norm;                       // of all gradients, before clipping
  std::vector<double> layer_norms;   // (L + 1): of each layer's, the embedding with the first, and of the dense output's
};

// Gradients and update. Where loss or norm are not finite the weights stay as they were.
StepResult train_step(const Model& model, Workspace& memory, const Batch& batch, const Dropout& dropout,
                      const Update& update);

}  // namespace elman
