// A whole model: its steps of training, and its rows that grow.
#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

#include "buffers.h"
#include "choices.h"
#include "../float/kernels.h"
#include "../float/step.h"
#include "../team/pool.h"

using namespace elman;
using namespace nb::literals;

namespace {

// (p, hidden, output, weights, seed, offset), as in Dropout.
using Drops = std::tuple<double, double, double, double, uint64_t, uint64_t>;
Dropout dropout_of(const Drops& d) {
  auto [p, hidden, output, weights, seed, offset] = d;
  for (double share : {p, hidden, output, weights}) check_dropout(share);
  return {p, seed, offset, hidden, output, weights};
}

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
    decoder_.last_first ^= T % 2 == 1;
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
    decoder_.last_first ^= steps % 2 == 1;
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

void bind_network(nb::module_& m) {
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
