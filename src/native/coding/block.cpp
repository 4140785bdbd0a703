#include "block.h"

#include <algorithm>
#include <cstring>

#include "fastest.h"
#include "range.h"

namespace elman::coding {
namespace {

constexpr Level kFirst[kLevels] = {
    {1, {ORDER2}, 0, 18},
    {2, {ORDER2, ORDER4}, 0, 20},
    {3, {ORDER2, ORDER4, WORD}, 6, 20},
    {4, {ORDER1, ORDER2, ORDER4, WORD}, 6, 21},
    {6, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER6, WORD}, 6, 21},
    {8, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER5, ORDER6, WORD, WORDS}, 6, 21},
    {8, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER5, ORDER6, WORD, WORDS}, 6, 22},
    {9, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER5, ORDER6, WORD, WORDS, SPARSE}, 6, 22},
    {10, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER5, ORDER6, WORD, WORDS, SPARSE, ORDER8}, 6, 22},
};

// The second contract's levels from kSecondFrom on; those below have the first's contexts.
constexpr int kSecondFrom = 6;
constexpr Level kSecond[] = {
    {8, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER6, WORD, WORDS, FOLLOWED2}, 6, 21},
    {10, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER6, WORD, WORDS, FOLLOWED2, ABOVE, FORESEEN}, 6, 22},
    {13, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER5, ORDER6, WORD, WORDS, FOLLOWED2, FOLLOWED1, ABOVE, COLUMN, FORESEEN}, 6, 22},
    {16, {ORDER1, ORDER2, ORDER3, ORDER4, ORDER5, ORDER6, WORD, WORDS, FOLLOWED2, FOLLOWED1, ABOVE, COLUMN, FORESEEN, ORDER8, FIELD, SPARSE}, 6, 22},
};

// The loop for both ways. bytes: what an encoder reads, or a decoder writes. False: no sound code.
template <class Stages>
inline bool run(RangeCoder coder, const Block& block, Predictor* network, const Alphabet& alphabet, uint8_t* bytes) {
  int64_t size = block.size, rows = block.rows < size ? block.rows : size;
  if (!size) return true;
  int64_t stride = (size + rows - 1) / rows;
  Memory memory(level_of(block.contract, block.level), kRules[block.contract - 1], network != nullptr, size);
  BitModel<true, Stages> model(memory);
  std::vector<Row> row(static_cast<size_t>(rows));
  std::vector<int64_t> ids(static_cast<size_t>(rows), alphabet.first);
  std::vector<uint32_t> tree(512);
  for (int64_t r = 0; r < rows; ++r) {
    row[size_t(r)].text = bytes + r * stride;
    memory.look_ahead(row[size_t(r)]);
  }
  if (network) network->begin(rows);
  for (int64_t t = 0; t < stride; ++t) {
    const float* logits = network ? network->read(ids.data()) : nullptr;
    for (int64_t r = 0; r < rows; ++r) {
      int64_t at = r * stride + t;
      if (at >= size) break;               // the last row may be shorter, and some that would follow it empty
      if (r + 1 < rows) memory.prefetch(row[size_t(r + 1)]);
      const uint32_t* likely = logits ? tree_of_row<Stages>(*network, logits, r, alphabet.names(), tree.data()) : nullptr;
      const int known = coder.decodes() ? -1 : bytes[at];
      model.begin_byte(row[size_t(r)], likely, bytes, known);
      for (int i = 7; i >= 0; --i) {
        uint32_t p = model.predict();
        model.update(coder.code(known >> i & 1, p));
      }
      int byte = model.byte();
      if (coder.decodes()) {
        bytes[at] = uint8_t(byte);
        if (coder.lost()) return false;
        if (coder.ones_follow()) {
          for (int64_t q = 0; q < rows; ++q) {
            int64_t from = q * stride + t + (q <= r), to = std::min((q + 1) * stride, size);
            if (from < to) std::memset(bytes + from, 0xFF, size_t(to - from));
          }
          return true;
        }
      }
      ids[size_t(r)] = alphabet.id_of(byte);
      model.end_byte(bytes + at + 1, t + 1, bytes, stride, size);
      model.remember(row[size_t(r)], at + 1 < size ? at + 1 : 0);
    }
  }
  return true;
}

}  // namespace

const Level& level_of(int contract, int number) {
  return contract == 1 || number < kSecondFrom ? kFirst[number - 1] : kSecond[number - kSecondFrom];
}

std::optional<std::vector<uint8_t>> encode_block(const Block& block, Predictor* network, const Alphabet& alphabet,
                                                 const uint8_t* bytes) {
  RangeEncoder coder;
  fastest(level_of(block.contract, block.level), [&](auto stages) {
    run<decltype(stages)>(RangeCoder(coder), block, network, alphabet, const_cast<uint8_t*>(bytes));
  });
  std::vector<uint8_t> code = coder.finish();
  if (!coder.sound()) return std::nullopt;
  return code;
}

bool decode_block(const Block& block, Predictor* network, const Alphabet& alphabet, const uint8_t* code, int64_t code_size,
                  uint8_t* bytes) {
  RangeDecoder coder(code, code_size);
  if (coder.ones_follow()) {               // from the first bit on: no tables are made
    if (block.size) std::memset(bytes, 0xFF, size_t(block.size));
    return true;
  }
  bool sound = false;
  fastest(level_of(block.contract, block.level), [&](auto stages) {
    sound = run<decltype(stages)>(RangeCoder(coder), block, network, alphabet, bytes);
  });
  return sound;
}

}  // namespace elman::coding
