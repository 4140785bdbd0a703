// What a network says of messages that are known: read side by side, before any of them is learned from.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "block.h"
#include "fastest.h"

namespace elman::coding {

// What a known byte asks of its tree: the two children of each node on its way. A whole tree has 32 times as many.
struct Way {
  uint32_t children[8][2];
  Foreseen foreseen;

  Way() = default;
  Way(const uint32_t* tree, int byte) : foreseen(Foreseen::by_network(tables(), tree)) {
    for (int depth = 0; depth < 8; ++depth)
      for (int bit = 0; bit < 2; ++bit) children[depth][bit] = tree[2 * node(byte, depth) + bit];
  }
  void fill(uint32_t* tree, int byte) const {
    for (int depth = 0; depth < 8; ++depth)
      for (int bit = 0; bit < 2; ++bit) tree[2 * node(byte, depth) + bit] = children[depth][bit];
  }
  static int node(int byte, int depth) { return (256 | byte) >> (8 - depth); }
};

// ways (rows): what the network says of the bytes of as many messages, which lie in `text` from starts[r] to starts[r + 1].
template <class Stages>
inline void foretell(Predictor& network, const Alphabet& alphabet, const uint8_t* text, const int64_t* starts, size_t rows,
                     std::vector<std::vector<Way>>& ways) {
  int64_t longest = 0;
  for (size_t r = 0; r < rows; ++r) {
    ways[r].resize(size_t(starts[r + 1] - starts[r]));
    longest = std::max(longest, starts[r + 1] - starts[r]);
  }
  std::vector<int64_t> ids(rows, alphabet.first);
  std::vector<uint32_t> tree(512);
  network.begin(int64_t(rows));
  for (int64_t t = 0; t < longest; ++t) {
    const float* logits = network.read(ids.data());
    for (size_t r = 0; r < rows; ++r) {
      if (starts[r] + t >= starts[r + 1]) continue;
      int byte = text[starts[r] + t];
      const uint32_t* likely = tree_of_row<Stages>(network, logits, int64_t(r), alphabet.names(), tree.data());
      ways[r][size_t(t)] = Way(likely, byte);
      ids[r] = alphabet.id_of(byte);
    }
  }
}

}  // namespace elman::coding
