// The byte that is likeliest to come, by the network or else by the match, and how sure they are of it.
#pragma once
#include <cstdint>

#include "tables.h"

namespace elman::coding {

struct Foreseen {
  static constexpr int kClasses = 8;       // of certainty, the least first

  uint16_t leaf = 0;                       // 256 + the byte; 0: none
  uint16_t certainty = 0;

  // tree: as in frequencies.h. The likelier half at each node, which is the likeliest byte but for close calls.
  static Foreseen by_network(const Tables& t, const uint32_t* tree) {
    uint32_t node = 1;
    while (node < 256) node = 2 * node + (tree[2 * node + 1] > tree[2 * node]);
    constexpr int32_t kNats[kClasses - 1] = {600, 380, 230, 128, 60, 20, 5};  // in 1/256
    int32_t nats = log256(t, tree[1]) - log256(t, tree[node]);
    int certainty = 0;
    while (certainty < kClasses - 1 && nats < kNats[certainty]) ++certainty;
    return {uint16_t(node), uint16_t(certainty)};
  }
  static Foreseen by_match(int leaf, int length_class) {
    constexpr int kLeast[kClasses - 1] = {1, 8, 16, 20, 21, 22, 23};
    int certainty = 0;
    while (certainty < kClasses - 1 && length_class >= kLeast[certainty]) ++certainty;
    return {uint16_t(leaf), uint16_t(certainty)};
  }

  bool agrees(int node, int depth) const { return leaf >> (8 - depth) == node; }
  // 0 .. 256 + 256 kClasses: the foreseen byte, or what it did not foresee.
  int place(int node, int depth) const { return agrees(node, depth) ? 256 + (leaf & 255) * kClasses + certainty : node; }
  // 0 .. 256 + 8 256 kClasses: and how many bits have agreed.
  int place_by_depth(int node, int depth) const {
    return agrees(node, depth) ? 256 + (place(node, depth) - 256) * 8 + depth : node;
  }
};

}  // namespace elman::coding
