// The ways in which a text can be cut into tokens, each with its weight: src/elman/generation/paths.py, which says why.
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include "side.h"
#include "tokens.h"

namespace elman::c {

// What the model says after a sequence of whole tokens. Nothing changes it but `after`, a cache.
struct Said {
  Place place;
  std::vector<int64_t> below;          // (N + 1): sums of the weights of the next token, in order; exact, as in nats.h
  double each;                         // the probability that a weight of 1 is
  std::unordered_map<int32_t, std::shared_ptr<Said>> after;  // of one more token; empty for the begin of a text, which stays
  double mass(int32_t low, int32_t high) const { return double(below[size_t(high)] - below[size_t(low)]) * each; }
};
using SharedSaid = std::shared_ptr<Said>;

struct Path {
  double weight;                       // its share of the probability of all paths
  SharedSaid said;                     // after its whole tokens
  int32_t pending;                     // the node of the begin of a token that is not whole yet
};

class Paths {
 public:
  // most: paths kept after each byte, 0: all. least: share of all below which one is dropped.
  bool open(const elman_model* model, const std::vector<std::string>& symbols, int32_t most, double least);
  std::vector<Path> begin() const { return {{1.0, first_, Tokens::kRoot}}; }
  // masses (A): the probability that each symbol is next.
  void masses(const std::vector<Path>& paths, double* masses);
  // The paths after a symbol: where no token spells it, those after <unk>.
  void enter(std::vector<Path>& paths, const std::string& symbol);

 private:
  // What the model says after each of these and its id.
  std::vector<SharedSaid> read(const std::vector<const Place*>& before, const std::vector<int64_t>& ids);
  // After one more token. Those that were not read before are, all side by side.
  struct Wanted {
    Said* said;
    int32_t token;
  };
  std::vector<SharedSaid> extended(const std::vector<Wanted>& wanted);
  bool step(std::vector<Path>& paths, uint8_t byte);
  double split(const SharedSaid& said, int32_t pending, const char* rest, double share);

  const elman_model* model_ = nullptr;
  size_t count_ = 0;                   // symbols
  struct Long {
    int32_t place;
    std::string bytes;
  };
  std::vector<Long> long_;             // symbols of several bytes, within which a token can end
  Tokens tokens_;
  size_t most_ = 0;
  double least_ = 0.0;
  SideBySide side_;
  std::vector<int32_t> weights_;       // (V)
  SharedSaid first_;
};

}  // namespace elman::c
