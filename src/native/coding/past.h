// What a past teaches: text of messages, each with its `end`. From most of it contexts alone learn, which is fast; from its
// end the mixers do too, beside the network.
//
// A past may be coded as it is learned, so that reading it costs one pass. Where contexts alone learn, a bit's probability
// is what the mixers say that have learned nothing.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "block.h"

namespace elman::coding {

using Text = std::vector<uint8_t>;

struct Lesson {
  Memory& memory;
  Predictor* network;                      // or null
  const Alphabet& alphabet;
  uint8_t end;
  Text& past;                              // all of it, or room for it
};

// The row before a message.
inline Row fresh_row(const Memory& memory, uint8_t end) {
  Row row;
  row.last = end;
  memory.look_ahead(row);
  return row;
}

void learn(const Lesson& lesson, int64_t size);  // from the past's first `size` bytes
// The past's first `known` bytes are learned, and those behind them coded. Nothing: they have no sound code.
std::optional<Text> encode_past(const Lesson& lesson, int64_t known);
// Puts them in the past. False: no encoder made this code.
bool decode_past(const Lesson& lesson, int64_t known, const uint8_t* code, int64_t code_size);

}  // namespace elman::coding
