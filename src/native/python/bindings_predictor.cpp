// Networks for the coder in Python: `_cpu.Predictor`.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <tuple>
#include <vector>

#include "buffers.h"
#include "predictor.h"
#include "../coding/float_predictor.h"
#include "../coding/integer_predictor.h"
#include "../float/model.h"
#include "../team/pool.h"

using namespace elman;
using namespace elman::coding;
using namespace nb::literals;

namespace {

Alphabet alphabet_of(MaybeIds ids_of_bytes, int64_t ids, int64_t unknown, int64_t first) {
  expect(0 <= unknown && unknown < ids && 0 <= first && first < ids, "unknown and first must be ids");
  expect(ids <= kMostIds, "the vocabulary is too large to code bytes with");
  Alphabet alphabet;
  alphabet.unknown = unknown, alphabet.first = first;
  Arrays a;
  if (const int64_t* given = a.in(ids_of_bytes, "ids_of_bytes", {256})) {
    alphabet.plain = false;
    for (int b = 0; b < 256; ++b) {
      expect(-1 <= given[b] && given[b] < ids, "ids_of_bytes must be ids, or -1");
      alphabet.of_byte[b] = int16_t(given[b]);
    }
  } else {
    expect(ids >= 256, "a network of fewer than 256 ids needs ids_of_bytes");
  }
  return alphabet;
}

using LayerArguments = std::tuple<Floats, Floats, MaybeFloats, MaybeFloats>;

// The weights are copied.
PyPredictor float_predictor(int cell, const std::vector<LayerArguments>& layers, Floats w_out, MaybeFloats b_out,
                            MaybeFloats embedding, MaybeIds ids_of_bytes, int64_t unknown, int64_t first) {
  check_cell(cell);
  expect(!layers.empty(), "a model has at least one layer");
  Arrays a;
  auto weights = [&](auto argument, const char* name, Arrays::Shape shape) {
    return const_cast<float*>(a.in(argument, name, shape));  // `pack` reads alone
  };
  Model model;
  model.cell = cell, model.L = int64_t(layers.size());
  model.w_out = weights(w_out, "w_out", {-1, -1});
  int64_t V = model.V = a.size(0), H = model.H = a.size(1), N = gates_of(cell) * H;
  expect(V > 0 && H > 0, "V and H must be at least 1");
  model.b_out = weights(b_out, "b_out", {V});
  if ((model.embedding = weights(embedding, "embedding", {V, -1}))) model.E = a.size(1), expect(model.E > 0, "E must be at least 1");
  for (const auto& [w_ih, w_hh, b_ih, b_hh] : layers) {
    auto l = int64_t(model.layers.size());
    model.layers.push_back({weights(w_ih, "w_ih", {N, model.width(l)}), weights(w_hh, "w_hh", {N, H}),
                            weights(b_ih, "b_ih", {N}), weights(b_hh, "b_hh", {N})});
    expect(!model.layers.back().b_ih == !model.layers.back().b_hh &&
               !model.layers.back().b_ih == !model.layers.front().b_ih,
           "give both biases of every layer or none");
  }
  Alphabet alphabet = alphabet_of(ids_of_bytes, V, unknown, first);
  Native native;
  return {std::make_shared<const FloatSource>(pack(model)), alphabet, V};
}

PyPredictor integer_predictor(const integer::Shared& network, MaybeIds ids_of_bytes, int64_t unknown, int64_t first) {
  int64_t V = network.packed->network().V;
  return {std::make_shared<const IntegerSource>(network.packed), alphabet_of(ids_of_bytes, V, unknown, first), V};
}

}  // namespace

void bind_predictor(nb::module_& m) {
  nb::class_<PyPredictor>(m, "Predictor").def_prop_ro("ids", [](const PyPredictor& p) { return p.ids; });
  m.def("float_predictor", &float_predictor, nb::kw_only(), "cell"_a, "layers"_a, "w_out"_a, "b_out"_a.none(),
        "embedding"_a.none() = nb::none(), "ids_of_bytes"_a.none() = nb::none(), "unknown"_a = 0, "first"_a = 10);
  m.def("integer_predictor", &integer_predictor, "network"_a, nb::kw_only(), "ids_of_bytes"_a.none() = nb::none(),
        "unknown"_a = 0, "first"_a = 10);
}
