// Random bits: Philox, and dropout.
#pragma once

// Philox4x32-10: the four words of one counter under a 64-bit key.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
inline void philox_block(uint64_t counter, uint64_t seed, uint32_t words[4]) {
  uint32_t a = uint32_t(counter), b = uint32_t(counter >> 32), c = 0, d = 0;
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t(a) * 0xD2511F53u, p1 = uint64_t(c) * 0xCD9E8D57u;
    a = uint32_t(p1 >> 32) ^ b ^ k0, b = uint32_t(p1);
    c = uint32_t(p0 >> 32) ^ d ^ k1, d = uint32_t(p0);
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  words[0] = a, words[1] = b, words[2] = c, words[3] = d;
}

// body(i, word) for the words offset .. offset+n-1 of the stream, i from 0.
template <class F>
inline void each_word(int64_t n, uint64_t seed, uint64_t offset, F&& body) {
  uint32_t words[4];
  for (int64_t i = 0; i < n; ++i) {
    uint64_t at = offset + uint64_t(i);
    if (i == 0 || at % 4 == 0) philox_block(at / 4, seed, words);
    body(i, words[at % 4]);
  }
}

void philox(uint32_t* to, int64_t n, uint64_t seed, uint64_t offset) {
  parallel(n >= (1 << 14) ? get_threads() : 1, [&](const Team& team) {
    Range mine = share(n, 1024, team.id, team.n);
    each_word(mine.end - mine.begin, seed, offset + uint64_t(mine.begin), [&](int64_t i, uint32_t word) { to[mine.begin + i] = word; });
  });
}

// The same mask for each of `parts` of n elements.
void dropout(const float* x, float* y, int64_t parts, int64_t n, uint64_t seed, uint64_t offset, uint64_t threshold, float scale) {
  parallel(parts * n >= (1 << 14) ? get_threads() : 1, [&](const Team& team) {
    constexpr int64_t kChunk = 256;
    Range mine = share(n, kChunk, team.id, team.n);
    for (int64_t first = mine.begin; first < mine.end; first += kChunk) {
      int64_t count = least(kChunk, mine.end - first);
      float kept[kChunk] = {};
      each_word(count, seed, offset + uint64_t(first), [&](int64_t i, uint32_t word) { kept[i] = word >= threshold; });
      for (int64_t part = 0; part < parts; ++part)
        for (int64_t i = 0; i < count; i += 16) {
          int64_t at = part * n + first + i;
          v16 scaled = mul(load_n(x + at, count - i), set1(scale));
          store_n(y + at, select(lt(set1(0.0f), load(kept + i)), scaled, set1(0.0f)), count - i);
        }
    }
  });
}
