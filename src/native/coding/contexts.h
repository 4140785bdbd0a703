// What has been seen of bytes: hashed contexts of orders 1 to 8, of words, lines and likely bytes, and the longest match.
//
// A context is looked up once for each half of a byte and gives a bucket of 15 slots, one for each node of the tree of four
// bits. A slot is 16 bits: a probability of 12 and a count of 4, stored with bit 15 flipped, so zeros are "never seen,
// one half". What a slot says is learned again: `maps` give, for each context and each state of a slot, how often a 1 came.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "huge.h"
#include "tables.h"

namespace elman::coding {

constexpr int kMostContexts = 16, kMostLanes = 16;

struct alignas(32) Bucket {
  uint16_t check;
  uint16_t slots[15];                      // slots[node - 1]; node 1 is the root
};
static_assert(sizeof(Bucket) == 32);
inline constexpr Bucket kNeverSeen{};

constexpr uint16_t kFlip = 0x8000;
inline uint32_t slot_count(uint16_t slot) { return slot & 15; }
inline uint32_t slot_state(uint16_t slot) {  // 1024 states: 6 bits of probability, 4 of count
  uint32_t v = slot ^ kFlip;
  return (v >> 10) << 4 | (v & 15);
}

// By how much a slot moves to what it sees, in 1/65536: 1 / (count + 1.5), and 1 / 40 once the count is full.
constexpr int32_t kSlotRate[16] = {43691, 26214, 18725, 14564, 11916, 10082, 8738, 7710,
                                   6899,  6242,  5699,  5243,  4855,  4520,  4228, 1638};

inline uint16_t slot_after(uint16_t slot, int bit) {
  auto v = uint32_t(slot ^ kFlip);
  int32_t p = int32_t(v >> 4), n = int32_t(v & 15);
  p += ((bit ? 4095 - p : -p) * kSlotRate[n]) / 65536;
  return uint16_t((p << 4 | (n < 15 ? n + 1 : 15)) ^ kFlip);
}

// 65536 / (count + 2): by how much an `Adaptive` moves.
struct Shares {
  uint32_t of[1024] = {};
  constexpr Shares() {
    for (uint32_t n = 0; n < 1024; ++n) of[n] = 65536 / (n + 2);
  }
};
constexpr Shares kShares;

// A probability of 22 bits and a count of 10, which sets how fast it moves.
struct Adaptive {
  uint32_t v;
  static Adaptive at(uint32_t p16) { return {p16 << 16}; }
  uint32_t p16() const { return v >> 16; }
  void see(int bit) {
    uint32_t n = v & 1023;
    int64_t p = v >> 10, distance = (bit ? (1 << 22) - 1 : 0) - p;
    v = uint32_t(p + ((distance * kShares.of[n]) >> 16)) << 10 | (n < 1023 ? n + 1 : n);
  }
};

// A table of buckets. A bucket's place is one of two neighbours in a cache line, found by its check.
class Buckets {
 public:
  explicit Buckets(int bits) : mask_((uint32_t(1) << bits) - 1), all_(static_cast<size_t>(mask_) + 1) {}

  const Bucket* peek(uint32_t hash) const {  // or kNeverSeen
    uint32_t at = place(hash);
    uint16_t check = check_of(hash);
    const Bucket *one = &all_[at], *other = &all_[at ^ 1];
    const Bucket* found = other->check == check ? other : &kNeverSeen;
    return one->check == check ? one : found;
  }
  Bucket* claim(uint32_t hash) {
    uint32_t at = place(hash);
    uint16_t check = check_of(hash);
    Bucket *one = &all_[at], *other = &all_[at ^ 1];
    bool first = one->check == check;
    if (first | (other->check == check)) return first ? one : other;  // which of the two no branch can foresee
    Bucket* poorer = slot_count(one->slots[0]) <= slot_count(other->slots[0]) ? one : other;
    Bucket fresh{};
    fresh.check = check;
    *poorer = fresh;
    return poorer;
  }
  void prefetch(uint32_t hash) const { fetch(&all_[place(hash)]); }

 private:
  uint32_t place(uint32_t hash) const { return (hash ^ hash >> 15) & mask_; }
  static uint16_t check_of(uint32_t hash) { return uint16_t(hash >> 16 | 1); }

  uint32_t mask_;
  std::vector<Bucket, Huge<Bucket>> all_;
};

// What came before a byte, and where it is looked up.
struct Recent {
  uint64_t last = 0;                       // eight bytes, the newest lowest
  uint32_t word = 0, word_before = 0;      // hashes of letters
  uint32_t count = 0;                      // bytes so far
  uint32_t line = 0, line_before = 0;      // where this line and the one before it begin
  uint32_t words = 0;                      // that have ended in this line
  uint32_t above = 0;                      // the byte above the next one, and in bits 8 to 15 the one after; 0: none
  uint32_t hashes[kMostContexts] = {};
  uint32_t match_place = 0;                // in the match table
};

// A row of text that is being coded.
struct Row : Recent {
  const uint8_t* text = nullptr;           // its bytes, if they are kept in one place
  int64_t match = -1;                      // where the byte lies that followed the same bytes before; -1: none
  uint32_t match_length = 0;               // right bytes since it was found or last missed
  uint32_t missed = 0;                     // how often it was wrong of late
};

inline uint32_t mix_hash(uint64_t x, uint32_t salt) {
  x = (x + salt + 1) * 0x9E3779B97F4A7C15u;
  x ^= x >> 32;
  return uint32_t((x * 0xD6E8FEB86659FD93u) >> 32);
}

// The contexts, in the order in which a level takes them.
// FORESEEN: the byte that the network or the match foresees, and the word so far. FOLLOWED1, FOLLOWED2: what followed the
// last one or two bytes before. COLUMN, ABOVE and FIELD are for lines that resemble each other.
enum Context : int {
  ORDER1, ORDER2, ORDER3, ORDER4, ORDER5, ORDER6, WORD, WORDS, SPARSE, ORDER8,
  FORESEEN, FOLLOWED2, ABOVE, FOLLOWED1, COLUMN, FIELD
};

constexpr uint64_t first_bytes(int count) { return count < 8 ? (uint64_t(1) << (8 * count)) - 1 : ~uint64_t(0); }
// The bytes that a context takes of the last eight; WORD and WORDS take none, and FORESEEN is made when its byte is known.
constexpr uint64_t kTaken[] = {first_bytes(1), first_bytes(2), first_bytes(3), first_bytes(4), first_bytes(5), first_bytes(6),
                               0, 0, 0xFFFF00, first_bytes(8), 0, 255, 255, 255, 255, 255};

// What followed each pair of bytes and each byte, the newest lowest.
struct Followers {
  std::vector<uint32_t> of_two, of_one;

  explicit Followers(bool any) : of_two(any ? 1 << 16 : 0), of_one(any ? 1 << 8 : 0) {}
  void see(uint64_t last) {
    if (of_one.empty()) return;
    uint32_t &two = of_two[last >> 8 & 0xFFFF], &one = of_one[last >> 8 & 0xFF];
    two = two << 8 | (last & 255);
    one = one << 8 | (last & 255);
  }
};

inline void hash_contexts(Recent& recent, const Context* kinds, int count, const Followers& followers) {
  for (int i = 0; i < count; ++i) {
    Context kind = kinds[i];
    uint64_t x = recent.last & kTaken[kind];
    switch (kind) {
      case WORD: x = uint64_t(recent.word) << 8 | (recent.last & 255); break;
      case WORDS: x = uint64_t(recent.word) << 32 | recent.word_before; break;
      case FIELD: x |= uint64_t(recent.word) << 32 | uint64_t(recent.words) << 8; break;
      case COLUMN: x |= uint64_t(recent.count - recent.line) << 32 | recent.above << 16; break;
      case ABOVE: x |= uint64_t(recent.above) << 32 | uint64_t(recent.words) << 8; break;
      case FOLLOWED2: x |= uint64_t(followers.of_two[recent.last & 0xFFFF] & 0xFFFF) << 16; break;
      case FOLLOWED1: x |= uint64_t(followers.of_one[recent.last & 0xFF] & 0xFFFFFF) << 16; break;
      default: break;
    }
    recent.hashes[i] = mix_hash(x, uint32_t(kind) << 24);
  }
}

// How many of the last eight bytes are letters, from the newest.
inline int letters_at_end(uint64_t last) {
  int count = 0;
  while (count < 8 && ((last >> 8 * count & 255) | 32) >= 'a') ++count;
  return count;
}

// text: the row's bytes before this one, or null: nothing lies above.
inline void append(Recent& row, uint32_t byte, const uint8_t* text) {
  row.last = row.last << 8 | byte;
  ++row.count;
  if (byte == '\n') row.line_before = row.line, row.line = row.count, row.words = 0;
  uint32_t place = row.line_before + (row.count - row.line);
  auto above = [&](uint32_t at) -> uint32_t { return !text || at >= row.line ? 0 : at + 1 == row.count ? byte : text[at]; };
  row.above = above(place) | above(place + 1) << 8;
  uint32_t lower = byte | 32;
  if ((lower >= 'a' && lower <= 'z') || byte >= 128 || (byte >= '0' && byte <= '9')) {
    row.word = (row.word + (byte < 128 && byte >= 'A' ? lower : byte) + 1) * 0x2F0B4C47u;
  } else if (row.word) {
    row.word_before = row.word;
    row.word = 0;
    ++row.words;
  }
}

}  // namespace elman::coding
