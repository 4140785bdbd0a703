// The probability of the next bit: a network's distribution over bytes, contexts and a match, mixed.
//
// All of it is integers. What is learned (`Memory`) is shared by all rows, which are coded in a fixed order; or it is frozen,
// and then any number of rows may read it at once.
#pragma once
#include <cstdint>
#include <type_traits>
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

constexpr int kMatchLengths = 24, kMatchClasses = 4;

inline int match_length_class(uint32_t length) {
  return length < 16 ? int(length) : length < 32 ? 16 + int(length - 16) / 4 : length < 64 ? 20 : length < 128 ? 21 : length < 512 ? 22 : 23;
}

inline int log2_up(int64_t x) {
  int bits = 0;
  while ((int64_t(1) << bits) < x) ++bits;
  return bits;
}

// Everything that is learned while coding.
struct Memory {
  static constexpr int kOrders = kMostContexts + 1, kStrengths = 16;

  Level level;
  bool network;                            // there is one
  int inputs;                              // of the mixers: two a context, the network and the match, a constant; padded
  Buckets buckets;
  std::vector<Adaptive> maps;              // (contexts, 1024)
  std::vector<Adaptive> match_maps;        // (kMatchLengths)
  std::vector<int32_t> match_table;        // hash of the last bytes -> where the byte after them lies, or 0
  Mixer by_partial, by_order, by_strength, last;
  Correction by_byte;
  int two_bits;                            // of the hash of two bytes
  Correction by_two;
  uint32_t seen = 0;                       // bytes

  // `size`: bytes that will come, which bounds the tables.
  Memory(const Level& given, bool has_network, int64_t size)
      : level(given), network(has_network), inputs((2 * given.contexts + 5 + 7) / 8 * 8),
        buckets(clamp(log2_up(size * 2 * given.contexts), 8, given.bits)), maps(size_t(given.contexts) * 1024),
        match_maps(kMatchLengths), match_table(given.match_least ? size_t(1) << clamp(log2_up(size), 8, 22) : 1),
        by_partial(inputs, 256, 0), by_order(inputs, kOrders * kMatchClasses * 2, 0),
        by_strength(inputs, kStrengths * 8 * 2, 0), last(8, 256, 21845), by_byte(256 * kMatchClasses),
        two_bits(clamp(log2_up(size), 8, 16)), by_two(1 << two_bits) {
    for (size_t i = 0; i < maps.size(); ++i) maps[i] = Adaptive::at(uint32_t(i % 1024 >> 4) * 1024 + 512);
    for (uint32_t i = 0; i < kMatchLengths; ++i) match_maps[i] = Adaptive::at(65536 - 65536 / (i + 3));
    for (Mixer* mixer : {&by_partial, &by_order, &by_strength})
      for (int s = 0; s < mixer->sets(); ++s) start(mixer->set(s));
  }
  // For a frozen memory that has learned nothing: the network's word is taken as it is.
  void trust_network() {
    for (Mixer* mixer : {&by_partial, &by_order, &by_strength})
      for (int s = 0; s < mixer->sets(); ++s)
        for (int i = 0; i < inputs; ++i) mixer->set(s)[i] = i == 2 * level.contexts ? 65536 : 0;
  }

 private:
  void start(int32_t* w) const {
    for (int i = 0; i < level.contexts; ++i) w[2 * i] = network ? 6554 : 13107;
    w[2 * level.contexts] = network ? 45875 : 0;
    w[2 * level.contexts + 2] = 19661;
  }
};

// One bit's inputs and how its probability came about, kept until the bit is known.
template <bool kLearns>
class BitModel {
  template <class T> using Kept = std::conditional_t<kLearns, T, const T>;

 public:
  explicit BitModel(Kept<Memory>& memory) : m_(memory), t_(tables()) {}

  // Before a byte: tree as in frequencies.h, or null. `past`: what row.match points into.
  void begin_byte(Row& row, const uint32_t* tree, const uint8_t* past) {
    row_ = &row;
    tree_ = tree;
    node_ = 1;
    expected_ = row.match >= 0 ? past[row.match] | 256 : 0;
    half_byte();
  }

  uint32_t predict() {
    gather();
    return mix();
  }

  // The bit came.
  void update(int bit) {
    if constexpr (kLearns) {
      learn_contexts(bit);
      learn_mixing(bit);
    }
    advance(bit);
  }

  // The bit came, and only contexts and matches learn from it: a quarter of the time.
  void watch(int bit) {
    gather();
    learn_contexts(bit);
    advance(bit);
  }

  // The byte that its bits gave.
  int byte() const { return node_ & 255; }

  // After a byte: its row, and what comes next in it. `own` points behind the byte, to `before` bytes of the row; `past`
  // has pieces of `stride` bytes, of which only the same piece may be compared, and `end` bytes in all.
  void end_byte(const uint8_t* own, int64_t before, const uint8_t* past, int64_t stride, int64_t end) {
    Row& row = *row_;
    append(row, uint32_t(byte()));
    if (m_.level.match_least) find_match(row, own, before, past, stride, end);
    hash_contexts(row, m_.level.kinds, m_.level.contexts);
  }

  // What followed these bytes lies at `next` in the past, of which 0 is none.
  void remember(const Row& row, int64_t next) {
    if (m_.level.match_least) m_.match_table[match_place(row)] = int32_t(next);
    ++m_.seen;
  }

  void prefetch(const Row& row) const {
    for (int i = 0; i < m_.level.contexts; ++i) m_.buckets.prefetch(row.hashes[i]);
  }

 private:
  // The inputs.
  void gather() {
    const int contexts = m_.level.contexts, depth = top_bit(uint32_t(node_));
    for (int i = 0; i < contexts; ++i) {
      uint16_t slot = buckets_[i] ? buckets_[i]->slots[nibble_ - 1] : 0;
      map_[i] = &m_.maps[size_t(i) * 1024 + slot_state(slot)];
      uint32_t p = map_[i]->p16();
      bool known = slot_count(slot) != 0;
      x_[2 * i] = known ? stretch(t_, p) : 0;
      x_[2 * i + 1] = known ? (int32_t(p) - 32768) / 32 : 0;
    }
    int32_t* x = x_ + 2 * contexts;
    x[0] = x[1] = x[2] = x[3] = 0;
    x[4] = 256;
    strength_ = 0;
    if (tree_) {
      x[0] = clamp(log256(t_, tree_[2 * node_ + 1]) - log256(t_, tree_[2 * node_]), -kStretchLimit, kStretchLimit);
      x[1] = (int32_t(squash(t_, x[0])) - 32768) / 32;
      strength_ = (x[0] < 0 ? -x[0] : x[0]) >> 7;
    }
    match_map_ = nullptr;
    match_class_ = 0;
    if (expected_ >> (8 - depth) == node_) {  // 0 where there is no match: never a node
      uint32_t length = row_->match_length;
      match_bit_ = expected_ >> (7 - depth) & 1;
      match_map_ = &m_.match_maps[size_t(match_length_class(length))];
      match_class_ = length < 16 ? 1 : length < 32 ? 2 : 3;
      auto p = int32_t(match_map_->p16());
      x[2] = match_bit_ ? stretch(t_, uint32_t(p)) : -stretch(t_, uint32_t(p));
      x[3] = (match_bit_ ? p - 32768 : 32768 - p) / 32;
    }
  }

  uint32_t mix() {
    const int depth = top_bit(uint32_t(node_));
    auto c1 = int(row_->last & 255);
    const auto by_two = int(uint32_t(c1 << 8 | node_) * 0x9E3779B1u >> (32 - m_.two_bits));
    m_.by_two.prefetch(by_two);
    w_[0] = m_.by_partial.set(node_);
    w_[1] = m_.by_order.set((order_ * kMatchClasses + match_class_) * 2 + (depth >= 4));
    w_[2] = m_.by_strength.set(tree_ ? (strength_ * 8 + depth) * 2 + (match_class_ > 0) : c1);
    for (int s = 0; s < 3; ++s) {
      st_[s] = clamp(dot(w_[s], x_, m_.inputs), -kStretchLimit, kStretchLimit);
      p_[s] = int32_t(squash(t_, st_[s]));
    }
    last_ = m_.last.set(node_);
    int64_t sum = int64_t(last_[0]) * st_[0] + int64_t(last_[1]) * st_[1] + int64_t(last_[2]) * st_[2];
    int32_t st = clamp(int32_t(sum >> 16), -kSquashLimit, kSquashLimit);
    p_last_ = int32_t(squash(t_, st));
    one_ = m_.by_byte.find(node_ * kMatchClasses + match_class_, st);
    two_ = m_.by_two.find(by_two, st);
    uint32_t p = (uint32_t(p_last_) + m_.by_byte.p16(one_) + 2 * m_.by_two.p16(two_) + 2) >> 2;
    return uint32_t(clamp(int32_t(p), 1, 65535));
  }

  void advance(int bit) {
    node_ = 2 * node_ + bit;
    nibble_ = 2 * nibble_ + bit;
    if (node_ >= 16 && node_ < 32) half_byte();
  }

  void half_byte() {
    order_ = 0;
    nibble_ = 1;
    const uint32_t half = node_ == 1 ? 0 : uint32_t(node_) * 0x3D4D51CBu;
    if (half)                              // those of the first half were fetched while the row before was coded
      for (int i = 0; i < m_.level.contexts; ++i) m_.buckets.prefetch(row_->hashes[i] + half);
    for (int i = 0; i < m_.level.contexts; ++i) {
      uint32_t hash = row_->hashes[i] + half;
      if constexpr (kLearns) buckets_[i] = m_.buckets.claim(hash);
      else buckets_[i] = m_.buckets.peek(hash);
      order_ += buckets_[i] && slot_count(buckets_[i]->slots[0]) != 0;
    }
  }

  void learn_contexts(int bit) {
    for (int i = 0; i < m_.level.contexts; ++i) {
      uint16_t& slot = buckets_[i]->slots[nibble_ - 1];
      if (slot_count(slot)) map_[i]->see(bit);
      slot = slot_after(slot, bit);
    }
    if (match_map_) match_map_->see(bit == match_bit_);
  }

  void learn_mixing(int bit) {
    uint32_t age = m_.seen < (1u << 20) ? m_.seen : 1u << 20;
    int32_t rate = 20 + int32_t(100 * 8192 / (8192 + age));
    for (int s = 0; s < 3; ++s) train(w_[s], x_, m_.inputs, (((bit << 16) - p_[s]) * rate) >> 4);
    int32_t error = ((bit << 16) - p_last_) >> 2;
    for (int s = 0; s < 3; ++s) last_[s] = clamp(last_[s] + ((st_[s] * error + (1 << 17)) >> 18), -kWeightLimit, kWeightLimit);
    m_.by_byte.see(one_, bit, 6);
    m_.by_two.see(two_, bit, 5);
  }

  size_t match_place(const Row& row) const {
    uint64_t recent = row.last & ((uint64_t(1) << (8 * m_.level.match_least)) - 1);
    return mix_hash(recent, 0x77u << 24) & (m_.match_table.size() - 1);
  }

  void find_match(Row& row, const uint8_t* own, int64_t before, const uint8_t* past, int64_t stride, int64_t end) {
    if (row.match >= 0 && past[row.match] == own[-1] && row.match + 1 < end) {
      ++row.match;
      if (row.match_length < 65535) ++row.match_length;
      return;
    }
    row.match = -1;
    row.match_length = 0;
    int64_t found = m_.match_table[match_place(row)], most = found % stride < before ? found % stride : before, length = 0;
    if (!found) return;
    if (most > 32) most = 32;
    while (length < most && past[found - 1 - length] == own[-1 - length]) ++length;
    if (length < m_.level.match_least) return;
    row.match = found;
    row.match_length = uint32_t(length);
  }

  Kept<Memory>& m_;
  const Tables& t_;
  Row* row_ = nullptr;
  const uint32_t* tree_ = nullptr;
  int node_ = 1, nibble_ = 1, expected_ = 0, order_ = 0;  // node_: a 1, then the bits so far; nibble_: those of this half
  Kept<Bucket>* buckets_[kMostContexts] = {};
  Kept<Adaptive>* map_[kMostContexts] = {};
  Kept<Adaptive>* match_map_ = nullptr;
  int match_bit_ = 0, match_class_ = 0, strength_ = 0;
  alignas(32) int32_t x_[kMostInputs] = {};
  Kept<int32_t>*w_[3] = {}, *last_ = nullptr;
  int32_t st_[3] = {}, p_[3] = {}, p_last_ = 0;
  Correction::Place one_{}, two_{};
};

}  // namespace elman::coding
