// Primed n-grams and their mixture with a network: src/elman/typing/primed.py, which says what their file holds.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace elman::c {

constexpr int kGiven = 4, kSure = 7;   // classes: of what the longest context gives away, and of how sure the network is
constexpr int kLevels = 16;            // most levels of a file

class Primed {
 public:
  using Nodes = std::array<int32_t, kLevels>;  // of the contexts, from the shortest; -1: none

  // "": read; else what is wrong. Nothing of the file is believed. `symbols` is the alphabet.
  std::string read(const uint8_t* bytes, int64_t size, const std::vector<std::string>& symbols);
  bool empty() const { return levels_.empty(); }
  Nodes begin() const { return followed(root(), start_); }
  // number: that of `of`; -1 for a symbol that the n-grams lack.
  Nodes followed(Nodes nodes, int32_t number) const;
  int32_t of(int32_t place) const { return numbers_[size_t(place)]; }
  int32_t start() const { return start_; }
  void mix(const Nodes& nodes, double* p) const;       // p (A): the network's, and then the mixture
  void learn(const Nodes& nodes, const double* p, int32_t place);  // `place` came, of which the network said p (A)
  void forget();

 private:
  struct Level {
    std::vector<uint8_t> symbol, share;
    std::vector<int32_t> first;        // (nodes of the level before + 1)
  };
  static Nodes root();
  int32_t child(size_t order, int32_t node, int32_t number) const;
  size_t own(const Nodes& nodes, const double* p, std::vector<double>& to) const;  // the n-grams' distribution, and the class

  std::vector<Level> levels_;
  std::vector<int32_t> numbers_;       // (A) of each place
  int32_t count_ = 0, start_ = 0;      // symbols of the n-grams
  std::array<double, 256> shares_{};
  std::vector<double> trained_, kept_, all_;  // (levels, kGiven, kSure)
};

}  // namespace elman::c
