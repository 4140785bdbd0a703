// The coder in Python: `_cpu.encode_block`, `_cpu.decode_block`, `_cpu.Messages`.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "buffers.h"
#include "predictor.h"
#include "../team/pool.h"
#include "../coding/block.h"
#include "../coding/fastest.h"
#include "../coding/messages.h"
#include "../coding/range.h"

using namespace elman;
using namespace elman::coding;
using namespace nb::literals;

namespace {

constexpr int64_t kMostBytes = (int64_t(1) << 31) - 2;  // of a block or a past, whose places are 32 bits

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
  PyMessages(Bytes past, int level, int end, const PyPredictor* predictor, int contract, int mark) : PyMessages(level, end, predictor, contract, mark) {
    Text text = text_of(past, 0);
    Native native;
    auto network = open();
    messages_ = std::make_unique<const Messages>(level, network.get(), predictor_.alphabet, uint8_t(end), std::move(text), contract, mark);
  }

  // The past's last bytes, all but `known`, are coded as they are learned. None: they have no sound code.
  static std::optional<std::tuple<PyMessages, nb::bytes>> encoding(Bytes past, int64_t known, int level, int end, const PyPredictor* predictor,
                                                                   int contract) {
    PyMessages made(level, end, predictor, contract, -1);
    Text text = made.text_of(past, 0), code;
    expect(0 <= known && known <= int64_t(text.size()), "known must be bytes of the past");
    {
      Native native;
      auto network = made.open();
      auto both = Messages::encoding(level, network.get(), made.predictor_.alphabet, uint8_t(end), std::move(text), known, contract);
      if (both) {
        made.messages_ = std::make_unique<const Messages>(std::move(both->first));
        code = std::move(both->second);
      }
    }
    if (!made.messages_) return std::nullopt;
    return std::tuple(std::move(made), to_python(code));
  }

  // And the `size` bytes that were coded. None: no encoder made this code.
  static std::optional<std::tuple<PyMessages, nb::bytes>> decoding(Bytes past, Bytes code, int64_t size, int level, int end,
                                                                   const PyPredictor* predictor, int contract) {
    PyMessages made(level, end, predictor, contract, -1);
    expect(0 <= size && size <= kMostBytes, "a past is too large");
    Text text = made.text_of(past, size), from = made.text_of(code, 0);
    const auto known = int64_t(text.size()) - size;
    {
      Native native;
      auto network = made.open();
      auto taught = Messages::decoding(level, network.get(), made.predictor_.alphabet, uint8_t(end), std::move(text), known,
                                       {from.data(), int64_t(from.size())}, contract);
      if (taught) made.messages_ = std::make_unique<const Messages>(std::move(*taught));
    }
    if (!made.messages_) return std::nullopt;
    const uint8_t* coded = made.messages_->past().data() + known;
    nb::bytes text_coded(reinterpret_cast<const char*>(coded), size_t(size));
    return std::tuple(std::move(made), std::move(text_coded));
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
  PyMessages(int level, int end, const PyPredictor* predictor, int contract, int mark) {
    expect(0 <= end && end <= 255, "end must be a byte");
    expect(-1 <= mark && mark <= 1, "mark must be a bit, or -1");
    checked(contract, level, 1, 0);
    if (predictor) predictor_ = *predictor;
  }
  std::unique_ptr<Predictor> open() const { return predictor_.source ? predictor_.open() : nullptr; }
  // A copy, with room for `more` bytes behind it.
  static Text text_of(Bytes bytes, int64_t more) {
    Arrays a;
    const uint8_t* from = a.in(bytes, "bytes", {-1});
    expect(a.size(0) + more <= kMostBytes, "a past is too large");
    Text text(size_t(a.size(0) + more));
    std::copy_n(from, a.size(0), text.data());
    return text;
  }
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
  m.def("encode_block", &py_encode_block, "bytes"_a, nb::kw_only(), "level"_a, "rows"_a, "predictor"_a.none(), "contract"_a = 1);
  m.def("decode_block", &py_decode_block, "code"_a, "bytes"_a, nb::kw_only(), "level"_a, "rows"_a, "predictor"_a.none(), "contract"_a = 1);
  m.def("range_encode", &range_encode, "bits"_a, "p"_a);
  m.def("range_decode", &range_decode, "code"_a, "p"_a, "bits"_a);
  m.def("coding_isa", &coding_isa);
  m.def("set_coding_isa", &set_coding_isa, "name"_a);
  m.def("frequency_tree", &frequency_tree, "logits"_a, "tree"_a);
  nb::class_<PyMessages>(m, "Messages")
      .def(nb::init<Bytes, int, int, const PyPredictor*, int, int>(), "past"_a, nb::kw_only(), "level"_a, "end"_a, "predictor"_a.none(),
           "contract"_a = 1, "mark"_a = -1)
      .def_static("encoding", &PyMessages::encoding, "past"_a, "known"_a, nb::kw_only(), "level"_a, "end"_a, "predictor"_a.none(),
                  "contract"_a = 1)
      .def_static("decoding", &PyMessages::decoding, "past"_a, "code"_a, "size"_a, nb::kw_only(), "level"_a, "end"_a,
                  "predictor"_a.none(), "contract"_a = 1)
      .def("encode", &PyMessages::encode, "messages"_a)
      .def("decode", &PyMessages::decode, "codes"_a, "most"_a);
}
