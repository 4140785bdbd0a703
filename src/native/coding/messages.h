// Messages, each coded alone: what was learned from a text is frozen, so a message has the same code in any company.
//
// A message is its bytes and then the byte `end`; after a byte `end` that belongs to the message comes a rare bit. A code of
// which that makes more than the message itself is replaced: kNeverFirst, then the message unchanged.
#pragma once
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "block.h"
#include "past.h"

namespace elman::coding {

struct Piece {
  const uint8_t* bytes;
  int64_t size;
};

class Messages {
 public:
  // past: messages, each with its `end`, from which contexts and mixers learn. mark: a bit that each code begins with, of
  // which a 1 has 15 parts of 16; -1: none. So a reader knows which of two coders made a code.
  Messages(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, Text past, int contract = 1, int mark = -1);

  // The same, and the code of the past behind its first `known` bytes. Nothing: it has no sound code.
  static std::optional<std::pair<Messages, Text>> encoding(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, Text past,
                                                           int64_t known, int contract = 1);
  // From that code: what `past` holds behind its first `known` bytes does not matter. Nothing: no encoder made the code.
  static std::optional<Messages> decoding(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, Text past, int64_t known,
                                          const Piece& code, int contract = 1);

  // source: of the network, or null. Both use as many threads as get_threads() says.
  std::vector<Text> encode(const Source* source, const std::vector<Piece>& messages) const;
  // A message of more than `most` bytes, or without an end, is not decoded: the lowest number of one is put in `too_long`
  // (-1: none).
  std::vector<Text> decode(const Source* source, const std::vector<Piece>& codes, int64_t most, int64_t& too_long) const;

  const Text& past() const { return past_; }

 private:
  Messages(int level, const Alphabet& alphabet, uint8_t end, Text past, int contract, int mark, bool network);
  Lesson lesson(Predictor* network) { return {memory_, network, alphabet_, end_, past_}; }

  Memory memory_;
  Alphabet alphabet_;
  uint8_t end_;
  int mark_;
  Text past_;
};

}  // namespace elman::coding
