// The Python module elman.kernels._cpu. Every size is computed here from T, B, I, H, V and compared with the arrays
// (buffers.h), and token ids and targets with their range; nothing behind this file checks again.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "buffers.h"
#include "choices.h"
#include "../float/kernels.h"
#include "../team/pool.h"
#include "../float/step.h"

using namespace elman;
using namespace nb::literals;

void bind_coding(nb::module_& m);  // coding/

namespace {

void check_dropout(double p) { expect(p >= 0.0 && p < 1.0, "p must be in [0, 1)"); }

// (p, hidden, output, weights, seed, offset), as in Dropout.
using Drops = std::tuple<double, double, double, double, uint64_t, uint64_t>;
Dropout dropout_of(const Drops& d) {
  auto [p, hidden, output, weights, seed, offset] = d;
  for (double share : {p, hidden, output, weights}) check_dropout(share);
  return {p, seed, offset, hidden, output, weights};
}

// --- one layer ---

// What forward and backward share: the sizes, and the layer's input and weights.
struct LayerInput {
  int64_t T, B, I, H, N;
  const int64_t* ids;
  const float *x, *h0, *c0, *w_ih, *w_hh;

  LayerInput(Arrays& arrays, int cell, MaybeIds ids_, MaybeFloats x_, Floats h0_, MaybeFloats c0_, Floats w_ih_,
             Floats w_hh_) {
    check_cell(cell);
    h0 = arrays.in(h0_, "h0", {-1, -1});
    B = arrays.size(0), H = arrays.size(1), N = gates_of(cell) * H;
    w_ih = arrays.in(w_ih_, "w_ih", {N, -1});
    I = arrays.size(1);
    w_hh = arrays.in(w_hh_, "w_hh", {N, H});
    expect(H > 0 && I > 0, "H and I must be at least 1");
    ids = arrays.in(ids_, "ids", {-1, B});
    if (ids) T = arrays.size(0);
    x = arrays.in(x_, "x", {-1, B, I});
    if (x) T = arrays.size(0);
    expect((ids != nullptr) != (x != nullptr), "give either ids or x");
    c0 = arrays.in(c0_, "c0", {B, H});
    expect((cell == LSTM) == (c0 != nullptr), "c0 goes with an LSTM and with no other cell");
    if (ids) ids = arrays.copy(ids, T * B), check_ids(ids, T * B, 0, I, "token ids");
  }
};

void recurrent(int cell, MaybeIds ids, MaybeFloats x, Floats h0, MaybeFloats c0, Floats w_ih, Floats w_hh,
               MaybeFloats b_ih, MaybeFloats b_hh, Floats out, Floats hn, MaybeFloats cn, MaybeFloats gates,
               MaybeFloats cells) {
  Arrays a;
  LayerInput in(a, cell, ids, x, h0, c0, w_ih, w_hh);
  int64_t T = in.T, B = in.B, H = in.H;
  Forward f{cell, T, B, in.I, H, in.ids, in.x, in.h0, in.c0, in.w_ih, in.w_hh, a.in(b_ih, "b_ih", {in.N}),
            a.in(b_hh, "b_hh", {in.N}), a.out(out, "out", {T, B, H}), a.out(hn, "hn", {B, H}),
            a.out(cn, "cn", {B, H}), a.out(gates, "gates", {T, B, saved_of(cell) * H}),
            a.out(cells, "cells", {T, B, H})};
  expect(!f.b_ih == !f.b_hh, "give both biases or neither");
  expect((cell == LSTM) == (f.cn != nullptr), "cn goes with an LSTM and with no other cell");
  expect(cell == LSTM || !f.cells, "only an LSTM has cells");
  if (!saved_of(cell)) f.gates = nullptr;
  Native native;
  kernels().forward(f);
}

void recurrent_backward(int cell, MaybeIds ids, MaybeFloats x, Floats h0, MaybeFloats c0, Floats w_ih, Floats w_hh,
                        Floats out, MaybeFloats gates, MaybeFloats cells, MaybeFloats d_out, MaybeFloats d_hn,
                        MaybeFloats d_cn, MaybeFloats d_x, MaybeFloats d_h0, MaybeFloats d_c0, MaybeFloats d_w_ih,
                        MaybeFloats d_w_hh, MaybeFloats d_b_ih, MaybeFloats d_b_hh, bool accumulate) {
  Arrays a;
  LayerInput in(a, cell, ids, x, h0, c0, w_ih, w_hh);
  int64_t T = in.T, B = in.B, H = in.H, I = in.I, N = in.N, saved = saved_of(cell) * H;
  Backward k{cell, T, B, I, H, in.ids, in.x, in.h0, in.c0, in.w_ih, in.w_hh, a.in(out, "out", {T, B, H}),
             a.in(gates, "gates", {T, B, saved}), a.in(cells, "cells", {T, B, H}), a.in(d_out, "d_out", {T, B, H}),
             a.in(d_hn, "d_hn", {B, H}), a.in(d_cn, "d_cn", {B, H}), a.out(d_x, "d_x", {T, B, I}),
             a.out(d_h0, "d_h0", {B, H}), a.out(d_c0, "d_c0", {B, H}), a.out(d_w_ih, "d_w_ih", {N, I}),
             a.out(d_w_hh, "d_w_hh", {N, H}), a.out(d_b_ih, "d_b_ih", {N}), a.out(d_b_hh, "d_b_hh", {N}), accumulate};
  expect(!saved || k.gates, "gates are missing: run forward with them");
  expect((cell == LSTM) == (k.cells != nullptr), "cells go with an LSTM and with no other cell");
  expect(cell == LSTM || (!k.d_cn && !k.d_c0), "only an LSTM has gradients of c");
  expect(!k.d_x || in.x, "token ids have no gradient");
  expect(!k.d_c0 || k.d_h0, "d_c0 goes with d_h0");
  Native native;
  kernels().backward(k);
}

// --- the dense output ---

void linear(Floats x, Floats w, MaybeFloats b, Floats y) {
  Arrays a;
  Linear l{};
  l.w = a.in(w, "w", {-1, -1});
  l.N = a.size(0), l.K = a.size(1);
  l.x = a.in(x, "x", {-1, l.K});
  l.rows = a.size(0);
  l.b = a.in(b, "b", {l.N});
  l.y = a.out(y, "y", {l.rows, l.N});
  Native native;
  kernels().linear(l);
}

void linear_backward(Floats x, Floats w, Floats d_y, MaybeFloats d_x, MaybeFloats d_w, MaybeFloats d_b,
                     bool accumulate) {
  Arrays a;
  LinearBackward l{};
  l.w = a.in(w, "w", {-1, -1});
  l.N = a.size(0), l.K = a.size(1);
  l.x = a.in(x, "x", {-1, -1, l.K});
  l.T = a.size(0), l.B = a.size(1);
  l.d_y = a.in(d_y, "d_y", {l.T, l.B, l.N});
  l.d_x = a.out(d_x, "d_x", {l.T, l.B, l.K});
  l.d_w = a.out(d_w, "d_w", {l.N, l.K});
  l.d_b = a.out(d_b, "d_b", {l.N});
  l.accumulate = accumulate;
  Native native;
  kernels().linear_backward(l);
}

// hidden (T, B, H), the dense weights and the targets of both directions of the loss.
struct LossInput {
  int64_t T, B, H, V;
  const float *hidden, *w, *b;
  const int64_t* targets;

  LossInput(Arrays& a, Floats hidden_, Floats w_, MaybeFloats b_, Ids targets_) {
    w = a.in(w_, "w", {-1, -1});
    V = a.size(0), H = a.size(1);
    expect(V > 0 && H > 0, "V and H must be at least 1");
    hidden = a.in(hidden_, "hidden", {-1, -1, H});
    T = a.size(0), B = a.size(1);
    b = a.in(b_, "b", {V});
    targets = a.copy(a.in(targets_, "targets", {T, B}), T * B);
    check_ids(targets, T * B, -1, V, "targets");
  }
};

float cross_entropy(Floats hidden, Floats w, MaybeFloats b, Ids targets, Floats nats, MaybeFloats saved) {
  Arrays a;
  LossInput in(a, hidden, w, b, targets);
  float mean = std::nanf("");  // of nothing, as in torch
  Loss l{in.T, in.B, in.H, in.V, in.hidden, in.w, in.b, in.targets, a.out(nats, "nats", {in.T, in.B}), &mean,
         a.out(saved, "saved", {in.T, in.B, in.V})};
  Native native;
  if (in.T > 0 && in.B > 0) kernels().loss(l);
  return mean;
}

void cross_entropy_backward(Floats hidden, Floats w, MaybeFloats b, Ids targets, MaybeFloats saved, float d_mean,
                            MaybeFloats d_hidden, MaybeFloats d_w, MaybeFloats d_b, bool accumulate) {
  Arrays a;
  LossInput in(a, hidden, w, b, targets);
  LossBackward l{in.T, in.B, in.H, in.V, in.hidden, in.w, in.b, in.targets,
                 a.in(saved, "saved", {in.T, in.B, in.V}), d_mean, a.out(d_hidden, "d_hidden", {in.T, in.B, in.H}),
                 a.out(d_w, "d_w", {in.V, in.H}), a.out(d_b, "d_b", {in.V}), accumulate};
  Native native;
  kernels().loss_backward(l);
}

// --- lists of arrays ---

// Arrays of any shape, flattened by their caller, and as many elements in each as in the first list.
struct Lists {
  Arrays arrays;
  std::vector<int64_t> sizes;
  std::vector<float*> take(const std::vector<Floats>& list, const char* name, bool written) {
    bool first = sizes.empty();
    expect(first || list.size() == sizes.size(), "lists of unequal length");
    std::vector<float*> result;
    for (size_t i = 0; i < list.size(); ++i) {
      int64_t size = first ? -1 : sizes[i];
      result.push_back(written ? arrays.out(list[i], name, {size}) : const_cast<float*>(arrays.in(list[i], name, {size})));
      if (first) sizes.push_back(arrays.size(0));
    }
    return result;
  }
};

double grad_norm(const std::vector<Floats>& grads) {
  Lists lists;
  std::vector<float*> g = lists.take(grads, "grads", false);
  Tensors tensors{int64_t(g.size()), lists.sizes.data(), g.data(), nullptr, nullptr, nullptr};
  std::vector<double> sums(size_t(chunks_of(tensors)));
  Native native;
  kernels().squares(tensors, sums.data());
  return norm_of(sums.data(), int64_t(sums.size()));
}

void sgd(const std::vector<Floats>& params, const std::vector<Floats>& grads, float lr, float scale) {
  Lists lists;
  std::vector<float*> p = lists.take(params, "params", true), g = lists.take(grads, "grads", false);
  Native native;
  kernels().sgd({int64_t(p.size()), lists.sizes.data(), p.data(), g.data(), nullptr, nullptr}, lr, scale);
}

void adamw(const std::vector<Floats>& params, const std::vector<Floats>& grads, const std::vector<Floats>& exp_avg,
           const std::vector<Floats>& exp_avg_sq, int64_t step, double lr, double beta1, double beta2, double eps,
           double weight_decay, float scale) {
  expect(step >= 1, "step counts from 1");
  Lists lists;
  std::vector<float*> p = lists.take(params, "params", true), g = lists.take(grads, "grads", false);
  std::vector<float*> m = lists.take(exp_avg, "exp_avg", true), v = lists.take(exp_avg_sq, "exp_avg_sq", true);
  Native native;
  kernels().adamw({int64_t(p.size()), lists.sizes.data(), p.data(), g.data(), m.data(), v.data()},
                  adam_numbers(step, lr, beta1, beta2, eps, weight_decay, scale));
}

// w, g, m: (blocks * rows, columns).
void muon(Floats w, Floats g, Floats m, int64_t blocks, double lr, double momentum, double weight_decay, float scale) {
  Arrays a;
  Muon k{};
  k.w = a.out(w, "w", {-1, -1});
  int64_t rows = a.size(0);
  k.columns = a.size(1);
  expect(blocks > 0 && rows % blocks == 0, "blocks must divide the rows");
  k.blocks = blocks, k.rows = rows / blocks;
  k.g = a.in(g, "g", {rows, k.columns});
  k.m = a.out(m, "m", {rows, k.columns});
  k.scale = scale, k.momentum = float(momentum), k.decay = float(1.0 - lr * weight_decay);
  k.step_size = float(lr * muon_factor(k.rows, k.columns));
  Native native;
  kernels().muon(k);
}

void average(const std::vector<Floats>& params, const std::vector<Floats>& averages, double keep) {
  Lists lists;
  std::vector<float*> p = lists.take(params, "params", false), m = lists.take(averages, "averages", true);
  Native native;
  kernels().average({int64_t(p.size()), lists.sizes.data(), p.data(), nullptr, m.data(), nullptr}, float(1.0 - keep));
}

// --- element by element ---

void dropout(Floats x, Floats y, double p, uint64_t seed, uint64_t offset) {
  check_dropout(p);
  Arrays a;
  const float* from = a.in(x, "x", {-1});
  int64_t n = a.size(0);
  float* to = a.out(y, "y", {n});
  Native native;
  mask(p, seed, offset).apply(from, to, n);
}

void philox(Words words, uint64_t seed, uint64_t offset) {
  Arrays a;
  uint32_t* to = a.out(words, "words", {-1});
  int64_t n = a.size(0);
  Native native;
  kernels().philox(to, n, seed, offset);
}

template <int F>
void pointwise(Floats x, Floats y) {
  Arrays a;
  const float* from = a.in(x, "x", {-1});
  int64_t n = a.size(0);
  float* to = a.out(y, "y", {n});
  Native native;
  kernels().math(F, from, to, n);
}

void log_softmax(Floats x, Floats y) {
  Arrays a;
  const float* from = a.in(x, "x", {-1, -1});
  int64_t rows = a.size(0), n = a.size(1);
  float* to = a.out(y, "y", {rows, n});
  Native native;
  kernels().log_softmax(from, to, rows, n);
}

// --- a whole model ---

using LayerArguments = std::tuple<Floats, Floats, MaybeFloats, MaybeFloats>;

// A model's weights where Python's arrays have them, held for as long as this lives; and the memory of its steps.
class Network {
 public:
  Network(int cell, const std::vector<LayerArguments>& layers, Floats w_out, MaybeFloats b_out, MaybeFloats embedding) {
    check_cell(cell);
    expect(!layers.empty(), "a model has at least one layer");
    model_.cell = cell, model_.L = int64_t(layers.size());
    model_.w_out = arrays_.out(w_out, "w_out", {-1, -1});
    int64_t V = model_.V = arrays_.size(0), H = model_.H = arrays_.size(1), N = gates_of(cell) * H;
    expect(V > 0 && H > 0, "V and H must be at least 1");
    model_.b_out = arrays_.out(b_out, "b_out", {V});
    model_.embedding = arrays_.out(embedding, "embedding", {V, -1});
    if (model_.embedding) {
      model_.E = arrays_.size(1);
      expect(model_.E > 0, "E must be at least 1");
    }
    for (const auto& [w_ih, w_hh, b_ih, b_hh] : layers) {
      int64_t l = int64_t(model_.layers.size());
      model_.layers.push_back({arrays_.out(w_ih, "w_ih", {N, model_.width(l)}), arrays_.out(w_hh, "w_hh", {N, H}),
                               arrays_.out(b_ih, "b_ih", {N}), arrays_.out(b_hh, "b_hh", {N})});
      expect(!model_.layers.back().b_ih == !model_.layers.back().b_hh &&
                 !model_.layers.back().b_ih == !model_.layers.front().b_ih,
             "give both biases of every layer or none");
    }
  }

  void run(Ids ids, Floats h, MaybeFloats c, Floats hidden, MaybeFloats cells) const {
    Arrays a;
    const Batch batch = take(a, ids, h, c, {nb::none()}, false);
    float* to = a.out(hidden, "hidden", {batch.T, batch.B, model_.H});
    float* c_to = a.out(cells, "cells", {batch.T, batch.B, model_.H});
    expect(!c_to || model_.cell == LSTM, "only an LSTM has cells");
    Native native;
    run_layers(model_, batch.T, batch.B, batch.ids, batch.h, batch.c, to, c_to);
  }

  float loss_and_grads(Ids ids, Ids targets, Floats h, MaybeFloats c, const Drops& drops,
                       const std::vector<Floats>& grads, MaybeFloats nats) {
    Arrays a;
    const Batch batch = take(a, ids, h, c, {targets.object}, true);
    const Dropout dropout = dropout_of(drops);
    std::vector<int64_t> sizes = model_.sizes();
    expect(grads.size() == sizes.size(), "a gradient for each weight");
    std::vector<float*> to;
    for (size_t i = 0; i < sizes.size(); ++i) to.push_back(a.out(grads[i], "grads", {sizes[i]}));
    float* of_each = a.out(nats, "nats", {batch.T, batch.B});
    Native native;
    std::lock_guard<std::mutex> lock(busy_);
    return elman::loss_and_grads(model_, memory_, batch, dropout, to, of_each);
  }

  std::tuple<float, double, std::vector<double>> step(Ids ids, Ids targets, Floats h, MaybeFloats c,
                                                      const Drops& drops, double lr, double clip,
                                                      const std::vector<Floats>& exp_avg,
                                                      const std::vector<Floats>& exp_avg_sq, int64_t step,
                                                      double weight_decay, double beta1, double beta2, double eps,
                                                      const std::vector<bool>& muon, double momentum,
                                                      const std::vector<Floats>& average, double average_keep) {
    Arrays a;
    const Batch batch = take(a, ids, h, c, {targets.object}, true);
    const Dropout dropout = dropout_of(drops);
    Update update{!exp_avg.empty(), lr, weight_decay, clip, beta1, beta2, eps, step, {}, {}, momentum, muon, {}, average_keep};
    std::vector<int64_t> sizes = model_.sizes();
    expect(exp_avg.size() == exp_avg_sq.size() && (exp_avg.empty() || exp_avg.size() == sizes.size()),
           "averages for each weight, or none");
    expect(step >= 1, "step counts from 1");
    expect(muon.empty() || (muon.size() == sizes.size() && !exp_avg.empty()), "muon: for each weight, with averages");
    expect(average.empty() || average.size() == sizes.size(), "an average for each weight, or none");
    for (size_t i = 0; i < exp_avg.size(); ++i) {
      update.m.push_back(a.out(exp_avg[i], "exp_avg", {sizes[i]}));
      bool by_muon = !muon.empty() && muon[i];
      update.v.push_back(a.out(exp_avg_sq[i], "exp_avg_sq", {by_muon ? 0 : sizes[i]}));
    }
    for (size_t i = 0; i < average.size(); ++i) update.average.push_back(a.out(average[i], "average", {sizes[i]}));
    Native native;
    std::lock_guard<std::mutex> lock(busy_);
    StepResult result = train_step(model_, memory_, batch, dropout, update);
    return {result.loss, result.norm, result.layer_norms};
  }

  uint64_t fingerprint() const {
    Native native;
    return elman::fingerprint(model_);
  }

  const Model& model() const { return model_; }

 private:
  Batch take(Arrays& a, Ids ids, Floats h, MaybeFloats c, MaybeIds targets, bool loss) const {
    Batch batch{};
    batch.ids = a.in(ids, "ids", {-1, -1});
    batch.T = a.size(0), batch.B = a.size(1);
    batch.h = a.out(h, "h", {model_.L, batch.B, model_.H});
    batch.c = a.out(c, "c", {model_.L, batch.B, model_.H});
    expect((model_.cell == LSTM) == (batch.c != nullptr), "c goes with an LSTM and with no other cell");
    batch.ids = a.copy(batch.ids, batch.T * batch.B);
    check_ids(batch.ids, batch.T * batch.B, 0, model_.V, "token ids");
    if (loss) {
      batch.targets = a.copy(a.in(Ids{targets.object}, "targets", {batch.T, batch.B}), batch.T * batch.B);
      check_ids(batch.targets, batch.T * batch.B, -1, model_.V, "targets");
    }
    return batch;
  }

  Arrays arrays_;
  Model model_;
  std::mutex busy_;  // of memory_
  Workspace memory_;
};

// --- generation ---

// The packed weights are const, so many threads can read with them at once.
class PyPacked {
 public:
  explicit PyPacked(const Network& network) {
    Native native;
    packed_ = std::make_shared<const Packed>(pack(network.model()));
  }
  const Packed& get() const { return *packed_; }

 private:
  std::shared_ptr<const Packed> packed_;
};

// B rows that grow: their states and logits are the caller's arrays, held for as long as this lives.
class PyDecoder {
 public:
  PyDecoder(const PyPacked& packed, Floats h, MaybeFloats c, Floats logits) : packed_(packed) {
    const Packed& p = packed_.get();
    float* to = arrays_.out(logits, "logits", {-1, p.V});
    int64_t B = arrays_.size(0);
    decoder_ = {p.cell, p.L, B, p.H, p.V, p.layers.data(), p.w_out, p.b_out, arrays_.out(h, "h", {p.L, B, p.H}),
                arrays_.out(c, "c", {p.L, B, p.H}), to, p.E, p.embedding};
    expect((p.cell == LSTM) == (decoder_.c != nullptr), "c goes with an LSTM and with no other cell");
  }

  void read(Ids ids) {
    Arrays a;
    const int64_t* from = a.in(ids, "ids", {-1, decoder_.B});
    int64_t T = a.size(0);
    from = a.copy(from, T * decoder_.B);
    check_ids(from, T * decoder_.B, 0, decoder_.V, "token ids");
    Native native;
    std::lock_guard<std::mutex> lock(busy_);
    if (T && decoder_.B) kernels().decoder_read(decoder_, T, from);
  }

  // False where logits are not numbers.
  bool generate(Ids ids, MaybeFloats bias, double exponent, MaybeDoubles draws, int64_t top_k, double top_p,
                double min_p, double penalty, MaybeBytes seen, MaybeDoubles each, MaybeIds counts, MaybeFloats trace) {
    Arrays a;
    int64_t* to = a.out(ids, "ids", {-1, decoder_.B});
    int64_t steps = a.size(0);
    Choice given{nullptr, float(penalty), float(exponent), top_k, top_p, min_p, nullptr, nullptr};
    Choices choices(a, steps, decoder_.B, decoder_.V, given, bias, draws, seen, each, counts, trace);
    Native native;
    if (!decoder_.B || !steps) return true;
    std::vector<int64_t> made(size_t(steps * decoder_.B));  // each is read to make the next: nobody else may write to it
    std::lock_guard<std::mutex> lock(busy_);
    bool numbers = kernels().decoder_generate(decoder_, steps, choices.all, made.data());
    std::copy(made.begin(), made.end(), to);
    return numbers;
  }

 private:
  PyPacked packed_;
  Arrays arrays_;
  Decoder decoder_;
  std::mutex busy_;  // of the states and logits
};

}  // namespace

void bind_integer(nb::module_& m);  // integer/bindings_integer.cpp

NB_MODULE(_cpu, m) {
  bind_integer(m);
  m.doc() = "The native kernel. Arrays are C-contiguous; shapes and contracts are in src/native/kernels.h.";
  bind_coding(m);
  m.def("isa", [] { return expect_nothing(refused_isa()), std::string(kernels().isa); }, "The instruction set that serves.");
  m.def("best_isa", [] { return std::string(best_isa()); }, "The one chosen without ELMAN_ISA.");
  m.def("set_isa", [](const std::string& name) { expect_nothing(set_isa(name.c_str())); }, "name"_a);
  m.def("threads", &get_threads);
  m.def("set_threads", [](int n) {
    expect(1 <= n && n <= 1024, "threads must be in 1..1024");
    set_threads(n);
  }, "n"_a);
  m.def("fma_peak", [](int64_t rounds) {
    Native native;
    return kernels().fma_peak(rounds);
  }, "rounds"_a, "Independent fused multiply-adds on all threads; returns how many operations that was.");

  m.def("recurrent", &recurrent, nb::kw_only(), "cell"_a, "ids"_a.none() = nb::none(), "x"_a.none() = nb::none(),
        "h0"_a, "c0"_a.none(), "w_ih"_a, "w_hh"_a, "b_ih"_a.none(), "b_hh"_a.none(), "out"_a, "hn"_a, "cn"_a.none(),
        "gates"_a.none() = nb::none(), "cells"_a.none() = nb::none());
  m.def("recurrent_backward", &recurrent_backward, nb::kw_only(), "cell"_a, "ids"_a.none() = nb::none(),
        "x"_a.none() = nb::none(), "h0"_a, "c0"_a.none(), "w_ih"_a, "w_hh"_a, "out"_a, "gates"_a.none(),
        "cells"_a.none(), "d_out"_a.none(), "d_hn"_a.none(), "d_cn"_a.none(), "d_x"_a.none(), "d_h0"_a.none(),
        "d_c0"_a.none(), "d_w_ih"_a.none(), "d_w_hh"_a.none(), "d_b_ih"_a.none(), "d_b_hh"_a.none(),
        "accumulate"_a = false);
  m.def("linear", &linear, nb::kw_only(), "x"_a, "w"_a, "b"_a.none(), "y"_a);
  m.def("linear_backward", &linear_backward, nb::kw_only(), "x"_a, "w"_a, "d_y"_a, "d_x"_a.none(), "d_w"_a.none(),
        "d_b"_a.none(), "accumulate"_a = false);
  m.def("cross_entropy", &cross_entropy, nb::kw_only(), "hidden"_a, "w"_a, "b"_a.none(), "targets"_a, "nats"_a,
        "saved"_a.none() = nb::none());
  m.def("cross_entropy_backward", &cross_entropy_backward, nb::kw_only(), "hidden"_a, "w"_a, "b"_a.none(),
        "targets"_a, "saved"_a.none(), "d_mean"_a, "d_hidden"_a.none(), "d_w"_a.none(), "d_b"_a.none(),
        "accumulate"_a = false);
  m.def("grad_norm", &grad_norm, "grads"_a);
  m.def("sgd", &sgd, nb::kw_only(), "params"_a, "grads"_a, "lr"_a, "scale"_a);
  m.def("adamw", &adamw, nb::kw_only(), "params"_a, "grads"_a, "exp_avg"_a, "exp_avg_sq"_a, "step"_a, "lr"_a,
        "beta1"_a, "beta2"_a, "eps"_a, "weight_decay"_a, "scale"_a);
  m.def("muon", &muon, nb::kw_only(), "w"_a, "g"_a, "m"_a, "blocks"_a, "lr"_a, "momentum"_a, "weight_decay"_a,
        "scale"_a);
  m.def("average", &average, nb::kw_only(), "params"_a, "averages"_a, "keep"_a);
  m.def("dropout", &dropout, nb::kw_only(), "x"_a, "y"_a, "p"_a, "seed"_a, "offset"_a);
  m.def("philox", &philox, nb::kw_only(), "words"_a, "seed"_a, "offset"_a);
  m.def("exp", &pointwise<0>, nb::kw_only(), "x"_a, "y"_a);
  m.def("log", &pointwise<1>, nb::kw_only(), "x"_a, "y"_a);
  m.def("tanh", &pointwise<2>, nb::kw_only(), "x"_a, "y"_a);
  m.def("sigmoid", &pointwise<3>, nb::kw_only(), "x"_a, "y"_a);
  m.def("log_softmax", &log_softmax, nb::kw_only(), "x"_a, "y"_a);

  nb::class_<Network>(m, "Network")
      .def(nb::init<int, const std::vector<LayerArguments>&, Floats, MaybeFloats, MaybeFloats>(), nb::kw_only(), "cell"_a,
           "layers"_a, "w_out"_a, "b_out"_a.none(), "embedding"_a.none() = nb::none())
      .def("run", &Network::run, nb::kw_only(), "ids"_a, "h"_a, "c"_a.none(), "hidden"_a,
           "cells"_a.none() = nb::none())
      .def("loss_and_grads", &Network::loss_and_grads, nb::kw_only(), "ids"_a, "targets"_a, "h"_a, "c"_a.none(),
           "dropout"_a, "grads"_a, "nats"_a.none() = nb::none())
      .def("step", &Network::step, nb::kw_only(), "ids"_a, "targets"_a, "h"_a, "c"_a.none(), "dropout"_a, "lr"_a, "clip"_a, "exp_avg"_a, "exp_avg_sq"_a, "step"_a, "weight_decay"_a, "beta1"_a,
           "beta2"_a, "eps"_a, "muon"_a, "momentum"_a, "average"_a, "average_keep"_a)
      .def("fingerprint", &Network::fingerprint);
  nb::class_<PyPacked>(m, "Packed").def(nb::init<const Network&>(), "network"_a);
  nb::class_<PyDecoder>(m, "Decoder")
      .def(nb::init<const PyPacked&, Floats, MaybeFloats, Floats>(), "packed"_a, nb::kw_only(), "h"_a, "c"_a.none(),
           "logits"_a)
      .def("read", &PyDecoder::read, "ids"_a)
      .def("generate", &PyDecoder::generate, nb::kw_only(), "ids"_a, "bias"_a.none(), "exponent"_a, "draws"_a.none(),
           "top_k"_a = 0, "top_p"_a = -1.0, "min_p"_a = -1.0, "penalty"_a = 1.0, "seen"_a.none() = nb::none(),
           "each"_a.none() = nb::none(), "counts"_a.none() = nb::none(), "trace"_a.none() = nb::none());
}
