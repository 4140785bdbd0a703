// The tokens of a model as byte strings in order, in which those that begin alike are a range: src/elman/generation/tokens.py.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "elman.h"

namespace elman::c {

// A node of the tree of all beginnings of tokens: the bytes from the root to it.
struct Begun {
  int32_t low, high;                 // the tokens that begin so, in order
  int32_t token;                     // the token that is exactly this, or -1; it is `low` then
  std::vector<std::pair<uint8_t, int32_t>> next;       // nodes of one more byte
  struct Symbol {
    int32_t place, low, high;        // of the alphabet, and the tokens that begin with this and the symbol
  };
  std::vector<Symbol> symbols;       // those with which a token goes on
};

class Tokens {
 public:
  // false: a model whose tokens cannot be had, after fail().
  bool read(const elman_model* model, const std::vector<std::string>& symbols);
  const Begun& at(int32_t node) const { return nodes_[size_t(node)]; }
  int32_t next(int32_t node, uint8_t byte) const;      // or -1
  const std::vector<int32_t>& order() const { return order_; }
  bool whole() const { return whole_; }                // tokens are characters: none ends within one
  static constexpr int32_t kRoot = 0;

 private:
  int32_t grown(const std::vector<std::pair<std::string, int32_t>>& sorted, size_t low, size_t high, size_t depth);
  std::vector<Begun> nodes_;
  std::vector<int32_t> order_;
  bool whole_ = false;
};

}  // namespace elman::c
