// The longest match: where the byte lies that followed the same bytes before.
#pragma once
#include <cstdint>

#include "memory.h"

namespace elman::coding {

// Its place in `match_maps`.
inline int match_map_of(const Row& row) {
  return match_length_class(row.match_length) + kMatchLengths * int(row.missed < kMisses ? row.missed : kMisses - 1);
}

// What a match says of the next bit, if it is right so far: its map and bit, and a mixer's two inputs.
template <class Map>
struct MatchSays {
  Map* map = nullptr;                      // null: nothing
  int bit = 0, strength = 0;               // strength: 0 .. kMatchClasses - 1, 0 where it says nothing
  int32_t stretched = 0, linear = 0;

  // expected: the byte that it foresees, and 256; 0: no match. node: a 1, then the bits so far, `depth` of them.
  template <class M>
  static MatchSays of(M& m, const Tables& t, const Row& row, int expected, int node, int depth) {
    if (expected >> (8 - depth) != node) return {};  // 0 is never a node
    Map* map = &m.match_maps[size_t(match_map_of(row))];
    const auto p = int32_t(map->p16());
    const int bit = expected >> (7 - depth) & 1, strength = row.match_length < 16 ? 1 : row.match_length < 32 ? 2 : 3;
    return {map, bit, strength, bit ? stretch(t, uint32_t(p)) : -stretch(t, uint32_t(p)), (bit ? p - 32768 : 32768 - p) / 32};
  }
};

// After a byte. `own` points behind it, to `before` bytes of the row; past, stride, end: as for BitModel::end_byte. A match
// that was wrong is kept for a while, and one that was right for fewer bytes than a new one needs gives way to it.
inline void find_match(const Memory& m, Row& row, const uint8_t* own, int64_t before, const uint8_t* past, int64_t stride, int64_t end) {
  const bool more = row.match >= 0 && row.match + 1 < end;
  if (more && past[row.match] == own[-1]) {
    ++row.match;
    if (row.match_length < 65535) ++row.match_length;
    if (row.match_length >= 16) row.missed = 0;
    if (row.match_length >= uint32_t(m.level.match_least)) return;
  } else {
    row.match = more && row.missed < m.rules.misses ? row.match + 1 : -1;
    row.match_length = 0;
    ++row.missed;
  }
  int64_t found = m.match_table[row.match_place], most = found % stride < before ? found % stride : before, length = 0;
  if (!found) return;
  if (most > 32) most = 32;
  while (length < most && past[found - 1 - length] == own[-1 - length]) ++length;
  if (length < m.level.match_least) return;
  row.match = found;
  row.match_length = uint32_t(length);
  row.missed = 0;
}

}  // namespace elman::coding
