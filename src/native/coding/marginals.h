// A network of longer tokens as a coder's predictor of bytes: the probability of a byte is the sum over all tokens that go on
// with it, and over the ways to cut the bytes so far into tokens, of which the heaviest are followed.
//
// Floating point ends where a logit becomes a frequency; sums and shares are integers, so both ends have the same.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "predictor.h"
#include "tokens.h"

namespace elman::coding {

// The ways that are followed after each byte: so many, and none with less than 2^-least of all. Chosen on everyday talk: 4 and
// 2^-10 read a third more tokens for nothing, 2 ways make codes 3 % larger, and so does 2^-6.
struct Followed {
  int ways = 3, least = 9;                 // least: 0 .. 32
};

class Marginals : public Predictor {
 public:
  // first: the id that is read before a text.
  Marginals(std::unique_ptr<Predictor> network, std::shared_ptr<const Tokens> tokens, int64_t first, Followed followed);

  int64_t ids() const override { return 256; }
  void begin(int64_t rows) override;
  void clear(int64_t row) override;
  // Reads bytes. What a row reads first is not used: the text begins after `first`.
  const float* read(const int64_t* bytes) override;
  const uint32_t* trees() const override { return trees_.data(); }

 private:
  // What the network says after a sequence of whole tokens.
  struct Said {
    std::vector<uint8_t> state;
    std::vector<uint64_t> below;           // (N + 1): sums of the next token's frequencies, in the order of `Tokens`
  };
  using Kept = std::shared_ptr<Said>;
  // A way to cut the bytes so far: whole tokens, and the begin of one that is not whole yet.
  struct Path {
    uint32_t weight;                       // its share, in 2^-28
    Kept said;                             // after its whole tokens
    Range begun;                           // the tokens that can be next
  };
  struct Row {
    std::vector<Path> paths;
    bool fresh = true;
  };
  struct Wanted {                          // a token to read, and where what is said after it goes
    Kept after;
    int64_t token;
    Kept to;
  };

  Kept blank();
  void step(Row& row, uint8_t byte);
  void lost(Row& row, uint8_t byte);
  void read_wanted();
  void say(const Path& path, uint32_t* leaves) const;

  std::unique_ptr<Predictor> network_;
  std::shared_ptr<const Tokens> tokens_;
  Followed followed_;
  Kept first_;
  std::vector<Row> rows_;
  std::vector<Wanted> wanted_;
  std::vector<Kept> spare_;
  std::vector<int64_t> ids_;
  std::vector<uint32_t> frequencies_, trees_;
};

class MarginalSource : public Source {
 public:
  MarginalSource(std::shared_ptr<const Source> network, std::shared_ptr<const Tokens> tokens, int64_t first)
      : network_(std::move(network)), tokens_(std::move(tokens)), first_(first) {}
  std::unique_ptr<Predictor> open() const override { return open({}); }
  std::unique_ptr<Predictor> open(Followed followed) const { return std::make_unique<Marginals>(network_->open(), tokens_, first_, followed); }

 private:
  std::shared_ptr<const Source> network_;
  std::shared_ptr<const Tokens> tokens_;
  int64_t first_;
};

}  // namespace elman::coding
