// A block of bytes, coded and decoded: `rows` pieces of it side by side, so the network steps once for all of them and
// each learns at once from what the others held.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "model.h"
#include "predictor.h"

namespace elman::coding {

constexpr int kLevels = 9;
const Level& level_of(int contract, int number);  // 1 .. kContracts, 1 .. kLevels

// How the 256 bytes are called in the network's vocabulary.
struct Alphabet {
  bool plain = true;                       // byte b is id b
  int16_t of_byte[256];                    // else: its id, or -1
  int64_t unknown = 0;                     // the id that is read for a byte without one
  int64_t first = 10;                      // read before the first byte

  int64_t id_of(int byte) const { return plain ? byte : of_byte[byte] < 0 ? unknown : of_byte[byte]; }
  const int16_t* names() const { return plain ? nullptr : of_byte; }
};

struct Block {
  int level;                               // 1 .. kLevels
  int64_t rows, size;                      // 1 .. 1024; bytes in all
  int contract = 1;                        // 1 .. kContracts
};

// network: or null. The two throw std::bad_alloc alone.
// Nothing: decode_block would refuse the code, as only bytes that were made for it can bring about.
std::optional<std::vector<uint8_t>> encode_block(const Block& block, Predictor* network, const Alphabet& alphabet,
                                                 const uint8_t* bytes);
// False: no encoder made this code; what is in `bytes` is of no use.
bool decode_block(const Block& block, Predictor* network, const Alphabet& alphabet, const uint8_t* code, int64_t code_size,
                  uint8_t* bytes);

}  // namespace elman::coding
