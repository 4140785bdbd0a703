// Messages, each coded alone: what was learned from a text is frozen, so a message has the same code in any company.
//
// A message is its bytes and then the byte `end`; after a byte `end` that belongs to the message comes a rare bit. A code of
// which that makes more than the message itself is replaced: kNeverFirst, then the message unchanged.
#pragma once
#include <cstdint>
#include <vector>

#include "block.h"

namespace elman::coding {

using Text = std::vector<uint8_t>;

struct Piece {
  const uint8_t* bytes;
  int64_t size;
};

class Messages {
 public:
  // past: messages, each with its `end`, from which contexts and mixers learn. mark: a bit that each code begins with, of
  // which a 1 has 15 parts of 16; -1: none. So a reader knows which of two coders made a code.
  Messages(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, const uint8_t* past, int64_t size, int contract = 1,
           int mark = -1);

  // source: of the network, or null. Both use as many threads as get_threads() says.
  std::vector<Text> encode(const Source* source, const std::vector<Piece>& messages) const;
  // A message of more than `most` bytes, or without an end, is not decoded: the lowest number of one is put in `too_long`
  // (-1: none).
  std::vector<Text> decode(const Source* source, const std::vector<Piece>& codes, int64_t most, int64_t& too_long) const;

 private:
  Memory memory_;
  Alphabet alphabet_;
  uint8_t end_;
  int mark_;
  Text past_;
};

}  // namespace elman::coding
