// The probability of the next bit: a network's distribution over bytes, contexts and a match, mixed.
//
// All of it is integers. What it has learned (`Memory`) is shared by all rows, which are coded in a fixed order.
#pragma once
#include <cstdint>
#include <vector>

#include "contexts.h"
#include "frequencies.h"
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

constexpr int kMatchBuckets = 24;

// Everything that is learned while coding.
struct Memory {
  Level level;
  bool network;                            // there is one
  int inputs;                              // of the mixers, a multiple of 8
  Buckets buckets;
  std::vector<Adaptive> maps;              // (contexts, 1024)
  std::vector<Adaptive> match_maps;        // (kMatchBuckets)
  std::vector<int32_t> match_table;        // hash of the last bytes -> where the byte after them lies, or 0
  Mixer by_partial, by_order, by_network, last;
  Correction by_byte, by_two;
  uint32_t seen = 0;                       // bytes

  static int inputs_of(const Level& level) { return (2 * level.contexts + 2 + 2 + 1 + 7) / 8 * 8; }

  // `size`: bytes that will come, which bounds the tables.
  Memory(const Level& given, bool network_, int64_t size)
      : level(given), network(network_), inputs(inputs_of(given)), buckets(bits_for(given, size)),
        maps(size_t(given.contexts) * 1024), match_maps(kMatchBuckets), match_table(given.match_least ? size_t(1) << match_bits(size) : 1),
        by_partial(inputs, 256, 0), by_order(inputs, 12 * 4 * 2, 0), by_network(inputs, 16 * 8 * 2, 0), last(8, 256, 21845),
        by_byte(256 * 4), by_two(1 << 16) {
    for (size_t i = 0; i < maps.size(); ++i) {
      uint32_t p = uint32_t(i % 1024) >> 4;
      maps[i] = Adaptive::at(p * 1024 + 512);
    }
    for (int i = 0; i < kMatchBuckets; ++i) match_maps[size_t(i)] = Adaptive::at(uint32_t(65536 - 65536 / (i + 3)));
    for (int s = 0; s < 256; ++s) start(by_partial.set(s));
    for (int s = 0; s < 12 * 4 * 2; ++s) start(by_order.set(s));
    for (int s = 0; s < 16 * 8 * 2; ++s) start(by_network.set(s));
  }
  void start(int32_t* w) const {
    for (int i = 0; i < level.contexts; ++i) w[2 * i] = network ? 65536 / 10 : 65536 * 3 / 10;
    int at = 2 * level.contexts;
    w[at] = network ? 65536 * 7 / 10 : 0;
    w[at + 2] = 65536 * 3 / 10;
  }
  static int log2_up(int64_t x) {
    int bits = 0;
    while ((int64_t(1) << bits) < x) ++bits;
    return bits;
  }
  static int bits_for(const Level& level, int64_t size) { return clamp(log2_up(size * 2 * level.contexts), 8, level.bits); }
  static int match_bits(int64_t size) { return clamp(log2_up(size), 8, 22); }
};

// One bit's inputs and how its probability came about, kept until the bit is known.
class BitModel {
 public:
  explicit BitModel(Memory& memory) : m_(memory), t_(tables()) {}

  // Before a byte: tree as in frequencies.h, or null; `bytes` is the text, to which row.match points.
  void begin_byte(Row& row, const uint32_t* tree, const uint8_t* bytes) {
    row_ = &row;
    tree_ = tree;
    node_ = 1;
    expected_ = row.match >= 0 ? int(bytes[row.match]) | 256 : 0;
    c1_ = int(row.last & 255);
    half_byte(1);
  }

  uint32_t predict() {
    const Level& level = m_.level;
    int node4 = nibble_ - 1;
    int32_t* x = x_;
    for (int i = 0; i < level.contexts; ++i) {
      uint16_t slot = buckets_[i]->slots[node4];
      uint32_t state = slot_state(slot);
      map_[i] = &m_.maps[size_t(i) * 1024 + state];
      bool known = slot_count(slot) != 0;
      uint32_t p = map_[i]->p16();
      x[2 * i] = known ? stretch(t_, p) : 0;
      x[2 * i + 1] = known ? (int32_t(p) - 32768) >> 6 : 0;
    }
    x += 2 * level.contexts;
    x[0] = x[1] = x[2] = x[3] = 0;
    int st_network = 0;
    if (tree_) {
      int32_t st = log256(t_, tree_[2 * node_ + 1]) - log256(t_, tree_[2 * node_]);
      st_network = clamp(st, -kStretchLimit, kStretchLimit);
      x[0] = st_network;
      x[1] = (int32_t(squash(t_, st_network)) - 32768) >> 6;
    }
    match_map_ = nullptr;
    int match_bucket = 0;
    if (expected_) {
      int depth = top_bit(uint32_t(node_));
      if ((expected_ >> (8 - depth)) == node_) {
        match_bit_ = (expected_ >> (7 - depth)) & 1;
        int length = int(row_->match_length);
        int bucket = length < 16 ? length : length < 32 ? 16 + (length - 16) / 4 : length < 64 ? 20 : length < 128 ? 21 : length < 512 ? 22 : 23;
        match_bucket = length < 16 ? 1 : length < 32 ? 2 : 3;
        match_map_ = &m_.match_maps[size_t(bucket)];
        uint32_t p = match_map_->p16();
        int32_t st = stretch(t_, p), linear = (int32_t(p) - 32768) >> 6;
        x[2] = match_bit_ ? st : -st;
        x[3] = match_bit_ ? linear : -linear;
      } else {
        expected_ = 0;
      }
    }
    x[4] = 256;
    for (int i = 2 * level.contexts + 5; i < m_.inputs; ++i) x_[i] = 0;

    int depth = top_bit(uint32_t(node_));
    int strength = st_network < 0 ? -st_network : st_network;
    w_[0] = m_.by_partial.set(node_);
    w_[1] = m_.by_order.set((order_ * 4 + match_bucket) * 2 + (depth >= 4));
    w_[2] = m_.by_network.set(((strength >> 7) * 8 + depth) * 2 + (match_bucket > 0));
    for (int s = 0; s < 3; ++s) {
      st_[s] = clamp(dot(w_[s], x_, m_.inputs), -kStretchLimit, kStretchLimit);
      p_[s] = int32_t(squash(t_, st_[s]));
    }
    w_last_ = m_.last.set(node_);
    int32_t st = clamp(int32_t((int64_t(w_last_[0]) * st_[0] + int64_t(w_last_[1]) * st_[1] + int64_t(w_last_[2]) * st_[2]) >> 16),
                       -kSquashLimit, kSquashLimit);
    p_last_ = int32_t(squash(t_, st));
    one_ = m_.by_byte.find(node_ * 4 + match_bucket, st);
    two_ = m_.by_two.find(int((uint32_t(c1_) << 8 | uint32_t(node_)) & 65535), st);
    uint32_t p = (uint32_t(p_last_) * 2 + m_.by_byte.p16(one_) + m_.by_two.p16(two_) + 2) >> 2;
    return uint32_t(clamp(int32_t(p), 1, 65535));
  }

  // The bit came. Learns from it.
  void update(int bit) {
    learn(bit);
    advance(bit);
  }

  int byte() const { return node_ & 255; }

  // After a byte, which lies in bytes[at]; a row has `stride` bytes, the last one perhaps fewer, and all `size`.
  void end_byte(const uint8_t* bytes, int64_t at, int64_t stride, int64_t size) {
    Row& row = *row_;
    int came = byte();
    append(row, uint32_t(came));
    if (m_.level.match_least) find_match(row, bytes, at, stride, size, came);
    hash_contexts(row, m_.level.kinds, m_.level.contexts);
    ++m_.seen;
  }

  void prefetch(const Row& row) const {
    for (int i = 0; i < m_.level.contexts; ++i) m_.buckets.prefetch(row.hashes[i]);
  }

 private:
  void half_byte(int node) {
    order_ = 0;
    for (int i = 0; i < m_.level.contexts; ++i) {
      uint32_t hash = node == 1 ? row_->hashes[i] : row_->hashes[i] + uint32_t(node) * 0x3D4D51CBu;
      buckets_[i] = m_.buckets.claim(hash);
      order_ += slot_count(buckets_[i]->slots[0]) != 0;
    }
    nibble_ = 1;
  }

  void learn(int bit) {
    const Level& level = m_.level;
    for (int i = 0; i < level.contexts; ++i) {
      uint16_t& slot = buckets_[i]->slots[nibble_ - 1];
      if (slot_count(slot)) map_[i]->see(bit, 255);
      slot = slot_after(slot, bit);
    }
    if (match_map_) match_map_->see(bit == match_bit_, 1023);
    int32_t rate = 10 + 60 * 256 / int32_t(256 + (m_.seen < (1u << 20) ? m_.seen : 1u << 20));
    for (int s = 0; s < 3; ++s) {
      int32_t error = (((bit << 16) - p_[s]) * rate) >> 4;
      train(w_[s], x_, m_.inputs, error);
    }
    int32_t error = ((bit << 16) - p_last_) * 2 >> 4;
    for (int s = 0; s < 3; ++s) w_last_[s] = clamp(w_last_[s] + ((st_[s] * error + (1 << 17)) >> 18), -kWeightLimit, kWeightLimit);
    m_.by_byte.see(one_, bit, 6);
    m_.by_two.see(two_, bit, 6);
  }

  void advance(int bit) {
    node_ = 2 * node_ + bit;
    nibble_ = 2 * nibble_ + bit;
    if (node_ >= 16 && node_ < 32) half_byte(node_);
  }

  // Compares only what a decoder has: within the row, and within the row of the match.
  void find_match(Row& row, const uint8_t* bytes, int64_t at, int64_t stride, int64_t size, int came) {
    if (row.match >= 0 && int(bytes[row.match]) == came && row.match + 1 < size) {
      ++row.match;
      if (row.match_length < 65535) ++row.match_length;
    } else {
      row.match = -1;
      row.match_length = 0;
    }
    int least = m_.level.match_least;
    uint64_t recent = row.last & ((uint64_t(1) << (8 * least)) - 1);
    uint32_t mask = uint32_t(m_.match_table.size()) - 1;
    int32_t& entry = m_.match_table[mix_hash(recent, 0x77u << 24) & mask];
    if (row.match < 0 && entry) row.match = entry, row.match_length = 0;
    if (row.match >= 0 && row.match_length == 0) {  // as long as it is, up to 32
      int64_t most = row.match % stride < at % stride + 1 ? row.match % stride : at % stride + 1, length = 0;
      if (most > 32) most = 32;
      while (length < most && bytes[row.match - 1 - length] == bytes[at - length]) ++length;
      if (length < least) row.match = -1, length = 0;
      row.match_length = uint32_t(length);
    }
    entry = int32_t(at + 1 < size ? at + 1 : 0);
  }

  Memory& m_;
  const Tables& t_;
  Row* row_ = nullptr;
  const uint32_t* tree_ = nullptr;
  int node_ = 1, nibble_ = 1, expected_ = 0, c1_ = 0, order_ = 0;  // node_: a 1, then the bits so far; nibble_: of this half
  Bucket* buckets_[kMostContexts] = {};
  Adaptive* map_[kMostContexts] = {};
  Adaptive* match_map_ = nullptr;
  int match_bit_ = 0;
  alignas(32) int32_t x_[kMostInputs] = {};
  int32_t *w_[3] = {}, *w_last_ = nullptr;
  int32_t st_[3] = {}, p_[3] = {}, p_last_ = 0;
  Correction::Place one_{}, two_{};
};

}  // namespace elman::coding
