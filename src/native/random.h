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
inline void for_words(int64_t n, uint64_t seed, uint64_t offset, F&& body) {
  parallel(n >= (1 << 14) ? get_threads() : 1, [&](const Team& team) {
    Range mine = share(n, 1024, team.id, team.n);
    uint32_t words[4];
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      uint64_t at = offset + uint64_t(i);
      if (i == mine.begin || at % 4 == 0) philox_block(at / 4, seed, words);
      body(i, words[at % 4]);
    }
  });
}

void philox(uint32_t* to, int64_t n, uint64_t seed, uint64_t offset) {
  for_words(n, seed, offset, [&](int64_t i, uint32_t word) { to[i] = word; });
}

void dropout(const float* x, float* y, int64_t n, uint64_t seed, uint64_t offset, uint64_t threshold, float scale) {
  for_words(n, seed, offset, [&](int64_t i, uint32_t word) { y[i] = word >= threshold ? x[i] * scale : 0.0f; });
}
