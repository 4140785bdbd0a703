// The ways in which a text can be cut into tokens, each with its weight: src/elman/generation/paths.py, which says why.
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include "elman.h"
#include "tokens.h"

namespace elman::c {

// What the model says after a sequence of whole tokens. Nothing changes it but `after`, a cache.
struct Said {
  struct Free {
    void operator()(elman_state* state) const { elman_state_free(state); }
  };
  std::unique_ptr<elman_state, Free> state;
  std::vector<double> below;           // (N + 1): sums of the probabilities of the next token, in order
  std::unordered_map<int32_t, std::shared_ptr<Said>> after;  // of one more token; empty for the begin of a text, which stays
};

struct Path {
  double weight;                       // its share of the probability of all paths
  std::shared_ptr<Said> said;          // after its whole tokens
  int32_t pending;                     // the node of the begin of a token that is not whole yet
};

class Paths {
 public:
  // most: paths kept after each byte, 0: all. least: share of all below which one is dropped.
  bool open(const elman_model* model, const std::vector<std::string>& symbols, int32_t most, double least);
  std::vector<Path> begin() const { return {{1.0, first_, Tokens::kRoot}}; }
  // masses (A): the probability that each symbol is next.
  bool masses(const std::vector<Path>& paths, double* masses);
  // The paths after a symbol: where no token spells it, those after <unk>.
  bool enter(std::vector<Path>& paths, const std::string& symbol);

 private:
  std::shared_ptr<Said> read(const elman_state* state, int32_t token) const;
  std::shared_ptr<Said> extended(const std::shared_ptr<Said>& said, int32_t token);
  bool step(std::vector<Path>& paths, uint8_t byte);
  double split(const std::shared_ptr<Said>& said, int32_t pending, const char* rest, double share);

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
  bool failed_ = false;
  std::shared_ptr<Said> first_;
};

}  // namespace elman::c
