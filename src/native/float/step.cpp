#include "step.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace elman {
namespace {

constexpr int64_t kKeptLogits = 1 << 22;  // floats: above, backward computes the logits, some steps at a time, and the loss

enum Slot : size_t { EMBEDDED, D_EMBEDDED, LOGITS, D_HIDDEN, D_BELOW, NATS, GRADS, DROPPED_OUT, LAYERS };
enum LayerSlot : size_t { OUT, DROPPED, DROPPED_W, GATES, CELLS, BEFORE, BEFORE_C, AFTER, AFTER_C, LAYER_SLOTS };

// base^exponent by multiplications alone: libm's pow differs between machines.
double power(double base, int64_t exponent) {
  double result = 1.0;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

}  // namespace

Mask mask(double p, uint64_t seed, uint64_t offset) {
  return {seed, offset, uint64_t(std::llrint(p * 0x1p32)), float(1.0 / (1.0 - p))};
}

Adam adam_numbers(int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay, float scale) {
  double correction1 = 1.0 - power(beta1, step), correction2 = std::sqrt(1.0 - power(beta2, step));
  return {float(beta1), float(1.0 - beta1), float(beta2), float(1.0 - beta2), float(eps),
          float(1.0 - lr * weight_decay), float(correction2), float(lr / correction1), scale};
}

double muon_factor(int64_t rows, int64_t columns) { return 0.2 * std::sqrt(double(rows > columns ? rows : columns)); }

float* Workspace::floats(size_t slot, int64_t count) {
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  AlignedFloats& memory = slots_[slot];
  if (memory.size() < size_t(count)) memory = AlignedFloats(size_t(count));
  return memory.data();
}

float loss_and_grads(const Model& model, Workspace& memory, const Batch& batch, const Dropout& dropout,
                     const std::vector<float*>& grads, float* nats) {
  const Table& k = kernels();
  int64_t T = batch.T, B = batch.B, H = model.H, V = model.V, L = model.L, state = B * H, size = T * state;
  bool lstm = model.cell == LSTM;
  int64_t saved = saved_of(model.cell) * size;
  auto slot = [](int64_t layer, LayerSlot which) { return LAYERS + size_t(layer) * LAYER_SLOTS + which; };
  // Where the masks of each kind begin.
  int64_t recurrent = gates_of(model.cell) * H * H;
  uint64_t hidden_from = dropout.offset + uint64_t(dropout.p > 0.0 ? (L - 1) * size : 0);
  uint64_t output_from = hidden_from + uint64_t(dropout.hidden > 0.0 ? (L - 1) * state : 0);
  uint64_t weights_from = output_from + uint64_t(dropout.output > 0.0 ? state : 0);
  auto mask_from = [&](double p, uint64_t from, int64_t at) { return mask(p, dropout.seed, from + uint64_t(at)); };
  // What a layer above the first reads, of the output below it; or the gradient back through that.
  auto drop_input = [&](int64_t l, const float* from, float* to) {
    if (dropout.p > 0.0) mask_from(dropout.p, dropout.offset, (l - 1) * size).apply(from, to, size), from = to;
    if (dropout.hidden > 0.0) mask_from(dropout.hidden, hidden_from, (l - 1) * state).apply_to_all(from, to, T, state);
  };
  bool drops = dropout.p > 0.0 || dropout.hidden > 0.0;
  auto w_mask = [&](int64_t l) { return mask_from(dropout.weights, weights_from, l * recurrent); };
  auto floats = [&](int64_t l, LayerSlot which, int64_t count) -> float* {
    return count ? memory.floats(slot(l, which), count) : nullptr;
  };
  struct Ran {
    const float *x, *w_hh;
    float *out, *gates, *cells, *h0, *c0;
  };
  std::vector<Ran> ran;
  const float* x = nullptr;
  int64_t E = model.E;
  if (model.embedding) {
    float* embedded = memory.floats(EMBEDDED, T * B * E);
    k.embed({T, B, V, E, batch.ids, model.embedding, embedded});
    x = embedded;
  }
  for (int64_t l = 0; l < L; ++l) {
    const LayerWeights& w = model.layers[size_t(l)];
    if (l && drops) {
      float* dropped = floats(l, DROPPED, size);
      drop_input(l, x, dropped);
      x = dropped;
    }
    const float* w_hh = w.w_hh;
    if (dropout.weights > 0.0) {
      float* dropped = floats(l, DROPPED_W, recurrent);
      w_mask(l).apply(w.w_hh, dropped, recurrent);
      w_hh = dropped;
    }
    float *hn = batch.h + l * state, *cn = lstm ? batch.c + l * state : nullptr;
    Ran run{x, w_hh, floats(l, OUT, size), floats(l, GATES, saved), floats(l, CELLS, lstm ? size : 0),
            floats(l, BEFORE, state), floats(l, BEFORE_C, lstm ? state : 0)};
    if (state) std::memcpy(run.h0, hn, size_t(state) * 4);
    if (lstm && state) std::memcpy(run.c0, cn, size_t(state) * 4);
    k.forward({model.cell, T, B, model.width(l), H, x ? nullptr : batch.ids, x, run.h0, run.c0, w.w_ih, run.w_hh, w.b_ih,
               w.b_hh, run.out, hn, cn, run.gates, run.cells});
    x = run.out;
    ran.push_back(run);
  }
  Mask of_output = mask_from(dropout.output, output_from, 0);
  if (dropout.output > 0.0) {
    float* dropped = memory.floats(DROPPED_OUT, size);
    of_output.apply_to_all(x, dropped, T, state);
    x = dropped;
  }
  bool keep = T * B * V <= kKeptLogits;
  float mean = std::numeric_limits<float>::quiet_NaN();  // of nothing, as in torch
  float* logits = keep ? memory.floats(LOGITS, T * B * V) : nullptr;
  if (!nats) nats = memory.floats(NATS, T * B);
  if (keep && T > 0 && B > 0) k.loss({T, B, H, V, x, model.w_out, model.b_out, batch.targets, nats, &mean, logits});
  auto at = size_t(model.first_of(L));
  float *d = memory.floats(D_HIDDEN, size), *d_next = L > 1 ? memory.floats(D_BELOW, size) : nullptr;
  k.loss_backward({T, B, H, V, x, model.w_out, model.b_out, batch.targets, logits, 1.0f, d, grads[at],
                   model.b_out ? grads[at + 1] : nullptr, false, keep ? nullptr : nats, keep ? nullptr : &mean});
  if (dropout.output > 0.0) of_output.apply_to_all(d, d, T, state);
  for (int64_t l = L - 1; l >= 0; --l) {
    const LayerWeights& w = model.layers[size_t(l)];
    const Ran& run = ran[size_t(l)];
    at -= size_t(model.weights_per_layer());
    float* d_x = l ? d_next : model.embedding ? memory.floats(D_EMBEDDED, T * B * E) : nullptr;
    k.backward({model.cell, T, B, model.width(l), H, run.x ? nullptr : batch.ids, run.x, run.h0, run.c0, w.w_ih, run.w_hh,
                run.out, run.gates, run.cells, d, nullptr, nullptr, d_x, nullptr, nullptr, grads[at],
                grads[at + 1], w.b_ih ? grads[at + 2] : nullptr, w.b_ih ? grads[at + 3] : nullptr, false});
    if (dropout.weights > 0.0) w_mask(l).apply(grads[at + 1], grads[at + 1], recurrent);
    if (l == 0) {
      if (d_x) k.embed_backward({T, B, V, E, batch.ids, d_x, grads[0], false});
    } else if (drops) {
      drop_input(l, d_next, d);
    } else {
      std::swap(d, d_next);
    }
  }
  return mean;
}

StepResult train_step(const Model& model, Workspace& memory, const Batch& batch, const Dropout& dropout,
                      const Update& update) {
  std::vector<float*> weights = model.weights(), grads;
  std::vector<int64_t> sizes = model.sizes();
  int64_t total = 0, count = int64_t(sizes.size());
  for (int64_t size : sizes) total += size;
  float* next = memory.floats(GRADS, total);
  for (int64_t size : sizes) grads.push_back(next), next += size;

  StepResult result{loss_and_grads(model, memory, batch, dropout, grads), 0.0, {}};
  Tensors tensors{count, sizes.data(), grads.data(), nullptr, nullptr, nullptr};
  std::vector<double> sums(size_t(chunks_of(tensors)));
  kernels().squares(tensors, sums.data());
  result.norm = norm_of(sums.data(), int64_t(sums.size()));
  const double* part = sums.data();
  for (int64_t l = 0, i = 0; l <= model.L; ++l) {
    int64_t chunks = 0;
    for (int64_t last = l < model.L ? model.first_of(l + 1) : count; i < last; ++i)
      chunks += chunks_of(sizes[size_t(i)]);
    result.layer_norms.push_back(norm_of(part, chunks));
    part += chunks;
  }
  if (!std::isfinite(result.loss) || !std::isfinite(result.norm)) return result;

  auto scale = float(update.clip > 0.0 && result.norm > update.clip ? update.clip / result.norm : 1.0);
  tensors = {count, sizes.data(), weights.data(), grads.data(), update.m.data(), update.v.data()};
  if (!update.adam) {
    kernels().sgd(tensors, float(update.lr), scale);
  } else {
    std::vector<int64_t> other_sizes;
    std::vector<float*> w, g, m, v;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (!update.muon.empty() && update.muon[i]) {
        int64_t blocks = gates_of(model.cell), columns = model.columns(int64_t(i));
        int64_t rows = sizes[i] / blocks / columns;
        kernels().muon({blocks, rows, columns, weights[i], update.m[i], grads[i], scale, float(update.momentum),
                        float(1.0 - update.lr * update.weight_decay), float(update.lr * muon_factor(rows, columns))});
      } else {
        other_sizes.push_back(sizes[i]), w.push_back(weights[i]), g.push_back(grads[i]);
        m.push_back(update.m[i]), v.push_back(update.v[i]);
      }
    }
    kernels().adamw({int64_t(w.size()), other_sizes.data(), w.data(), g.data(), m.data(), v.data()},
                    adam_numbers(update.step, update.lr, update.beta1, update.beta2, update.eps, update.weight_decay,
                                 scale));
  }
  if (!update.average.empty())
    kernels().average({count, sizes.data(), weights.data(), nullptr, update.average.data(), nullptr},
                      float(1.0 - update.average_keep));
  return result;
}

}  // namespace elman
