// Counts of what followed the last symbols, mixed into what another model says: src/elman/scoring/ngrams.py, term for term.
#pragma once
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace elman::c {

constexpr int kOrder = 7;              // most symbols of a context

// The last symbols, of each order, as the digits of a number.
struct Contexts {
  std::array<uint64_t, kOrder + 1> of{};
  int size = 0;
};

class Counts {
 public:
  explicit Counts(uint32_t symbols) : base_(symbols) {}
  Contexts begin(uint32_t symbol) const;               // no context reaches beyond `symbol`
  Contexts followed(const Contexts& contexts, uint32_t symbol) const;
  void mixed(const Contexts& contexts, double* p) const;  // p (base): of another model, and then the mixture
  void learn(const Contexts& contexts, uint32_t symbol, double p);
  void forget() { seen_ = {}, weights_.clear(), learned_ = 0; }
  int64_t learned() const { return learned_; }

 private:
  struct Seen {
    int64_t all = 0;
    std::vector<std::pair<uint32_t, int64_t>> of;      // symbols and how often each came
  };
  struct Weight {
    double kept, all;
  };
  static uint32_t kind(int order, const Seen& seen);

  uint32_t base_;
  int64_t learned_ = 0;
  std::array<std::unordered_map<uint64_t, Seen>, kOrder + 1> seen_;
  std::unordered_map<uint32_t, Weight> weights_;
};

}  // namespace elman::c
