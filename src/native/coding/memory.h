// Everything that is learned while coding: tables of contexts and matches, weights, corrections.
#pragma once
#include <cstdint>
#include <vector>

#include "contexts.h"
#include "foreseen.h"
#include "huge.h"
#include "mixer.h"
#include "tables.h"

namespace elman::coding {

// What a level takes part in.
struct Level {
  int contexts;                            // of `kinds`, from the first
  Context kinds[kMostContexts];
  int match_least;                         // bytes of a match; 0: none
  int bits;                                // log2 of the buckets, at most
};

// What differs between the contracts: the first, and the second, in which the foreseen byte takes part (foreseen.h).
struct Rules {
  int groups;                              // of three weight sets
  int32_t rate, falls;                     // of the weights, in 1/16: at last, and what it falls by
  int last_shift, two_shift;               // how slowly the last set and the correction by two bytes move
  uint32_t misses;                         // a match is kept so often although it was wrong
  bool foresees;
  uint32_t parts[4];                       // of a bit's probability, in eighths: uncorrected, and by each correction
};
constexpr int kContracts = 3;              // the third is the second beside a network of longer tokens (marginals.h)
constexpr Rules kSecondRules = {2, 16, 200, 1, 5, 8, true, {1, 1, 3, 3}};
constexpr Rules kRules[kContracts] = {{1, 20, 100, 2, 5, 0, false, {2, 2, 4, 0}}, kSecondRules, kSecondRules};

constexpr int kMatchLengths = 24, kMatchClasses = 4, kMisses = 4;

inline int match_length_class(uint32_t length) {
  return length < 16 ? int(length) : length < 32 ? 16 + int(length - 16) / 4 : length < 64 ? 20 : length < 128 ? 21 : length < 512 ? 22 : 23;
}

inline int log2_up(int64_t x) {
  int bits = 0;
  while ((int64_t(1) << bits) < x) ++bits;
  return bits;
}

// A mixer's inputs: of each context, in `lanes` of a vector, stretch(p); of each p - 1/2; then the network's two, the match's
// two, a constant, the network's or the match's word corrected (contract 2), and two zeros.
inline int lanes_of(const Level& level) { return level.contexts <= 8 ? 8 : kMostLanes; }
enum Input : int { NETWORK, NETWORK_LINEAR, MATCH, MATCH_LINEAR, CONSTANT, REFINED };

struct Memory {
  static constexpr int kOrders = kMostContexts + 1, kStrengths = 16;

  Level level;
  Rules rules;
  bool network;                            // there is one
  int lanes, inputs;
  Buckets buckets;
  std::vector<Adaptive> maps;              // (lanes, 1024)
  std::vector<Adaptive> match_maps;        // (kMisses, kMatchLengths)
  std::vector<int32_t, Huge<int32_t>> match_table;  // hash of the last bytes -> where the byte after them lies, or 0
  Followers followers;
  Mixer by_partial, by_order, by_strength, by_earlier, by_foreseen, by_letters, last;
  Correction by_byte;
  int two_bits;                            // of the hash of two bytes
  Correction by_two, by_likely, refined;
  uint32_t seen = 0;                       // bytes

  // `size`: bytes that will come, which bounds the tables.
  Memory(const Level& given, const Rules& contract, bool has_network, int64_t size)
      : level(given), rules(contract), network(has_network), lanes(lanes_of(given)), inputs(2 * lanes + 8),
        buckets(clamp(log2_up(size * 2 * given.contexts), 8, given.bits)), maps(size_t(lanes) * 1024),
        match_maps(kMatchLengths * kMisses), match_table(given.match_least ? size_t(1) << clamp(log2_up(size), 8, 22) : 1),
        followers(rules.foresees), by_partial(inputs, 256, 0), by_order(inputs, kOrders * kMatchClasses * 2, 0),
        by_strength(inputs, kStrengths * 8 * 2, 0), by_earlier(inputs, rules.foresees ? 256 : 0, 0),
        by_foreseen(inputs, rules.foresees ? 256 + 256 * Foreseen::kClasses : 0, 0), by_letters(inputs, rules.foresees ? 9 * 8 : 0, 0),
        last(8, 256, (65536 + rules.groups) / (3 * rules.groups)), by_byte(256 * kMatchClasses),
        two_bits(clamp(log2_up(size), 8, 16)), by_two(1 << two_bits),
        by_likely(rules.foresees ? 256 + 256 * Foreseen::kClasses * 8 : 0), refined(rules.foresees ? 1 << 16 : 0) {
    for (size_t i = 0; i < maps.size(); ++i) maps[i] = Adaptive::at(uint32_t(i % 1024 >> 4) * 1024 + 512);
    for (uint32_t i = 0; i < kMatchLengths * kMisses; ++i) match_maps[i] = Adaptive::at(65536 - 65536 / (i % kMatchLengths + 3));
    for (Mixer* mixer : {&by_partial, &by_order, &by_strength, &by_earlier, &by_foreseen, &by_letters})
      for (int s = 0; s < mixer->sets(); ++s) start(mixer->set(s));
  }
  // Of the mixers' weights, in 1/16.
  int32_t rate() const { return rules.rate + int32_t(uint32_t(rules.falls) * 8192 / (8192 + (seen < (1u << 20) ? seen : 1u << 20))); }
  // For a frozen memory that has learned nothing: the network's word is taken unchanged.
  void trust_network() {
    for (Mixer* mixer : {&by_partial, &by_order, &by_strength, &by_earlier, &by_foreseen, &by_letters})
      for (int s = 0; s < mixer->sets(); ++s)
        for (int i = 0; i < inputs; ++i) mixer->set(s)[i] = i == 2 * lanes + NETWORK ? 65536 : 0;
  }

  // The hashes of what came before a byte, and its place in the match table.
  void look_ahead(Recent& recent) const {
    hash_contexts(recent, level.kinds, level.contexts, followers);
    if (level.match_least)
      recent.match_place = mix_hash(recent.last & first_bytes(level.match_least), 0x77u << 24) & uint32_t(match_table.size() - 1);
  }
  void hash_foreseen(Recent& recent, const Foreseen& foreseen) const {
    for (int i = 0; i < level.contexts; ++i) {
      if (level.kinds[i] != FORESEEN) continue;
      recent.hashes[i] = mix_hash(uint64_t(recent.word) << 32 | uint64_t(foreseen.leaf) << 8 | (recent.last & 255), uint32_t(FORESEEN) << 24);
      buckets.prefetch(recent.hashes[i]);
    }
    prefetch_corrections(recent, foreseen, 1);
  }
  void prefetch(const Recent& recent) const {
    for (int i = 0; i < level.contexts; ++i) buckets.prefetch(recent.hashes[i]);
    fetch(&match_table[recent.match_place]);
    by_two.prefetch(two_place(recent, 1));
    if (rules.foresees) refined.prefetch(refined_place(recent, 1));
  }
  // Of a node the second contract's corrections, of which `refined` is asked first, so it is fetched for the node's children.
  void prefetch_corrections(const Recent& recent, const Foreseen& foreseen, int node) const {
    by_likely.prefetch(foreseen.place_by_depth(node, top_bit(uint32_t(node))));
    if (node < 128) refined.prefetch(refined_place(recent, 2 * node), 2);
  }
  // The correction by the last byte and the bits so far.
  int two_place(const Recent& recent, int node) const {
    return int(uint32_t(int(recent.last & 255) << 8 | node) * 0x9E3779B1u >> (32 - two_bits));
  }
  // The correction of the network's or the match's word, by the last byte and the bits so far.
  static int refined_place(const Recent& recent, int node) { return int(recent.last & 255) << 8 | node; }

 private:
  void start(int32_t* w) const {
    for (int i = 0; i < level.contexts; ++i) w[i] = network ? 6554 : 13107;
    w[2 * lanes + NETWORK] = network ? 45875 : 0;
    w[2 * lanes + MATCH] = 19661;
  }
};

}  // namespace elman::coding
