// Networks for the coder in Python: `_cpu.Predictor`.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "buffers.h"
#include "predictor.h"
#include "../coding/float_predictor.h"
#include "../coding/integer_predictor.h"
#include "../coding/marginals.h"
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

using MaybeTokens = std::optional<std::vector<nb::bytes>>;

// tokens (V): the bytes of each id, or empty ones; none: ids are bytes, or have `ids_of_bytes`.
PyPredictor predictor_of(std::shared_ptr<const Source> network, int64_t ids, MaybeIds ids_of_bytes, int64_t unknown, int64_t first,
                         const MaybeTokens& tokens) {
  if (!tokens) return {std::move(network), alphabet_of(ids_of_bytes, ids, unknown, first), ids};
  expect(int64_t(tokens->size()) == ids && 0 <= first && first < ids, "tokens must be as many as the network's ids, and first one of them");
  std::vector<std::string> of_ids;
  for (const nb::bytes& each : *tokens) of_ids.emplace_back(each.c_str(), each.size());
  auto sorted = Tokens::make(of_ids);
  expect(sorted != nullptr, "tokens must have one of each single byte, and no two alike");
  return {std::make_shared<const MarginalSource>(std::move(network), std::move(sorted), first), Alphabet(), ids};
}

using LayerArguments = std::tuple<Floats, Floats, MaybeFloats, MaybeFloats>;

// The weights are copied.
PyPredictor float_predictor(int cell, const std::vector<LayerArguments>& layers, Floats w_out, MaybeFloats b_out,
                            MaybeFloats embedding, MaybeIds ids_of_bytes, int64_t unknown, int64_t first, const MaybeTokens& tokens) {
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
  std::shared_ptr<const Source> source;
  {
    Native native;
    source = std::make_shared<const FloatSource>(pack(model));
  }
  return predictor_of(std::move(source), V, ids_of_bytes, unknown, first, tokens);
}

PyPredictor integer_predictor(const integer::Shared& network, MaybeIds ids_of_bytes, int64_t unknown, int64_t first, const MaybeTokens& tokens) {
  return predictor_of(std::make_shared<const IntegerSource>(network.packed), network.packed->network().V, ids_of_bytes, unknown, first, tokens);
}

// What a network of longer tokens says of each next byte: bytes (T) -> trees (T + 1, 512), before any and after each. Followed are
// `ways`, none with less than 2^-least of all.
void byte_trees(const PyPredictor& predictor, Bytes bytes, Words trees, int ways, int least) {
  Arrays a;
  const uint8_t* from = a.in(bytes, "bytes", {-1});
  int64_t T = a.size(0);
  uint32_t* to = a.out(trees, "trees", {T + 1, 512});
  expect(ways >= 1 && 0 <= least && least <= 32, "ways must be at least 1, and least in 0..32");
  auto source = dynamic_cast<const MarginalSource*>(predictor.source.get());
  expect(source != nullptr, "the predictor is of bytes");
  Native native;
  auto network = source->open({ways, least});
  network->begin(1);
  for (int64_t t = 0; t <= T; ++t, to += 512) {
    int64_t byte = t ? from[t - 1] : 0;
    network->read(&byte);
    std::memcpy(to, network->trees(), 512 * sizeof(uint32_t));
  }
}

}  // namespace

void bind_predictor(nb::module_& m) {
  nb::class_<PyPredictor>(m, "Predictor").def_prop_ro("ids", [](const PyPredictor& p) { return p.ids; });
  m.def("float_predictor", &float_predictor, nb::kw_only(), "cell"_a, "layers"_a, "w_out"_a, "b_out"_a.none(),
        "embedding"_a.none() = nb::none(), "ids_of_bytes"_a.none() = nb::none(), "unknown"_a = 0, "first"_a = 10,
        "tokens"_a.none() = nb::none());
  m.def("integer_predictor", &integer_predictor, "network"_a, nb::kw_only(), "ids_of_bytes"_a.none() = nb::none(),
        "unknown"_a = 0, "first"_a = 10, "tokens"_a.none() = nb::none());
  m.def("byte_trees", &byte_trees, "predictor"_a, "bytes"_a, "trees"_a, "ways"_a, "least"_a);
}
