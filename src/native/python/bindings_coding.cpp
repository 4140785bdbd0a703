// The coder in Python: `_cpu.Predictor`, `_cpu.encode_block`, `_cpu.decode_block`, `_cpu.Messages`.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "buffers.h"
#include "../team/pool.h"
#include "../coding/block.h"
#include "../coding/fastest.h"
#include "../coding/float_predictor.h"
#include "../coding/integer_predictor.h"
#include "../coding/messages.h"
#include "../coding/range.h"

using namespace elman;
using namespace elman::coding;
using namespace nb::literals;

namespace {

constexpr int64_t kMostBytes = (int64_t(1) << 31) - 2;  // of a block or a past, whose places are 32 bits

// What a network is for the coder, and how it calls the 256 bytes. Immutable: any number of threads may use it.
struct PyPredictor {
  std::shared_ptr<const Source> source;
  Alphabet alphabet;
  int64_t ids;

  std::unique_ptr<Predictor> open() const { return source->open(); }
};

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

nb::bytes to_python(const Text& text) { return nb::bytes(reinterpret_cast<const char*>(text.data()), text.size()); }

// --- blocks ---

Block checked(int contract, int level, int64_t rows, int64_t size) {
  expect(1 <= contract && contract <= kContracts, "there is no such contract");
  expect(1 <= level && level <= kLevels, "level must be in 1..9");
  expect(1 <= rows && rows <= 1024, "rows must be in 1..1024");
  expect(size <= kMostBytes, "a block is too large");
  return {level, rows, size, contract};
}

// None: bytes made to have no sound code.
std::optional<nb::bytes> py_encode_block(Bytes bytes, int level, int64_t rows, const PyPredictor* predictor, int contract) {
  Arrays a;
  const uint8_t* from = a.in(bytes, "bytes", {-1});
  Block block = checked(contract, level, rows, a.size(0));
  std::optional<Text> code;
  {
    Native native;
    auto network = predictor ? predictor->open() : nullptr;
    code = encode_block(block, network.get(), predictor ? predictor->alphabet : Alphabet(), from);
  }
  if (!code) return std::nullopt;
  return to_python(*code);
}

// Whether an encoder can have made the code.
bool py_decode_block(Bytes code, Bytes bytes, int level, int64_t rows, const PyPredictor* predictor, int contract) {
  Arrays a;
  const uint8_t* from = a.in(code, "code", {-1});
  int64_t size = a.size(0);
  uint8_t* to = a.out(bytes, "bytes", {-1});
  Block block = checked(contract, level, rows, a.size(0));
  Native native;
  auto network = predictor ? predictor->open() : nullptr;
  return decode_block(block, network.get(), predictor ? predictor->alphabet : Alphabet(), from, size, to);
}

// --- its parts, for the tests ---

nb::bytes range_encode(Bytes bits, Words p) {
  Arrays a;
  const uint8_t* bit = a.in(bits, "bits", {-1});
  int64_t n = a.size(0);
  const uint32_t* of = a.in(p, "p", {n});
  RangeEncoder coder;
  for (int64_t i = 0; i < n; ++i) {
    expect(0 < of[i] && of[i] < 65536, "p must be in 1..65535");
    coder.code(bit[i] != 0, of[i]);
  }
  return to_python(coder.finish());
}

void range_decode(Bytes code, Words p, Bytes bits) {
  Arrays a;
  const uint8_t* from = a.in(code, "code", {-1});
  RangeDecoder coder(from, a.size(0));
  const uint32_t* of = a.in(p, "p", {-1});
  int64_t n = a.size(0);
  uint8_t* bit = a.out(bits, "bits", {n});
  for (int64_t i = 0; i < n; ++i) {
    expect(0 < of[i] && of[i] < 65536, "p must be in 1..65535");
    bit[i] = uint8_t(coder.code(0, of[i]));
  }
}

// Logits (256) -> the tree (512).
void frequency_tree(Floats logits, Words tree) {
  Arrays a;
  const float* from = a.in(logits, "logits", {256});
  uint32_t* to = a.out(tree, "tree", {512});
  Native native;
  fastest(level_of(1, 1), [&](auto stages) { tree_of<decltype(stages)>(from, 256, nullptr, to); });
}

// The stages that serve: avx2 or plain.
std::string coding_isa() {
#if defined(ELMAN_CODING_AVX2)
  if (has_avx2() && !only_plain) return "avx2";
#endif
  return "plain";
}
void set_coding_isa(const std::string& name) {
  expect(name.empty() || name == "plain" || name == "avx2", "the coder's stages are avx2 or plain; or empty, for the best");
  only_plain = name == "plain";
  if (name == "avx2" && coding_isa() != name) throw std::runtime_error("this machine cannot run the coder's avx2");
}

// --- messages ---

class PyMessages {
 public:
  PyMessages(Bytes past, int level, int end, const PyPredictor* predictor, int contract) {
    expect(0 <= end && end <= 255, "end must be a byte");
    if (predictor) predictor_ = *predictor;
    Arrays a;
    const uint8_t* from = a.in(past, "past", {-1});
    Block block = checked(contract, level, 1, a.size(0));
    Native native;
    auto network = predictor_.source ? predictor_.open() : nullptr;
    messages_ = std::make_unique<const Messages>(level, network.get(), predictor_.alphabet, uint8_t(end), from, block.size, contract);
  }

  nb::list encode(const std::vector<nb::bytes>& messages) const {
    std::vector<Text> codes;
    std::vector<Piece> pieces = pieces_of(messages);
    {
      Native native;
      codes = messages_->encode(predictor_.source.get(), pieces);
    }
    return list_of(codes);
  }

  // And the number of the first message that is longer than `most`, or -1.
  std::tuple<nb::list, int64_t> decode(const std::vector<nb::bytes>& codes, int64_t most) const {
    expect(most >= 0, "most must be at least 0");
    std::vector<Text> messages;
    std::vector<Piece> pieces = pieces_of(codes);
    int64_t too_long;
    {
      Native native;
      messages = messages_->decode(predictor_.source.get(), pieces, most, too_long);
    }
    return {list_of(messages), too_long};
  }

 private:
  // The vector's references hold the bytes, which nobody can change.
  static std::vector<Piece> pieces_of(const std::vector<nb::bytes>& given) {
    std::vector<Piece> pieces;
    for (const nb::bytes& b : given) pieces.push_back({static_cast<const uint8_t*>(b.data()), int64_t(b.size())});
    return pieces;
  }
  static nb::list list_of(const std::vector<Text>& texts) {
    nb::list list;
    for (const Text& text : texts) list.append(to_python(text));
    return list;
  }

  PyPredictor predictor_{nullptr, Alphabet(), 0};
  std::unique_ptr<const Messages> messages_;
};

}  // namespace

void bind_coding(nb::module_& m) {
  nb::class_<PyPredictor>(m, "Predictor").def_prop_ro("ids", [](const PyPredictor& p) { return p.ids; });
  m.def("float_predictor", &float_predictor, nb::kw_only(), "cell"_a, "layers"_a, "w_out"_a, "b_out"_a.none(),
        "embedding"_a.none() = nb::none(), "ids_of_bytes"_a.none() = nb::none(), "unknown"_a = 0, "first"_a = 10);
  m.def("integer_predictor", &integer_predictor, "network"_a, nb::kw_only(), "ids_of_bytes"_a.none() = nb::none(),
        "unknown"_a = 0, "first"_a = 10);
  m.def("encode_block", &py_encode_block, "bytes"_a, nb::kw_only(), "level"_a, "rows"_a, "predictor"_a.none(), "contract"_a = 1);
  m.def("decode_block", &py_decode_block, "code"_a, "bytes"_a, nb::kw_only(), "level"_a, "rows"_a, "predictor"_a.none(), "contract"_a = 1);
  m.def("range_encode", &range_encode, "bits"_a, "p"_a);
  m.def("range_decode", &range_decode, "code"_a, "p"_a, "bits"_a);
  m.def("coding_isa", &coding_isa);
  m.def("set_coding_isa", &set_coding_isa, "name"_a);
  m.def("frequency_tree", &frequency_tree, "logits"_a, "tree"_a);
  nb::class_<PyMessages>(m, "Messages")
      .def(nb::init<Bytes, int, int, const PyPredictor*, int>(), "past"_a, nb::kw_only(), "level"_a, "end"_a, "predictor"_a.none(),
           "contract"_a = 1)
      .def("encode", &PyMessages::encode, "messages"_a)
      .def("decode", &PyMessages::decode, "codes"_a, "most"_a);
}
