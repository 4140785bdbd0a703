// The integer model in Python: every size is computed here and compared with the arrays (buffers.h), ids with their range,
// weights and scales with what the arithmetic needs; nothing behind this file checks again.
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
#include "../team/pool.h"
#include "../integer/integer.h"
#include "../integer/packed.h"

using namespace elman;
using namespace nb::literals;

namespace {

using Int8s = Argument<INT8>;
using MaybeInt8s = Argument<INT8, true>;
using MaybeInt16s = Argument<INT16, true>;
using Int16s = Argument<INT16>;
using Int32s = Argument<INT32>;
using MaybeInt32s = Argument<INT32, true>;

// w_ih, its scale (both None in layer 0, whose share is in `inputs`), w_hh, its scale, bias (None in layer 0), bias_hn
// (None unless GRU). What is kept is a copy, for the instruction set in use then.
using LayerArguments = std::tuple<MaybeInt8s, MaybeFloats, Int8s, Floats, MaybeInt32s, MaybeInt32s>;

class IntegerNetwork : public integer::Shared {
 public:
  IntegerNetwork(int cell, const std::vector<LayerArguments>& layers, Int32s inputs, Int8s w_out, Floats scale_out,
                 Floats b_out, int bits) {
    check_cell(cell);
    expect(bits == 8 || bits == 4, "weights are kept in 8 or 4 bits");
    expect(!layers.empty(), "a model has at least one layer");
    expect_nothing(integer::refused_isa());
    Arrays a;
    const int8_t* output = a.in(w_out, "w_out", {-1, -1});
    int64_t V = a.size(0), H = a.size(1), N = gates_of(cell) * H;
    expect(V > 0 && H > 0 && H <= kMost, "V and H must be at least 1, and H at most 65536");
    const float *out_scale = a.in(scale_out, "scale_out", {V}), *out_bias = a.in(b_out, "b_out", {V});
    check_weights(output, out_scale, V, H, false, bits);
    for (int64_t i = 0; i < V; ++i) expect(std::isfinite(out_bias[i]), "a bias of the output is not a number");
    const int32_t* table = a.in(inputs, "inputs", {V, N});
    check_biases(table, V * N);
    std::vector<integer::LayerArrays> arrays;
    for (const auto& [w_ih, s_ih, w_hh, s_hh, bias, bias_hn] : layers) {
      integer::LayerArrays l{a.in(w_ih, "w_ih", {N, H}), a.in(s_ih, "scale_ih", {N}), a.in(w_hh, "w_hh", {N, H}),
                             a.in(s_hh, "scale_hh", {N}), a.in(bias, "bias", {N}), a.in(bias_hn, "bias_hn", {H})};
      expect(arrays.empty() ? !l.w_ih && !l.scale_ih && !l.bias : l.w_ih && l.scale_ih && l.bias,
             "w_ih, scale_ih and bias go with layers above 0");
      expect((cell == GRU) == (l.bias_hn != nullptr), "bias_hn goes with a GRU and with no other cell");
      if (l.w_ih) check_weights(l.w_ih, l.scale_ih, N, H, true, bits);
      check_weights(l.w_hh, l.scale_hh, N, H, true, bits);
      check_biases(l.bias, l.bias ? N : 0), check_biases(l.bias_hn, l.bias_hn ? H : 0);
      arrays.push_back(l);
    }
    packed = std::make_shared<const integer::Packed>(integer::integer_kernels(), cell, bits, H, V, arrays, table, output,
                                                      out_scale, out_bias);
  }

  void run(Ids ids, Int8s h, MaybeInt16s c, MaybeFloats logits, MaybeIds targets, MaybeDoubles nats) const {
    Arrays a;
    const int64_t* from = a.in(ids, "ids", {-1, -1});
    int64_t T = a.size(0), B = a.size(1), V = network().V;
    integer::Rows rows = take(a, h, c, B);
    float* to = a.out(logits, "logits", {T, B, V});
    const int64_t* wanted = a.in(targets, "targets", {T, B});
    double* cost = a.out(nats, "nats", {T, B});
    expect(!wanted == !cost, "targets go with nats");
    from = a.copy(from, T * B), wanted = a.copy(wanted, T * B);
    check_ids(from, T * B, 0, V, "token ids");
    if (wanted) check_ids(wanted, T * B, 0, V, "token ids");
    if (!T || !B) return;
    integer::Memory memory;
    rows.memory = memory.room(table().memory_of(network(), B, rows.threads));
    Native native;
    table().read(rows, T, from, to, true, wanted, cost);
  }

  integer::Rows take(Arrays& a, Int8s h, MaybeInt16s c, int64_t B) const {
    int64_t L = network().L, H = network().H;
    integer::Rows rows{&network(), B, get_threads(), a.out(h, "h", {L, B, H}), a.out(c, "c", {L, B, H}), nullptr, nullptr};
    expect((network().cell >= GRU) == (rows.c != nullptr), "c goes with a GRU or an LSTM and with no other cell");
    return rows;
  }
  const integer::Network& network() const { return packed->network(); }
  const integer::Table& table() const { return packed->table(); }
  std::string isa() const { return table().isa; }
  int64_t bytes() const { return packed->bytes(); }

 private:
  static constexpr int64_t kMost = 65536;  // terms of a sum: 127 * 127 * kMost fits an int32
  static constexpr int64_t kLimit = 1 << 29;  // three such numbers can be added in an int32

  static void check_biases(const int32_t* x, int64_t size) {
    for (int64_t i = 0; i < size; ++i) expect(x[i] > -kLimit && x[i] < kLimit, "a bias is too large");
  }
  // whole: a sum times its scale is to be a whole number, so must fit one.
  static void check_weights(const int8_t* q, const float* scale, int64_t N, int64_t K, bool whole, int bits) {
    for (int64_t n = 0; n < N; ++n) {
      int64_t total = 0;
      for (int64_t k = 0; k < K; ++k) {
        expect(q[n * K + k] != -128, "a weight is -128; expected -127..127");
        expect(bits == 8 || (q[n * K + k] >= -8 && q[n * K + k] < 8), "a weight does not fit 4 bits; expected -8..7");
        total += std::abs(int(q[n * K + k]));
      }
      bool sound = whole ? double(total) * 127.0 * double(scale[n]) < double(kLimit) : std::isfinite(scale[n]);
      expect(scale[n] >= 0.0f && sound, "a scale is too large, below zero or not a number");
    }
  }

};

// B rows that grow: their states and logits are the caller's arrays, held for as long as this lives.
class IntegerDecoder {
 public:
  IntegerDecoder(const IntegerNetwork& network, Int8s h, MaybeInt16s c, Floats logits) : network_(network) {
    V_ = network_.network().V;
    logits_ = arrays_.out(logits, "logits", {-1, V_});
    rows_ = network_.take(arrays_, h, c, arrays_.size(0));
  }

  void read(Ids ids) {
    Arrays a;
    const int64_t* from = a.in(ids, "ids", {-1, rows_.B});
    int64_t T = a.size(0);
    from = a.copy(from, T * rows_.B);
    check_ids(from, T * rows_.B, 0, V_, "token ids");
    if (!T || !rows_.B) return;
    Native native;
    std::lock_guard<std::mutex> lock(busy_);
    network_.table().read(ready(), T, from, logits_, false, nullptr, nullptr);
  }

  // False where logits are not numbers.
  bool generate(Ids ids, MaybeFloats bias, double exponent, MaybeDoubles draws, int64_t top_k, double top_p, double min_p,
                double penalty, MaybeBytes seen, MaybeDoubles each, MaybeIds counts, MaybeFloats trace) {
    Arrays a;
    int64_t* to = a.out(ids, "ids", {-1, rows_.B});
    int64_t steps = a.size(0);
    Choice given{nullptr, float(penalty), float(exponent), top_k, top_p, min_p, nullptr, nullptr};
    Choices choices(a, steps, rows_.B, V_, given, bias, draws, seen, each, counts, trace);
    if (!steps || !rows_.B) return true;
    Native native;
    std::lock_guard<std::mutex> lock(busy_);
    std::vector<int64_t> made(size_t(steps * rows_.B));  // each is read to make the next: nobody else may write to it
    bool numbers = network_.table().generate(ready(), steps, choices.all, logits_, made.data());
    std::copy(made.begin(), made.end(), to);
    return numbers;
  }

 private:
  const integer::Rows& ready() {
    rows_.threads = get_threads();
    rows_.memory = memory_.room(network_.table().memory_of(network_.network(), rows_.B, rows_.threads));
    rows_.choose = kernels().choose;
    return rows_;
  }

  const IntegerNetwork& network_;
  Arrays arrays_;
  int64_t V_;
  integer::Rows rows_;
  float* logits_;
  std::mutex busy_;  // of memory_
  integer::Memory memory_;
};

template <int F>
void function(Int16s x, Int16s y) {
  Arrays a;
  const int16_t* from = a.in(x, "x", {-1});
  int64_t n = a.size(0);
  int16_t* to = a.out(y, "y", {n});
  Native native;
  integer::integer_kernels().function(F, from, to, n);
}

void nats(Floats logits, Ids targets, Doubles to) {
  Arrays a;
  const float* x = a.in(logits, "logits", {-1, -1});
  int64_t rows = a.size(0), V = a.size(1);
  const int64_t* wanted = a.copy(a.in(targets, "targets", {rows}), rows);
  double* out = a.out(to, "nats", {rows});
  check_ids(wanted, rows, 0, V, "token ids");
  Native native;
  integer::integer_kernels().nats(x, wanted, out, rows, V);
}

void log_softmax(Floats logits, Doubles to) {
  Arrays a;
  const float* x = a.in(logits, "logits", {-1, -1});
  int64_t rows = a.size(0), V = a.size(1);
  double* out = a.out(to, "y", {rows, V});
  if (!V) return;
  Native native;
  integer::integer_kernels().log_softmax(x, out, rows, V);
}

}  // namespace

void bind_integer(nb::module_& m) {
  m.def("integer_isa", [] { return expect_nothing(integer::refused_isa()), std::string(integer::integer_kernels().isa); }, "The integer kernels that serve.");
  m.def("set_integer_isa", [](const std::string& name) { expect_nothing(integer::set_isa(name.c_str())); }, "name"_a);
  m.def("integer_peak", [](int64_t rounds) {
    Native native;
    return integer::integer_kernels().peak(rounds);
  }, "rounds"_a, "Independent products of int8 on all threads; returns how many that was.");
  m.def("integer_sigmoid", &function<0>, nb::kw_only(), "x"_a, "y"_a);
  m.def("integer_tanh", &function<1>, nb::kw_only(), "x"_a, "y"_a);
  m.def("integer_nats", &nats, nb::kw_only(), "logits"_a, "targets"_a, "nats"_a);
  m.def("integer_log_softmax", &log_softmax, nb::kw_only(), "logits"_a, "y"_a);
  nb::class_<integer::Shared>(m, "SharedIntegers");
  nb::class_<IntegerNetwork, integer::Shared>(m, "IntegerNetwork")
      .def(nb::init<int, const std::vector<LayerArguments>&, Int32s, Int8s, Floats, Floats, int>(), nb::kw_only(), "cell"_a,
           "layers"_a, "inputs"_a, "w_out"_a, "scale_out"_a, "b_out"_a, "bits"_a = 8)
      .def("run", &IntegerNetwork::run, nb::kw_only(), "ids"_a, "h"_a, "c"_a.none(), "logits"_a.none() = nb::none(),
           "targets"_a.none() = nb::none(), "nats"_a.none() = nb::none())
      .def_prop_ro("isa", &IntegerNetwork::isa)
      .def_prop_ro("bytes", &IntegerNetwork::bytes, "Of the packed weights.");
  nb::class_<IntegerDecoder>(m, "IntegerDecoder")
      .def(nb::init<const IntegerNetwork&, Int8s, MaybeInt16s, Floats>(), nb::keep_alive<1, 2>(), "network"_a, nb::kw_only(),
           "h"_a, "c"_a.none(), "logits"_a)
      .def("read", &IntegerDecoder::read, "ids"_a)
      .def("generate", &IntegerDecoder::generate, "ids"_a, "bias"_a.none(), "exponent"_a, "draws"_a.none(), "top_k"_a = 0,
           "top_p"_a = -1.0, "min_p"_a = -1.0, "penalty"_a = 1.0, "seen"_a.none() = nb::none(),
           "each"_a.none() = nb::none(), "counts"_a.none() = nb::none(), "trace"_a.none() = nb::none());
}
