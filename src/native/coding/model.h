// The probability of the next bit: a network's distribution over bytes, contexts and a match, mixed.
//
// All of it is integers. What is learned (`Memory`) is shared by all rows, which are coded in a fixed order; or it is frozen,
// and then any number of rows may read it at once.
#pragma once
#include <cstdint>
#include <type_traits>

#include "contexts.h"
#include "frequencies.h"
#include "matches.h"
#include "memory.h"
#include "mixer.h"
#include "stages.h"
#include "tables.h"

namespace elman::coding {

// One bit's inputs and how its probability came about, kept until the bit is known. Stages: Plain or Avx2.
template <bool kLearns, class Stages>
class BitModel {
  template <class T> using Kept = std::conditional_t<kLearns, T, const T>;
  static constexpr bool kVectors = Stages::kLanes > 0;

 public:
  explicit BitModel(Kept<Memory>& memory) : m_(memory), t_(tables()) {
    for (int i = 0; i < kMostLanes; ++i) buckets_[i] = &spare_[i];
  }

  // Before a byte: tree as in frequencies.h, or null. `past`: what row.match points into. byte: what will come, if known, so
  // that tables can be fetched early; -1: unknown. known: what the network foresees, where it has been worked out.
  void begin_byte(Row& row, const uint32_t* tree, const uint8_t* past, int byte, const Foreseen* known = nullptr) {
    row_ = &row;
    tree_ = tree;
    node_ = 1;
    two_place_ = m_.two_place(row, 1);
    expected_ = row.match >= 0 ? past[row.match] | 256 : 0;
    known_ = byte >= 0;
    ahead_byte_ = -1;
    if constexpr (kLearns) rate_ = m_.rate();
    if (m_.rules.foresees) {
      foreseen_ = tree ? known ? *known : Foreseen::by_network(t_, tree) : Foreseen::by_match(expected_, match_length_class(row.match_length));
      m_.hash_foreseen(row, foreseen_);
      letters_ = letters_at_end(row.last);
    }
    if (known_) {
      prefetch_half(16 | byte >> 4);
      foresee(byte);
    } else if (expected_) {
      prefetch_half(expected_ >> 4);
    }
    half_byte();
  }

  uint32_t predict() {
    gather();
    return look_ahead(mix());
  }

  // The bit came.
  void update(int bit) {
    if constexpr (kLearns) learn_contexts(bit), learn_mixing(bit);
    advance(bit);
  }

  // The bit came, and only contexts and matches learn from it: a quarter of the time.
  void watch(int bit) { gather(), watch_guessed(bit); }
  // What contexts and matches say of a bit that will be watched, as mixers do that have learned nothing.
  uint32_t guess() {
    gather();
    const int32_t* w = m_.by_partial.set(0);
    int32_t st;
    if constexpr (kVectors) st = Stages::dot(w, x_);
    else st = dot(w, x_, m_.inputs);
    return look_ahead(squash(t_, m_.network ? 2 * st : st));  // a mixer beside a network begins with half the weights
  }
  void watch_guessed(int bit) { learn_contexts(bit), advance(bit); }

  // The byte that its bits gave.
  int byte() const { return node_ & 255; }

  // After a byte: its row, and what comes next in it. `own` points behind the byte, to `before` bytes of the row; `past`
  // has pieces of `stride` bytes, of which only the same piece may be compared, and `end` bytes in all.
  void end_byte(const uint8_t* own, int64_t before, const uint8_t* past, int64_t stride, int64_t end) {
    if (ahead_byte_ != byte()) foresee(byte());
    static_cast<Recent&>(*row_) = ahead_;
    if (m_.level.match_least) find_match(m_, *row_, own, before, past, stride, end);
  }

  // What followed these bytes lies at `next` in the past, of which 0 is none.
  void remember(const Row& row, int64_t next) {
    if (m_.level.match_least) m_.match_table[row.match_place] = int32_t(next);
    m_.followers.see(row.last);
    ++m_.seen;
  }

 private:
  // Fetches what the likelier bit will look up. Returns p.
  uint32_t look_ahead(uint32_t p) {
    if (known_) return p;
    const int likely = 2 * node_ + (p >= 32768);
    if (node_ >= 128 && (likely & 255) != ahead_byte_) foresee(likely & 255);
    else if (node_ >= 8 && node_ < 16 && likely != expected_ >> 4) prefetch_half(likely);
    return p;
  }
  // The row after this byte; what it will look up is fetched.
  void foresee(int byte) {
    ahead_ = *row_;
    ahead_byte_ = byte;
    append(ahead_, uint32_t(byte), row_->text);
    m_.look_ahead(ahead_);
    m_.prefetch(ahead_);
  }
  static uint32_t salt_of(int node) { return node == 1 ? 0 : uint32_t(node) * 0x3D4D51CBu; }
  void prefetch_half(int node) const {
    for (int i = 0; i < m_.level.contexts; ++i) m_.buckets.prefetch(row_->hashes[i] + salt_of(node));
  }

  // The inputs.
  void gather() {
    if constexpr (kVectors)
      if (in_vectors_) Stages::look(m_, t_, half_, nibble_, found_, x_);
    if (!in_vectors_) plain::look(m_, t_, buckets_, nibble_, place_, x_);
    const int depth = top_bit(uint32_t(node_));
    int32_t network = 0, network_linear = 0;
    strength_ = 0;
    if (tree_) {
      network = clamp(log256(t_, tree_[2 * node_ + 1]) - log256(t_, tree_[2 * node_]), -kStretchLimit, kStretchLimit);
      network_linear = (int32_t(squash(t_, network)) - 32768) / 32;
      strength_ = (network < 0 ? -network : network) >> 7;
    }
    match_ = MatchSays<Kept<Adaptive>>::of(m_, t_, *row_, expected_, node_, depth);
    if (m_.rules.foresees) refined_ = m_.refined.find(m_.refined_place(*row_, node_), tree_ ? network : match_.stretched);
    const int32_t refined = m_.rules.foresees ? stretch(t_, m_.refined.p16(refined_)) : 0;
    if constexpr (kVectors) Stages::others(x_, network, network_linear, match_.stretched, match_.linear, refined);
    else plain::others(x_ + 2 * m_.lanes, network, network_linear, match_.stretched, match_.linear, refined);
  }

  uint32_t mix() {
    const int depth = top_bit(uint32_t(node_));
    w_[0] = m_.by_partial.set(node_);
    w_[1] = m_.by_order.set((order_ * kMatchClasses + match_.strength) * 2 + (depth >= 4));
    w_[2] = m_.by_strength.set(tree_ ? (strength_ * 8 + depth) * 2 + (match_.strength > 0) : int(row_->last & 255));
    if (m_.rules.foresees) {
      w_[3] = m_.by_earlier.set(int(row_->last >> 8 & 255));
      w_[4] = m_.by_foreseen.set(foreseen_.place(node_, depth));
      w_[5] = m_.by_letters.set(letters_ * 8 + depth);
    }
    last_ = m_.last.set(node_);
    int64_t sum = 0;
    for (int g = 0; g < m_.rules.groups; ++g) {
      int32_t* st = st_ + 4 * g;
      if constexpr (kVectors) Stages::dots(w_ + 3 * g, x_, st);
      else plain::dots(w_ + 3 * g, x_, m_.inputs, st);
      for (int s = 0; s < 3; ++s) p_[3 * g + s] = t_.squash[st[s] + kSquashLimit];  // within its limits
      for (int s = 0; s < 3; ++s) sum += int64_t(last_[4 * g + s]) * st[s];
    }
    int32_t st = clamp(int32_t(sum >> 16), -kSquashLimit, kSquashLimit);
    p_last_ = int32_t(squash(t_, st));
    one_ = m_.by_byte.find(node_ * kMatchClasses + match_.strength, st);
    two_ = m_.by_two.find(two_place_, st);
    const uint32_t* parts = m_.rules.parts;
    uint32_t p = uint32_t(p_last_) * parts[0] + m_.by_byte.p16(one_) * parts[1] + m_.by_two.p16(two_) * parts[2] + 4;
    if (m_.rules.foresees) {
      likely_ = m_.by_likely.find(foreseen_.place_by_depth(node_, depth), st);
      p += m_.by_likely.p16(likely_) * parts[3];
    }
    return uint32_t(clamp(int32_t(p >> 3), 1, 65535));
  }

  void advance(int bit) {
    node_ = 2 * node_ + bit;
    nibble_ = 2 * nibble_ + bit;
    two_place_ = m_.two_place(*row_, node_ & 255);
    m_.by_two.prefetch(two_place_);
    if (m_.rules.foresees && node_ < 256) m_.prefetch_corrections(*row_, foreseen_, node_);
    if constexpr (kVectors && kLearns)
      if (nibble_ >= 16 && in_vectors_) Stages::give(buckets_, m_.level.contexts, half_);
    if (node_ < 16 || node_ >= 32) return;
    half_byte();
    if (!known_ && node_ == expected_ >> 4) foresee(expected_ & 255);
  }

  void half_byte() {
    order_ = 0;
    nibble_ = 1;
    for (int i = 0; i < m_.level.contexts; ++i) {
      uint32_t hash = row_->hashes[i] + salt_of(node_);
      if constexpr (kLearns) buckets_[i] = m_.buckets.claim(hash);
      else buckets_[i] = m_.buckets.peek(hash);
      order_ += slot_count(buckets_[i]->slots[0]) != 0;
    }
    if constexpr (kVectors) {
      in_vectors_ = !kLearns || Stages::distinct(buckets_);
      if (in_vectors_) Stages::take(buckets_, half_);
    }
  }

  void learn_contexts(int bit) {
    if constexpr (kVectors)
      if (in_vectors_) Stages::learn(m_, half_, nibble_, found_, bit);
    if (!in_vectors_) plain::learn(m_, buckets_, nibble_, place_, bit);
    if (match_.map) match_.map->see(bit == match_.bit);
  }

  void learn_mixing(int bit) {
    for (int s = 0; s < 3 * m_.rules.groups; ++s) {
      int32_t error = (((bit << 16) - p_[s]) * rate_) >> 4;
      if constexpr (kVectors) Stages::train(w_[s], x_, error);
      else train(w_[s], x_, m_.inputs, error);
    }
    int32_t error = ((bit << 16) - p_last_) >> m_.rules.last_shift;
    for (int g = 0; g < m_.rules.groups; ++g)
      if constexpr (kVectors) Stages::train_last(last_ + 4 * g, st_ + 4 * g, error);
      else train(last_ + 4 * g, st_ + 4 * g, 3, error);
    m_.by_byte.see(one_, bit, 6);
    m_.by_two.see(two_, bit, m_.rules.two_shift);
    if (!m_.rules.foresees) return;
    m_.by_likely.see(likely_, bit, 5);
    m_.refined.see(refined_, bit, 5);
  }

  Kept<Memory>& m_;
  const Tables& t_;
  Row* row_ = nullptr;
  const uint32_t* tree_ = nullptr;
  int node_ = 1, nibble_ = 1, expected_ = 0, order_ = 0;  // node_: a 1, then the bits so far; nibble_: those of this half
  bool known_ = false, in_vectors_ = false;
  int ahead_byte_ = -1;                    // of which ahead_ is made
  Recent ahead_;
  Kept<Bucket>* buckets_[kMostLanes] = {};
  Bucket spare_[kMostLanes] = {};          // of the lanes beyond the contexts
  typename Stages::Half half_;
  typename Stages::Found found_;
  alignas(32) uint32_t place_[kMostLanes] = {};
  MatchSays<Kept<Adaptive>> match_;
  int strength_ = 0;                       // of the network's word
  int32_t rate_ = 0;                       // of the mixers' weights
  alignas(32) int32_t x_[kMostInputs] = {};
  Kept<int32_t>*w_[6] = {}, *last_ = nullptr;
  alignas(16) int32_t st_[8] = {};         // of each group three, and 0
  int32_t p_[6] = {}, p_last_ = 0;
  Foreseen foreseen_;
  int two_place_ = 0, letters_ = 0;        // letters_: that this word has so far, 8 at most
  Correction::Place one_{}, two_{}, likely_{}, refined_{};
};

}  // namespace elman::coding
